"""Children: the processes in which calls can be ended, whatever they do.

Each carries out one task at a time and is used again for the next one. A child that dies or is ended takes its own
task with it and nothing else; another takes its place when the next task comes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from multiprocessing import Pipe
from typing import Any, Generic

from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.execution.stop import GRACE_S
from deltaworks.engine.execution.workers.capture import Line, LineSink
from deltaworks.engine.execution.workers.child import Done, Instructions, Ready, Said, Unfit
from deltaworks.engine.execution.workers.executor import Errand, R, T
from deltaworks.errors import CallOutOfMemory, CallTimedOut, CannotLoad, WorkerDied
from deltaworks.io.process import held_memory_mb

START_S = 120.0
"""How long a child may take to load the project; the run has loaded it before."""

CLOSE_S = 1.0
"""How long those have to end that still work when a run ends: a canceled run has given their calls time before."""

_LOOK_S = 0.25
"""How often it is seen to that a child lives; its outcome and its end are seen at once."""

_WEIGH_S = 0.05
"""How often the memory of a child is looked at that has a limit."""

_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; from deltaworks.engine.execution.workers.child import serve; serve({fd})"
)


class Children(Generic[T, R]):
    """The processes of one run; threads share them."""

    def __init__(
        self,
        make: Callable[[], Callable[[T], R]],
        environ: Mapping[str, str],
        limits_of: Callable[[T], Limits],
        count: int,
        sink: LineSink,
        log_level: int | None = None,
    ) -> None:
        """Begin without any process.

        Args:
            make: loads the project in a child; it pickles.
            environ: the variables of the children.
            limits_of: how far the call of a task may go.
            count: how many children there are at once, which share the processors.
            sink: takes what their calls print, in any thread.
            log_level: from which on they pass on what is logged; none: from that of this process.
        """
        self._make, self._limits_of, self._sink = make, limits_of, sink
        self._environ = {"POLARS_MAX_THREADS": str(max(1, processors() // count)), **environ}
        self._log_level = logging.getLogger("deltaworks").level if log_level is None else log_level
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._is_closed = False
        self._lock = threading.Lock()

    def carry_out(self, task: T) -> R:
        """Carry a task out in a child.

        Raises:
            CallTimedOut: it took longer than it may.
            CallOutOfMemory: it took more memory than it may.
            WorkerDied: the child ended, or could not load the project.
        """
        limits = self._limits_of(task)
        with self._taken(task.where, limits) as child:
            outcome: R = child.carry_out(task, limits)
        return outcome

    def prepare(self, where: str) -> None:
        """Let a child load the project, before there is a task for it; `where`: for whom, for messages.

        Raises:
            CannotLoad: it cannot.
            WorkerDied: it ends meanwhile, or does not in time.
        """
        with self._taken(where, Limits()):
            return

    def close(self) -> None:
        """End all children, whatever they do."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for child in self._at_work():
            child.terminate()
        for child in idle:
            child.dismiss()  # all at once; each takes a moment
        for child in idle:
            child.end()
        deadline_s = time.monotonic() + CLOSE_S
        while self._at_work() and time.monotonic() < deadline_s:
            time.sleep(_WEIGH_S)
        for child in self._at_work():
            child.kill()

    @contextmanager
    def _taken(self, where: str, limits: Limits) -> Generator[_Child]:
        """Take a child that is ready; what is raised meanwhile ends it."""
        child = self._take(where, limits)
        try:
            child.get_ready(where)
            yield child
        except BaseException:
            child.end()
            with self._lock:
                self._busy.discard(child)
            raise
        self._give_back(child)

    def _at_work(self) -> list[_Child]:
        with self._lock:
            return list(self._busy)

    def _take(self, where: str, limits: Limits) -> _Child:
        with self._lock:
            if self._is_closed:
                raise WorkerDied(where, "the run was over before its call began")
            child = self._idle.pop() if self._idle else None
            if child is None or not child.is_fit_for(limits):
                stale, child = child, _Child(self._make, self._environ, self._sink, self._log_level)
            else:
                stale = None
            self._busy.add(child)
        if stale is not None:
            stale.end()
        return child

    def _give_back(self, child: _Child) -> None:
        with self._lock:
            self._busy.discard(child)
            if not self._is_closed:
                self._idle.append(child)
                return
        child.end()


