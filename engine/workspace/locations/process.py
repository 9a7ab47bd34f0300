"""LocationProcess: the process of a code location, as its host has it.

Whoever asks waits for the answer in a thread of its own; one thread reads what the process says. A process that takes
too long, takes too much memory or ends is gone for good, and says why; the host goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any

from deltaworks.engine.workspace.locations.description import own_version
from deltaworks.engine.workspace.locations.spec import LocationSpec
from deltaworks.engine.workspace.locations.values import from_json, to_json
from deltaworks.engine.workspace.locations.wire import WIRE
from deltaworks.errors import DeltaworksError, LocationFailed, RequestError
from deltaworks.io.dtypes import Json
from deltaworks.io.process import held_memory_mb

HELLO_S = 30.0
"""How long an interpreter may take to say what it is."""

_PROGRAM = "from deltaworks.engine.workspace.locations.hello import main; main()"
_DEEDS = {"describe": "to import its modules"}
"""What is asked, as sentences call it."""

_LOOK_S = 0.05
"""How often it is looked how much memory it takes."""
_GRACE_S = 2.0
"""How long it has to end by itself."""
_KEPT_LINES = 20
"""How many of the last lines that it wrote to stderr are kept for the reason of its end."""
_LONGEST_LINE = 2_000

Hear = Callable[[Any], None]

_STARTER = ThreadPoolExecutor(1, thread_name_prefix="deltaworks-location")
"""Starts all of them: Linux ends a process that asks to end with its parent when the thread ends that has started it;
this one lives as long as the host."""


def _start(spec: LocationSpec, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - the interpreter of the settings, with a program of our own
        [spec.python, "-P", "-c", _PROGRAM],
        cwd=spec.folder,
        env=dict(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # what user code starts ends with it
    )


@dataclass
class _Question:
    hear: Hear
    is_answered: threading.Event = field(default_factory=threading.Event)
    answer: Json = None
    problem: Exception | None = None
    """Why what it told could not be heard."""


class LocationProcess:
    """One process."""

    def __init__(self, spec: LocationSpec, base: Mapping[str, str]) -> None:
        """Start it, and make sure that it is understood.

        Args:
            spec: the location.
            base: the variables of whoever starts it.

        Raises:
            LocationFailed: it cannot be started as the settings say, did not start, or has another deltaworks.
        """
        self._spec = spec
        self.knows_others = False
        """Whether it was told what the other locations define."""
        spec.refuse_no_interpreter()
        environ = spec.environ(base)
        try:
            self._process = _STARTER.submit(_start, spec, environ).result()
        except OSError as error:
            raise LocationFailed(spec.name, f"{spec.python} cannot be started ({error.strerror})") from error
        self._last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._asked: dict[int, _Question] = {}
        self._hello = _Question(lambda _: None)
        self._lock, self._number, self._why = threading.Lock(), 0, ""
        self._saying, self._is_silent = threading.Lock(), False
        assert self._process.stdout is not None, "it was asked for"
        assert self._process.stderr is not None, "it was asked for"
        self._threads = [
            threading.Thread(target=self._hear, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._drain, args=(self._process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        try:
            self._verify(self._wait(self._hello, HELLO_S, "to say what it is", None))
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or is not understood any more."""
        return self._is_silent or self._process.poll() is not None

    def ask(
        self,
        what: str,
        told: Mapping[str, Any],
        hear: Hear = lambda _: None,
        *,
        timeout_s: float | None = None,
        memory_mb: float | None = None,
    ) -> Any:
        """Ask something, and wait for the answer.

        Args:
            what: the question.
            told: what it is told.
            hear: receives what it tells meanwhile, in another thread.
            timeout_s: how long it may take; none: as long as it likes. It is ended then.
            memory_mb: how much memory the process may hold meanwhile; none: as much as there is.

        Raises:
            LocationFailed: the process ended, or was ended, or its code is wrong.
            RequestError: it refused, since what it was asked makes no sense.
            DeltaworksError: it could not do what it was asked.
            Exception: what `hear` raised.
        """
        question = _Question(hear)
        with self._lock:
            self._number += 1
            number = self._number
            self._asked[number] = question
            if self._is_silent:
                question.is_answered.set()
        self._say({"number": number, "ask": what, "told": to_json(dict(told))})
        try:
            answer = self._wait(question, timeout_s, _DEEDS.get(what, f"to {what}"), memory_mb)
        finally:
            with self._lock:
                del self._asked[number]
        if "error" in answer:
            raise self._error(answer["error"], what)
        return from_json(answer["answer"])

    def stop(self, *, is_urgent: bool, reason: str | None) -> None:
        """Ask the runs to end that go on there."""
        self._say({"ask": "stop", "urgent": is_urgent, "reason": reason})

    def end(self) -> None:
        """Make sure that it is gone, and what it has started."""
        with contextlib.suppress(OSError):  # it is over already
            assert self._process.stdin is not None, "it was asked for"
            self._process.stdin.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of what has ended
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for thread in self._threads:
            thread.join(_GRACE_S)  # what user code has started in a session of its own may hold stderr for ever

    def _say(self, document: Json) -> None:
        assert self._process.stdin is not None, "it was asked for"
        line = json.dumps(document, separators=(",", ":")).encode() + b"\n"
        with contextlib.suppress(OSError), self._saying:  # it is over, as will be seen
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def _wait(self, question: _Question, timeout_s: float | None, what: str, most_mb: float | None) -> Json:
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not question.is_answered.wait(_LOOK_S):
            if deadline_s is not None and time.monotonic() > deadline_s:
                self._give_up(f"it took longer than {timeout_s:g} s {what}")
            if most_mb is not None and (taken_mb := held_memory_mb(self._process.pid)) > most_mb:
                self._give_up(f"it took {taken_mb:,.0f} MB of memory {what}, more than memory_mb={most_mb:g}")
        if question.problem is not None:
            raise question.problem
        if question.answer is None:
            raise LocationFailed(self._spec.name, self._why or self._ending())
        return question.answer

    def _give_up(self, why: str) -> None:
        self._why = why
        self.end()
        raise LocationFailed(self._spec.name, why)

    def _hear(self, out: IO[bytes]) -> None:
        """Read what the process says until it has ended; whoever waits then waits for nothing."""
        with out:
            for line in out:
                try:
                    said: Json = json.loads(line)
                    question = self._hello if "wire" in said else self._asked.get(said["number"])
                except (ValueError, KeyError, TypeError):
                    self._why = "it said something on its stdout that is no answer; it is no process of deltaworks"
                    break
                if question is not None:
                    _take_in(question, said)
            with self._lock:
                self._is_silent = True
                for each in (self._hello, *self._asked.values()):
                    each.is_answered.set()

    def _drain(self, err: IO[bytes]) -> None:
        """Read what user code prints, so that it never waits for a reader; of it, the last lines are kept."""
        with err:
            while line := err.readline(_LONGEST_LINE):
                text = line.decode(errors="replace").strip()
                if text:
                    self._last_lines.append(text)

    def _ending(self) -> str:
        """Say how it ended."""
        try:
            code = self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            return "its process closed the connection"
        self._threads[1].join(_GRACE_S)
        lines = list(self._last_lines)
        if any("No module named 'deltaworks" in line for line in lines):
            return f"its interpreter {self._spec.python} has no deltaworks that knows code locations"
        last = f": {lines[-1]}" if lines else ""
        if code < 0:
            hint = ", as happens when memory runs out" if -code == signal.SIGKILL else ""
            return f"its process was killed by signal {-code}{hint}"
        return f"its process ended with exit code {code}{last}"

    def _verify(self, hello: Json) -> None:
        here, there = own_version(), str(hello.get("deltaworks"))
        if hello.get("wire") != WIRE or here.split(".")[:2] != there.split(".")[:2]:
            raise LocationFailed(
                self._spec.name,
                f"its interpreter has deltaworks {there}, and this is deltaworks {here}; install the same in both",
            )

    def _error(self, error: Json, what: str) -> DeltaworksError:
        if what == "describe":
            return LocationFailed(
                self._spec.name, error["message"], where=from_json(error.get("where")), asset=error.get("asset")
            )
        if error["is_bad"]:
            return RequestError(error["message"])
        return DeltaworksError(error["message"])


def _take_in(question: _Question, said: Json) -> None:
    """Give what a process said to whoever asked; one who cannot hear it waits no longer, and the others do."""
    if "event" not in said:
        question.answer = said
        question.is_answered.set()
    elif question.problem is None:
        try:
            question.hear(from_json(said["event"]))
        except Exception as error:  # noqa: BLE001 - whoever asked raises it
            question.problem = error
            question.is_answered.set()
