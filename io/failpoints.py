"""Failpoints: named steps of the write path and of ticks, at which a test lets the process die, fail or wait.

Nothing happens at any of them unless the environment variable `DELTAWORKS_FAILPOINTS` was set when this module was
imported, or a test acts in the same process. Passing one costs a tenth of a microsecond, and the steps of a commit of
50 partitions pass about a hundred.

The variable holds `step=action`, several of them apart by semicolons. An action is `kill`, `full` (as on a full disk),
`raise` or `sleep:<seconds>`; `@<n>` behind it: only the n-th time that the process comes to the step, counted from 1.
So `commit.before_put=kill@2` kills the process when it is about to commit for the second time.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from deltaworks.errors import InvalidSettings, StorageError

VARIABLE = "DELTAWORKS_FAILPOINTS"


class Step(StrEnum):
    """Where something may happen, in the order in which a run comes there; ticks last."""

    PLANNED = "run.planned"
    """It is decided what to make; nobody knows of the run."""
    LEDGER = "ledger.before_put"
    """The run's entry is about to be written, when it is queued, begins, goes on and ends."""
    TURN = "run.turn"
    """It holds its place among other runs."""
    CALL = "call.before"
    """A call begins."""
    WRITTEN = "stage.written"
    """A call's files are written, and not judged."""
    JUDGED = "stage.judged"
    """They are judged and synced, and the coordinator does not know of it."""
    CREATING = "create.before"
    """A table is about to be created."""
    CREATED = "create.after"
    """It has its first version, without rows."""
    BEFORE_SYNC = "commit.before_sync"
    """The names of the data files of a commit are not synced."""
    AFTER_SYNC = "commit.after_sync"
    """They are."""
    BEFORE_PUT = "commit.before_put"
    """The commit is about to be put."""
    AFTER_PUT = "commit.after_put"
    """It is there, and the process has not taken note of it."""
    COMMITTED = "commit.acknowledged"
    """The run knows of it and has told it."""
    ENDING = "run.ending"
    """Everything is made, and the ledger says that the run goes on."""
    INDEX = "index.before_write"
    """A table's index is about to be written."""
    INDEX_HALF = "index.half"
    """One of its two files is."""
    CHECKPOINT = "checkpoint.before"
    """A checkpoint is about to be written."""
    CHECKPOINTED = "checkpoint.after"
    """It is there."""
    CLAIMED = "tick.claimed"
    """A daemon has claimed a tick, and asks nobody about it."""
    BEFORE_DECISION = "tick.before_decision"
    """What the tick asks for is known, and not recorded."""
    DECIDED = "tick.decided"
    """It is recorded, and not carried out."""
    BEFORE_MARK = "tick.before_mark"
    """The schedule or sensor is not moved on past it."""
    MARK_HALF = "tick.mark_half"
    """It is moved on, and the mark before it is there too."""
    LAUNCH = "launch.before"
    """A process is about to say that it begins a run."""
    LAUNCHED = "launch.claimed"
    """It has said so, and the run is not in the ledger."""
    BEFORE_CLOSE = "tick.before_close"
    """Everything is over, and the tick's claims are there."""


Act = Callable[[Step], None]

_ACTS: list[Act] = []


def hit(step: Step) -> None:
    """Come to a step."""
    for act in _ACTS:
        act(step)


@contextmanager
def acting(act: Act) -> Generator[None]:
    """Have something done at every step that this process comes to."""
    _ACTS.append(act)
    try:
        yield
    finally:
        _ACTS.remove(act)


@dataclass(frozen=True, slots=True)
class Failpoint:
    """What happens at a step."""

    step: Step
    action: str
    seconds: float
    """How long it waits, if it does."""
    number: int | None
    """Which time; none: every time."""

    def act(self) -> None:
        """Let it happen."""
        match self.action:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "full":
                full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                raise StorageError(f"cannot write at {self.step}: {full.strerror}") from full
            case "raise":
                raise RuntimeError(f"raised at {self.step}")
            case _:
                time.sleep(self.seconds)


@dataclass
class Failpoints:
    """What happens at which steps; threads share it."""

    points: tuple[Failpoint, ...]
    _counts: Counter[Step] = field(default_factory=Counter[Step])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def parse(cls, text: str) -> Failpoints:
        """Read what the environment variable says.

        Raises:
            InvalidSettings: it names no step or action that there is.
        """
        return cls(tuple(_parse(each.strip()) for each in text.split(";") if each.strip()))

    def __call__(self, step: Step) -> None:
        """Let happen what is to happen at a step."""
        with self._lock:
            self._counts[step] += 1
            count = self._counts[step]
        for point in self.points:
            if point.step is step and point.number in (None, count):
                point.act()


_POINT = re.compile(r"(?P<step>[a-z_.]+)=(?P<action>kill|full|raise|sleep:(?P<seconds>\d+(\.\d+)?))(@(?P<number>\d+))?")


def _parse(text: str) -> Failpoint:
    found = _POINT.fullmatch(text)
    if found is None or found["step"] not in set(Step):
        raise InvalidSettings(
            f"environment variable {VARIABLE}: {text!r} is no failpoint; expected step=action, where the action is "
            f"kill, full, raise or sleep:<seconds>, and @<n> may follow it; the steps are {', '.join(Step)}"
        )
    action, _, _ = found["action"].partition(":")
    number = None if found["number"] is None else int(found["number"])
    return Failpoint(Step(found["step"]), action, float(found["seconds"] or 0), number)


if os.environ.get(VARIABLE):
    _ACTS.append(Failpoints.parse(os.environ[VARIABLE]))