class _Child:
    """One process, with the thread that drives it at the other end of its wire."""

    def __init__(
        self, make: Callable[[], Callable[[Any], Any]], environ: Mapping[str, str], sink: LineSink, log_level: int
    ) -> None:
        self._sink = sink
        self._wire, theirs = Pipe()
        with theirs:
            program = _PROGRAM.format(path=sys.path, fd=theirs.fileno())
            # A fresh interpreter: Polars starts threads when it is imported, so whatever has it must not be forked.
            self._process = subprocess.Popen(  # noqa: S603 - this very interpreter, with arguments of its own
                [sys.executable, "-P", *["-O"] * sys.flags.optimize, "-c", program],
                env=dict(environ),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is the coordinator's; what user code starts ends with its child
            )
        self._instructions: Instructions | None = Instructions(make, log_level)

    def is_fit_for(self, limits: Limits) -> bool:
        """Return whether it lives, and holds little enough memory for what comes next."""
        if self._process.poll() is not None:
            return False
        return limits.memory_mb is None or held_memory_mb(self._process.pid) <= limits.memory_mb / 2

    def get_ready(self, where: str) -> None:
        """Let the child load the project, the first time.

        Raises:
            CannotLoad: it cannot.
            WorkerDied: it ends meanwhile, or does not in time.
        """
        if self._instructions is None:
            return
        self._send(where, self._instructions)
        late = f"its worker process did not load the project within {START_S:g} s, and was ended"
        said = self._hear(where, Limits(START_S), WorkerDied(where, late))
        if isinstance(said, Unfit):
            raise CannotLoad(where, f"its worker process cannot load the project: {said.reason}")
        assert isinstance(said, Ready), "a child is ready, or says why not"
        self._instructions = None

    def carry_out(self, task: Errand, limits: Limits) -> Any:
        """Send a task and wait for what comes of it; see `Children.carry_out` for what it raises."""
        self._send(task.where, task)
        said = self._hear(task.where, limits, CallTimedOut(task.where, limits.timeout_s or 0))
        assert isinstance(said, Done), "a child that is ready says what comes of its tasks"
        return said.outcome

    def dismiss(self) -> None:
        """Let the process end as Python programs do, once it has nothing to do."""
        with contextlib.suppress(OSError):  # it is gone already
            self._wire.send(None)

    def terminate(self) -> None:
        """Ask the process, and what it has started, to end at once."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process, and what it has started, whether they want to or not."""
        self._signal(signal.SIGKILL)

    def end(self) -> None:
        """Make sure that the process is gone, and what it has started."""
        self.dismiss()
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self.kill()  # what it has started may not have heard
        self._wire.close()

    def _send(self, where: str, told: Instructions | Errand) -> None:
        try:
            self._wire.send(told)
        except OSError as error:
            raise self._death(where) from error

    def _hear(self, where: str, limits: Limits, too_late: Exception) -> Said:
        """Wait for the next thing that the child says, but for what it prints and logs, which is passed on."""
        deadline_s = None if limits.timeout_s is None else time.monotonic() + limits.timeout_s
        look_s = _LOOK_S if limits.memory_mb is None else _WEIGH_S
        while True:
            left_s = look_s if deadline_s is None else deadline_s - time.monotonic()
            if left_s <= 0:
                self.terminate()
                raise too_late
            if self._wire.poll(min(look_s, left_s)):
                said = self._read(where)
                if isinstance(said, logging.LogRecord):
                    logging.getLogger(said.name).handle(said)
                elif isinstance(said, Line):
                    self._sink(said)
                else:
                    return said
            elif self._process.poll() is not None and not self._wire.poll():
                raise self._death(where)  # what user code has started may hold its end of the wire
            if limits.memory_mb is not None:
                self._weigh(where, limits.memory_mb)

    def _read(self, where: str) -> Said:
        try:
            said: Said = self._wire.recv()
        except (EOFError, OSError) as error:
            raise self._death(where) from error
        return said

    def _weigh(self, where: str, memory_mb: float) -> None:
        taken_mb = held_memory_mb(self._process.pid)
        if taken_mb > memory_mb:
            self.kill()  # while it is asked to end it would take more
            raise CallOutOfMemory(where, memory_mb, taken_mb)

    def _death(self, where: str) -> WorkerDied:
        try:
            code = self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return WorkerDied(where, "its worker process closed the connection to the run, and was ended")
        self.kill()
        if code >= 0:
            return WorkerDied(where, f"the worker process ended with exit code {code}")
        hint = ", as happens when memory runs out" if -code == signal.SIGKILL else ""
        return WorkerDied(where, f"the worker process was killed by signal {-code} ({_signal_name(-code)}){hint}")

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of what has ended
            os.killpg(self._process.pid, number)


def _signal_name(number: int) -> str:
    known = {each.value: each.name for each in signal.Signals}
    return known.get(number, "unknown")


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
