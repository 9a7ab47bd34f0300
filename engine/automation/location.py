"""Location: the code location as the daemon sees it: a process that answers questions, and that can be replaced.

Nothing here waits. A question that takes too long is given up; the process that still works on it gets no new ones and
is ended as soon as its other questions are answered or given up too, while another one is started in its place.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from deltaworks.engine.automation.location_process import Answer, Load, Loaded, NotLoaded, Question, Told
from deltaworks.engine.automation.watch import Watched
from deltaworks.engine.definitions.automation.tick import Tick

LOAD_S = 120.0
"""How long loading the project may take."""

AGAIN_S = 5.0
"""How long after a project could not be loaded it is tried again."""

_ENDING_S = 0.5
"""How long a process that has closed its wire has to end by itself, so that it can be said how."""

MOST_ASKED = 64
"""How many questions are out at a time."""

_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; from deltaworks.engine.automation.location_process import serve; serve({fd})"
)


class Location:
    """The code location of a daemon."""

    def __init__(self, load: Load, environ: Mapping[str, str]) -> None:
        """Begin without a process; `hear` starts one.

        Args:
            load: loads the project in the process.
            environ: the variables of the process.
        """
        self._load = load
        # Its functions say what should run; they do not compute.
        self._environ = {"POLARS_MAX_THREADS": "1", **environ}
        self._process: _Process | None = None
        self._old: list[_Process] = []
        self._again_s = 0.0
        self._numbers = 0
        self.watched: tuple[Watched, ...] | None = None
        """What the project has, as it was loaded last; none: it has never been."""
        self.fault: str | None = None
        """Why it could not be loaded; none: it could, or it is being tried."""
        self.problems: tuple[str, ...] = ()
        """Why some of it was not loaded the last time, where the rest was."""
        self.loads = 0
        """How often it has been loaded."""

    @property
    def is_free(self) -> bool:
        """Whether a question can be asked."""
        return self._process is not None and self._process.is_ready and len(self._process.asked) < MOST_ASKED

    @property
    def pid(self) -> int | None:
        """The id of its process; none: it has none now."""
        return None if self._process is None else self._process.pid

    @property
    def wires(self) -> Sequence[Connection]:
        """What becomes readable when there is something to hear."""
        return [each.wire for each in self._all()]

    def ask(self, tick: Tick, timeout_s: float, now_s: float) -> int:
        """Ask about a tick, and return the number of the question; only while `is_free`."""
        assert self._process is not None, "whoever asks has seen that it is free"
        self._numbers += 1
        self._process.ask(Question(self._numbers, tick), timeout_s, now_s)
        return self._numbers

    def hear(self, now_s: float) -> list[Answer]:
        """Return the answers that are there, and those that there will never be.

        Args:
            now_s: a clock that nobody turns.
        """
        if self._process is None and now_s >= self._again_s:
            self._start(now_s)
        answers: list[Answer] = []
        for process in self._all():
            for told in process.hear():
                match told:
                    case Loaded(watched, problems):
                        self.problems = problems
                        self.watched, self.fault, self.loads = watched, None, self.loads + 1
                    case NotLoaded(reason):
                        self._give_up(process, reason, now_s)
                    case Answer():
                        answers.append(told)
            answers += self._late(process, now_s)
        for process in [each for each in self._old if not each.asked]:
            process.end()
            self._old.remove(process)
        return answers

    def reload(self) -> None:
        """Load the project anew, in another process; what is asked already is answered by the one that there is."""
        if self._process is not None:
            self._old.append(self._process)
            self._process = None
        self._again_s = 0.0

    def close(self) -> None:
        """End its processes, whatever they do."""
        for process in self._all():
            process.end()
        self._process, self._old = None, []

    def _start(self, now_s: float) -> None:
        try:
            self._process = _Process(self._load, self._environ, now_s)
        except OSError as error:  # the machine has no room for it now
            self.fault, self._again_s = f"its process could not be started ({error})", now_s + AGAIN_S

    def _all(self) -> list[_Process]:
        return [*self._old, *([] if self._process is None else [self._process])]

    def _late(self, process: _Process, now_s: float) -> list[Answer]:
        """Give up what takes too long, or what a process took with it when it ended."""
        late = process.late(now_s)
        if process.is_over:
            why = f"the process of the code location {process.ending} before it answered"
            lost = [Answer(number, None, why) for number in process.asked]
            process.asked.clear()
            if not process.is_ready and process is self._process:
                self._give_up(process, f"its process {process.ending} while it was loaded", now_s)
            self._replace(process)
            return lost
        if late and process is self._process:
            self._replace(process)
        if not process.is_ready and process is self._process and now_s - process.started_s > LOAD_S:
            self._give_up(process, f"it took longer than {LOAD_S:g} s to load", now_s)
        return [
            Answer(number, None, f"it ran longer than timeout_s={limit:g}, and was given up") for number, limit in late
        ]

    def _replace(self, process: _Process) -> None:
        if process is self._process:
            self._process = None
        if process not in self._old:
            self._old.append(process)

    def _give_up(self, process: _Process, reason: str, now_s: float) -> None:
        self.fault, self._again_s = reason, now_s + AGAIN_S
        self._replace(process)


class _Process:
    """One process, and what it has been asked."""

    def __init__(self, load: Load, environ: Mapping[str, str], now_s: float) -> None:
        self.wire, theirs = Pipe()
        with theirs:
            program = _PROGRAM.format(path=sys.path, fd=theirs.fileno())
            self._process = subprocess.Popen(  # noqa: S603 - this very interpreter, with arguments of its own
                [sys.executable, "-P", *["-O"] * sys.flags.optimize, "-c", program],
                env=dict(environ),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # what user code starts ends with it
            )
        self.pid, self.started_s, self.is_ready, self.is_over = self._process.pid, now_s, False, False
        self._unread = ""
        """Why what it told could not be read; nothing: it could."""
        self.asked: dict[int, tuple[float, float]] = {}
        """By number: until when an answer is waited for, and how long that was."""
        with contextlib.suppress(OSError):  # it is over already, as will be seen
            self.wire.send(load)

    @property
    def ending(self) -> str:
        """How it ended, for a sentence."""
        if self._unread:
            return f"was ended since it told what cannot be read ({self._unread})"
        code = self._process.poll()
        return f"ended with signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"

    def ask(self, question: Question, timeout_s: float, now_s: float) -> None:
        self.asked[question.number] = now_s + timeout_s, timeout_s
        with contextlib.suppress(OSError):  # it is over, as will be seen
            self.wire.send(question)

    def hear(self) -> list[Told]:
        """Return what it has told since."""
        told: list[Told] = []
        try:
            while self.wire.poll():
                said: Told = self.wire.recv()
                if isinstance(said, Answer) and self.asked.pop(said.number, None) is None:
                    continue  # given up already
                self.is_ready = self.is_ready or isinstance(said, Loaded)
                told.append(said)
        except (EOFError, OSError):
            if not self.is_over:
                self.is_over = True
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_ENDING_S)
                self._end()
        except Exception as error:  # noqa: BLE001 - what user code made is unpickled by its class, which may do anything
            self._unread = f"{type(error).__name__}: {error}"
            self.is_over = True
            self._end()
        return told

    def late(self, now_s: float) -> list[tuple[int, float]]:
        """Give up the questions whose time is over, and return their numbers and how long that was."""
        late = [(number, limit) for number, (until_s, limit) in self.asked.items() if now_s >= until_s]
        for number, _ in late:
            del self.asked[number]
        return late

    def end(self) -> None:
        """Make sure that it is gone, and what it has started."""
        if not self.is_over:
            self.is_over = True
            self._end()
        self.wire.close()

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of what has ended
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
