"""Capture: what user code prints and logs while a step runs, line by line, with the step that did it.

Threads share `sys.stdout`, so one stand-in for it asks which step the present thread works for. Whatever is printed
goes where it would have gone, too. Output of programs that a step starts is not seen.
"""

from __future__ import annotations

import contextvars
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TextIO, TypeAlias

STEP_BYTES: Final = 1024 * 1024
"""How many bytes of output are kept of a step; how many more there were is said."""

LINE_CHARACTERS: Final = 16 * 1024
"""A longer line is cut into several."""

OF_AUTHORS: Final = "deltaworks.asset"
"""The logger that a `Logger` writes to."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of output. It pickles, so that a child process can send it."""

    step: str
    """The asset and its partitions, as messages name them."""
    stream: str
    """`stdout`, `stderr` or `log`."""
    text: str
    level: str | None = None
    """Of a log message."""


LineSink: TypeAlias = Callable[[Line], None]


class _Step:
    """The output of one step."""

    def __init__(self, name: str, sink: LineSink, limit_bytes: int) -> None:
        self._name, self._sink, self._left = name, sink, limit_bytes
        self._cut_bytes = 0
        self._begun: dict[str, str] = {}
        self._lock = threading.RLock()

    def write(self, stream: str, text: str) -> None:
        with self._lock:
            whole = self._begun.pop(stream, "") + text
            *lines, rest = whole.split("\n")
            for line in lines:
                self._tell(stream, line)
            if len(rest) > LINE_CHARACTERS:
                end = (len(rest) - 1) // LINE_CHARACTERS * LINE_CHARACTERS
                self._tell(stream, rest[:end])
                rest = rest[end:]
            if rest:
                self._begun[stream] = rest

    def log(self, level: str, text: str) -> None:
        with self._lock:
            self._tell("log", text, level)

    def end(self) -> None:
        """Tell what is left of lines that were not ended, and how much was cut."""
        with self._lock:
            for stream, rest in self._begun.items():
                self._tell(stream, rest)
            self._begun.clear()
            if self._cut_bytes:
                self._sink(Line(self._name, "cut", f"{self._cut_bytes:,} more bytes of output are not kept"))

    def _tell(self, stream: str, text: str, level: str | None = None) -> None:
        for start in range(0, len(text) or 1, LINE_CHARACTERS):
            part = text[start : start + LINE_CHARACTERS]
            size = len(part.encode("utf-8", "replace")) + 1
            if self._cut_bytes or size > self._left:
                self._cut_bytes += size
            else:
                self._left -= size
                self._sink(Line(self._name, stream, part, level))


_CURRENT: contextvars.ContextVar[_Step | None] = contextvars.ContextVar("deltaworks_step", default=None)


class _StandIn:
    """Stands in for `sys.stdout` or `sys.stderr`; whatever is not written goes to the stream that was there."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name, self.stream = name, stream
        self.users = 0

    def write(self, text: str) -> int:
        shown = _masked(text)
        step = _CURRENT.get()
        if step is not None:
            step.write(self._name, shown)
        self.stream.write(shown)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _Handler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.users = 0

    def emit(self, record: logging.LogRecord) -> None:
        step = _CURRENT.get()
        if step is not None:
            step.log(record.levelname, self.format(record))


class _Records:
    """Makes log records as whoever made them before, without the secrets in them, whichever handler shows them."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self.make = make
        self.users = 0

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self.make(*args, **kwargs)
        if _MASKS:
            _mask(record)
        return record


_HANDLER = _Handler()
_LOCK = threading.Lock()
_MASKS: list[Callable[[str], str]] = []
"""Each takes other secrets out of a text; all of them count for whatever this process tells."""


def _masked(text: str) -> str:
    for mask in tuple(_MASKS):
        text = mask(text)
    return text


def _mask(record: logging.LogRecord) -> None:
    """Take secrets out of the message and the traceback of a record; one that holds none stays as it is."""
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - its arguments do not fit; its handler says so, with a traceback
        return
    if (shown := _masked(message)) != message:
        record.msg, record.args = shown, ()
    if record.exc_info and record.exc_info[1] is not None:
        text = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
        if (shown := _masked(text)) != text:
            record.exc_info, record.exc_text = None, shown


@contextmanager
def capture(step: str, sink: LineSink, limit_bytes: int = STEP_BYTES) -> Generator[None]:
    """Give the sink what the code in this context prints, and what it logs below `deltaworks`.

    It may be used in several threads at once, and in a child process with a sink that sends the lines home.

    Args:
        step: what the lines are of.
        sink: called by the thread that prints.
        limit_bytes: how much is given to it; how much more there was is told in a line at the end.
    """
    with capturing():
        current = _Step(step, sink, limit_bytes)
        token = _CURRENT.set(current)
        try:
            yield
        finally:
            _CURRENT.reset(token)
            current.end()


@contextmanager
def masking(masked: Callable[[str], str]) -> Generator[None]:
    """Take secrets out of what this process prints or logs meanwhile, in any thread, before anybody sees it.

    A secret that is printed in several pieces gets out.
    """
    with capturing():
        with _LOCK:
            _MASKS.append(masked)
        try:
            yield
        finally:
            with _LOCK:
                _MASKS.remove(masked)


@contextmanager
def capturing() -> Generator[None]:
    """Keep the stand-ins in place, so that steps in this context need not put them there one by one."""
    logger = logging.getLogger("deltaworks")
    with _LOCK:
        stand_ins = [_installed("stdout"), _installed("stderr")]
        logger.addHandler(_HANDLER)
        records = _recording()
        used: list[_StandIn | _Handler | _Records] = [*stand_ins, _HANDLER, records]
        for each in used:
            each.users += 1
    try:
        yield
    finally:
        with _LOCK:
            for each in used:
                each.users -= 1
            for stand_in, name in zip(stand_ins, ("stdout", "stderr"), strict=True):
                # Whoever has put another stream there meanwhile keeps it.
                if stand_in.users == 0 and getattr(sys, name) is stand_in:
                    setattr(sys, name, stand_in.stream)
            if _HANDLER.users == 0:
                logger.removeHandler(_HANDLER)
            if records.users == 0 and logging.getLogRecordFactory() is records:
                logging.setLogRecordFactory(records.make)


def _recording() -> _Records:
    """What makes log records; a new one if whoever else runs here has put another one there since."""
    present = logging.getLogRecordFactory()
    if isinstance(present, _Records):
        return present
    records = _Records(present)
    logging.setLogRecordFactory(records)
    return records


def _installed(name: str) -> _StandIn:
    """The stand-in of a stream; a new one if whoever else runs here has put another stream there since."""
    present = getattr(sys, name)
    if isinstance(present, _StandIn):
        return present
    stand_in = _StandIn(name, present)
    setattr(sys, name, stand_in)
    return stand_in
