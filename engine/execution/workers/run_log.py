"""RunLog: what a run tells and what its steps print, written to the lake with the time of each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from threading import Lock
from typing import Any, Final, Generic, Protocol, TypeVar

from deltaworks.engine.execution.desk import Lines
from deltaworks.engine.execution.events import RunNoted, RunProgressed
from deltaworks.engine.execution.workers.capture import Line, capture
from deltaworks.engine.execution.workers.executor import Errand, Result, guarded
from deltaworks.io.dtypes import Json

RUN_BYTES: Final = 100 * 1024 * 1024
"""How many bytes of output are kept of an attempt of a run, beside its events."""


E = TypeVar("E")
T = TypeVar("T", bound=Errand)
R = TypeVar("R", bound=Result)


class Secrets(Protocol):
    """Knows what must not be written down."""

    def masked(self, text: str) -> str:
        """Return a text without the secrets in it."""
        ...


class RunLog(Generic[E]):
    """The log of one attempt. Lines may come from any thread."""

    def __init__(
        self, writer: Lines, now: Callable[[], dt.datetime], secrets: Secrets, tell: Callable[[E | RunNoted], None]
    ) -> None:
        self._writer, self._now, self._secrets, self._then = writer, now, secrets, tell
        self._left = RUN_BYTES
        self._lock = Lock()
        self._is_told = False

    def tell(self, event: E | RunNoted) -> None:
        """Write an event, unless it only says how far the run is, and pass it on."""
        if not isinstance(event, RunProgressed):
            self._writer.write(self._stamped(_document(event)))
        self._then(event)

    def note(self, text: str) -> None:
        """Tell a sentence."""
        self.tell(RunNoted(text))

    def line(self, line: Line) -> None:
        """Write a line that a step printed."""
        with self._lock:
            self._left -= len(line.text) + 1
            left = self._left
        document: Json = {"step": line.step, "stream": line.stream, "text": line.text}
        if line.level is not None:
            document["level"] = line.level
        if left > 0 or line.stream == "cut":
            self._writer.write(self._stamped(document))
        elif left > -(len(line.text) + 1):  # the first that is too much
            text = f"the run has printed {RUN_BYTES:,} bytes; what its steps print from here on is not kept"
            self._writer.write(self._stamped({"stream": "cut", "text": text}))

    def capturing(self, work: Callable[[T], R]) -> Callable[[T], R]:
        """Return what carries tasks out as `work` does, guarded: what they print comes here."""
        work = guarded(work, self._secrets.masked)

        def captured(task: T) -> R:
            with capture(task.where, self.line):
                return work(task)

        return captured

    def masked(self, text: str) -> str:
        """Return a text without secrets."""
        return self._secrets.masked(text)

    def flush(self) -> None:
        """Bring to the lake what is new; that it cannot be, is told once."""
        self._writer.flush()
        if self._writer.problem is not None and not self._is_told:
            self._is_told = True
            self._then(RunNoted(f"lines of the run's log are missing: {self._writer.problem}"))

    def _stamped(self, document: Json) -> Json:
        return {"at": self._now().isoformat(), **_plain(document, self._secrets.masked)}


def _document(event: Any) -> Json:
    """Return an event as the log has it: its name, as in `partitions_committed`, and its fields."""
    found = {each.name: getattr(event, each.name) for each in fields(event)}
    return {"event": _snake(type(event).__name__), **found}


@cache
def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _plain(value: Any, masked: Callable[[str], str]) -> Any:
    """Return a value as JSON knows it, without secrets."""
    match value:
        case None | bool() | int() | float():
            return value
        case tuple() | list():
            items: list[Any] = list(value)  # pyright: ignore[reportUnknownArgumentType]
            return [_plain(each, masked) for each in items]
        case Mapping():
            pairs: list[tuple[Any, Any]] = list(value.items())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
            return {str(key): _plain(each, masked) for key, each in pairs}
        case _:
            return masked(str(value))
