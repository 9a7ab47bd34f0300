"""Launches: which processes have begun a run that a tick asked for, and how far that run is.

A daemon that is held up for long, and wakes up, must not start a run once more that another one has started for it. So
a process that is to carry out a run puts an object first, below the claims of the tick, with a number: one more than
the launch that was seen to be lost. If it is there, somebody else was faster, and the process ends without a word.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from enum import Enum

from deltaworks.io.dtypes import Json
from deltaworks.io.ledger import LOST_AFTER_S, RunEntry, read_run_at
from deltaworks.io.process import Process
from deltaworks.io.store import Store
from deltaworks.io.ticks import CLAIMS

MOST_LAUNCHES = 3
"""How often a run is launched whose processes are lost one after the other."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One try to begin a run."""

    name: str
    """Of the schedule or sensor."""
    tick_id: str
    run_id: str
    number: int

    @property
    def folder(self) -> str:
        """Where the launches of the run lie."""
        return f"{CLAIMS}/{self.name}/{self.tick_id}/{self.run_id}"


class RunState(Enum):
    """How far a run is that a tick asked for."""

    AWAITED = "awaited"
    """No process has begun it."""
    BEGUN = "begun"
    """A process is at it."""
    LOST = "lost"
    """The process that was at it is gone."""
    OVER = "over"
    """It has ended, one way or the other."""


@dataclass(frozen=True, slots=True)
class RunLook:
    """What is seen of a run."""

    state: RunState
    launches: int
    """How many there were."""
    entry: RunEntry | None = None


def begin_launch(store: Store, launch: Launch, since: dt.date, until: dt.date) -> bool:
    """Begin a run in this process, unless another one has.

    Args:
        store: the lake.
        launch: which launch this is.
        since: the day on which the tick was asked about.
        until: today.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    who = {"process": asdict(Process.current()), "day": until.isoformat()}
    if not store.put_new_surely(f"{launch.folder}/{launch.number:04d}.json", json.dumps(who).encode()):
        return False
    # The claims of a tick are deleted when all of it is over; what it was is in the ledger then.
    entry = find_run_entry(store, launch.run_id, since, until)
    return entry is None or (not entry.status.is_over and launch.number > 1)


def find_run_entry(store: Store, run_id: str, since: dt.date, until: dt.date) -> RunEntry | None:
    """Return the entry of a run that began on one of some days; none if there is none.

    Raises:
        StorageError: it is damaged.
    """
    day = since - dt.timedelta(days=1)
    while day <= until + dt.timedelta(days=1):
        entry = read_run_at(store, run_id, day.isoformat())
        if entry is not None:
            return entry
        day += dt.timedelta(days=1)
    return None


class RunSigns:
    """The signs of life of runs, as one daemon sees them on its own clock."""

    def __init__(self, store: Store) -> None:
        """Begin with nothing seen."""
        self._store = store
        self._signs: dict[str, tuple[str, float]] = {}
        """By run: its last sign of life, and when that was first seen."""

    def look(self, launch: Launch, since: dt.date, now: dt.datetime, running_s: float) -> RunLook:
        """Return how far a run is.

        Args:
            launch: a launch of it, of any number.
            since: the day on which its tick was asked about.
            now: tells on which days it may have begun.
            running_s: a clock that nobody turns.

        Raises:
            StorageError: the lake cannot be read.
        """
        found = sorted(self._store.list(launch.folder))
        begun = [_begun(self._store.read(path)) for path in found]
        # Whatever the clock of this process shows now, a run began on the day that its process saw.
        days = {since, now.date(), *(day for _, day in begun if day is not None)}
        entry = find_run_entry(self._store, launch.run_id, min(days), max(days))
        if entry is not None and entry.status.is_over:
            return RunLook(RunState.OVER, len(found), entry)
        if not found:
            return RunLook(RunState.AWAITED, 0, entry)
        holder, _ = begun[-1]
        sign = f"{len(found)} {None if entry is None else entry.heartbeat_at}"
        if holder is not None and holder.is_gone():
            return RunLook(RunState.LOST, len(found), entry)
        return RunLook(
            RunState.LOST if self._is_silent(launch.run_id, sign, running_s) else RunState.BEGUN, len(found), entry
        )

    def forget(self, run_id: str) -> None:
        """Forget a run that is over."""
        self._signs.pop(run_id, None)

    def _is_silent(self, run_id: str, sign: str, running_s: float) -> bool:
        if self._signs.get(run_id, ("", 0.0))[0] != sign:
            self._signs[run_id] = sign, running_s
        return running_s - self._signs[run_id][1] > LOST_AFTER_S


def _begun(content: bytes | None) -> tuple[Process | None, dt.date | None]:
    """Return which process has begun a run, and on which day by its clock; none: the object does not say."""
    try:
        who: Json = json.loads(content or b"")
        return Process(**who["process"]), dt.date.fromisoformat(who["day"])
    except (ValueError, TypeError, KeyError):
        return None, None
