"""RunPool: the processes that carry runs out, each one run, some of them loaded and waiting beforehand.

A run is what the command line would do: a process that waits is told the arguments of a command and carries it out. So
there is one way to run something, whoever asks for it, and whatever a run does, it does to its own process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any

from deltaworks.engine.automation.launches import Launch

_SHOWN_BYTES = 4_000
"""How much of what a process wrote to stderr is looked at for the reason of its end."""

WARM_S = 600.0
"""How long after the last run a process is kept loaded and waiting: an idle daemon keeps none."""


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What a process is to do."""

    launch: Launch
    arguments: tuple[str, ...]
    """Of the command."""
    config: Mapping[str, Any]
    """What its `--config` is to say."""
    since: str
    """The day on which the tick was asked about."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A process that has ended."""

    order: RunOrder
    code: int
    said: str
    """The last line that it wrote to stderr."""

    def is_refusal(self, number: int) -> bool:
        """Return whether the launch of a number ended by itself and as one that failed: what it said is why."""
        return self.order.launch.number == number and self.code > 0


class RunPool:
    """The processes of one daemon."""

    def __init__(self, program: Sequence[str], environ: Mapping[str, str], most: int, warm: int) -> None:
        """Begin without any process.

        Args:
            program: what a process runs: it loads the project, reads a line from stdin, and does what that says.
            environ: the variables of the processes.
            most: how many runs there are at once.
            warm: how many processes wait for the next run.
        """
        self._program, self._environ, self._most, self._warm = tuple(program), dict(environ), most, warm
        self._waiting: list[_Runner] = []
        self._running: list[_Runner] = []
        self._queue: dict[str, RunOrder] = {}
        """By run."""
        self._last_run_s: float | None = None
        """When a run was begun last; before the first one, when this began."""

    @property
    def running(self) -> tuple[RunOrder, ...]:
        """What is being carried out."""
        return tuple(each.order for each in self._running if each.order is not None)

    @property
    def queued(self) -> tuple[RunOrder, ...]:
        """What waits until another run has ended."""
        return tuple(self._queue.values())

    @property
    def waiting(self) -> int:
        """How many processes wait for the next run."""
        return len(self._waiting)

    def has_queued(self, run_id: str) -> bool:
        """Return whether a run waits until another one has ended."""
        return run_id in self._queue

    @property
    def is_idle(self) -> bool:
        """Whether nothing is carried out."""
        return not self._running

    def submit(self, order: RunOrder) -> None:
        """Carry something out as soon as there is room."""
        self._queue[order.launch.run_id] = order

    def drop_queued(self) -> None:
        """Carry out nothing more than what has begun."""
        self._queue.clear()

    def poll(self) -> list[RunEnded]:
        """Return what has ended."""
        return [
            RunEnded(runner.order, code, runner.said()) for runner, code in self._ended() if runner.order is not None
        ]

    def start(self, now_s: float) -> None:
        """Begin what there is room for, and see to the processes that wait.

        Raises:
            OSError: a process could not be started; what it was to do is begun the next time.
        """
        if self._last_run_s is None:
            self._last_run_s = now_s
        while self._queue and len(self._running) < self._most:
            order = next(iter(self._queue.values()))
            self._begin(order)
            del self._queue[order.launch.run_id]
            self._last_run_s = now_s
        self._waiting = [each for each in self._waiting if each.poll() is None]
        is_warm = now_s - self._last_run_s < WARM_S
        if is_warm and len(self._waiting) < self._warm:
            self._waiting.append(_Runner(self._program, self._environ))
        elif not is_warm:
            self._dismiss()

    def reload(self) -> None:
        """Dismiss the processes that wait: what they have loaded is not what there is now."""
        self._dismiss()

    def terminate(self) -> None:
        """Ask every run to cancel itself."""
        for each in self._running:
            each.signal(signal.SIGTERM)

    def close(self) -> None:
        """Dismiss the processes that wait; those that carry something out go on."""
        self._dismiss()

    def _begin(self, order: RunOrder) -> None:
        while self._waiting:
            runner = self._waiting.pop(0)
            if runner.tell(order):
                self._running.append(runner)
                return
        runner = _Runner(self._program, self._environ)
        runner.tell(order)
        self._running.append(runner)

    def _ended(self) -> list[tuple[_Runner, int]]:
        over = [(each, code) for each in self._running if (code := each.poll()) is not None]
        self._running = [each for each in self._running if each not in {runner for runner, _ in over}]
        return over

    def _dismiss(self) -> None:
        for each in self._waiting:
            each.dismiss()
        self._waiting = []


class _Runner:
    """One process."""

    def __init__(self, program: Sequence[str], environ: Mapping[str, str]) -> None:
        self.order: RunOrder | None = None
        self._written: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it goes with this object
        try:
            self._process = subprocess.Popen(  # noqa: S603 - a program of our own
                program,
                env=dict(environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._written,
                start_new_session=True,  # neither Ctrl-C nor the end of the daemon is the run's
            )
        except OSError:
            self._written.close()
            raise

    def tell(self, order: RunOrder) -> bool:
        """Tell the process what to do, and return whether it was there to hear it."""
        self.order = order
        line = json.dumps(asdict(order))
        assert self._process.stdin is not None, "it was asked for"
        try:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.close()
        except OSError:
            return False
        return self._process.poll() is None

    def poll(self) -> int | None:
        return self._process.poll()

    def said(self) -> str:
        """Return the last line that it wrote to stderr, once it has ended."""
        with self._written as written:
            size = written.seek(0, os.SEEK_END)
            written.seek(max(0, size - _SHOWN_BYTES))
            lines = written.read().decode(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("error: ") if lines else ""

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self._process.pid, number)

    def dismiss(self) -> None:
        """End the process, which has been told nothing."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._written.close()
        if self._process.stdin is not None:
            self._process.stdin.close()
