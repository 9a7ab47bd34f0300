"""Launches: which processes have begun a run that a tick asked for, and how far that run is.

A daemon that is held up for long, and wakes up, must not start a run once more that another one has started for it. So
a process that is to carry out a run puts an object first, below the claims of the tick, with a number: one more than
the launch before. If it is there, somebody else was faster, and the process ends without a word; likewise if all of
the tick is over by now. While the process is at the run it says so in its object, and at the end, if the run has not
begun, why not.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
from dataclasses import asdict, dataclass
from enum import Enum, StrEnum

from deltaworks.errors import StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.failpoints import Step, hit
from deltaworks.io.process import Process
from deltaworks.io.run_entry import LOST_AFTER_S, RunEntry
from deltaworks.io.run_lookup import look_up_run, look_up_run_of
from deltaworks.io.store import Store
from deltaworks.io.ticks import CLAIMS, tick_is_open

MOST_LOST = 3
"""How often a run is launched whose processes are lost."""

BEAT_S = 5.0
"""How often a process says that it is at a run."""


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

    @property
    def path(self) -> str:
        """Where its own object is."""
        return f"{self.folder}/{self.number:04d}.json"


class LaunchEnd(StrEnum):
    """What a process says of its launch where no run in the ledger tells it."""

    OVER = "over"
    """It did what it was to do, which is no run."""
    NOT_NOW = "not now"
    """The run could not begin; the same may well begin later."""
    NEVER = "never"
    """The project was loaded, and refuses the run."""


class RunState(Enum):
    """How far a run is that a tick asked for."""

    AWAITED = "awaited"
    """No process has begun it."""
    BEGUN = "begun"
    """A process is at it."""
    REFUSED = "refused"
    """The last process that was to begin it could not."""
    LOST = "lost"
    """The process that was at it is gone."""
    OVER = "over"
    """It has ended, one way or the other."""


@dataclass(frozen=True, slots=True)
class RunLook:
    """What is seen of a run."""

    state: RunState
    launches: int = 0
    """The number of the last one."""
    lost: int = 0
    """How many of them were lost."""
    refused: int = 0
    """How many of the last ones, in a row, could not begin the run."""
    is_unfit: bool = False
    """Whether the project has refused it twice in a row: once may be a moment in which its files were changed."""


class HeldLaunch:
    """A launch that this process has begun; a thread says that it goes on, whatever the main one is at."""

    def __init__(self, store: Store, launch: Launch, today: dt.date) -> None:
        """Put nothing; `begin_launch` has."""
        self._store, self._launch, self._today = store, launch, today
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="deltaworks-launch", daemon=True)

    def start(self) -> None:
        """Say from now on that it goes on."""
        self._thread.start()

    def end(self, end: LaunchEnd | None) -> None:
        """Say no more, and at last how it ended; none: the run in the ledger tells it.

        Raises:
            StorageError: the lake cannot be written.
        """
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        if end is not None and self._store.exists(self._launch.path):
            self._store.put(self._launch.path, self.content(end=end))

    def content(self, beats: int = 0, end: LaunchEnd | None = None) -> bytes:
        """Return what the object says."""
        who = {"process": asdict(Process.current()), "day": self._today.isoformat(), "beats": beats, "end": end}
        return json.dumps(who).encode()

    def _beat(self) -> None:
        beats = 0
        while not self._over.wait(BEAT_S):
            beats += 1
            with contextlib.suppress(StorageError):  # the next one may be written
                if self._store.exists(self._launch.path):
                    self._store.put(self._launch.path, self.content(beats))


def begin_launch(store: Store, launch: Launch, since: dt.date, until: dt.date) -> HeldLaunch | None:
    """Begin a run in this process, unless another one has, or nobody asks for it any more.

    Args:
        store: the lake.
        launch: which launch this is.
        since: the day on which the tick was asked about.
        until: today.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    held = HeldLaunch(store, launch, until)
    hit(Step.LAUNCH)
    if not store.put_new_surely(launch.path, held.content()):
        return None
    hit(Step.LAUNCHED)
    # Whoever closes a tick deletes its launches first and what makes it open last, so one of the two is seen.
    if not tick_is_open(store, launch.name, launch.tick_id):
        store.delete(launch.path)
        store.drop_empty_folders(f"{CLAIMS}/{launch.name}/{launch.tick_id}")
        return None
    entry = look_up_run_of(store, launch.run_id, since, until) or look_up_run(store, launch.run_id)
    return None if entry is not None and entry.status.is_over else held


@dataclass(frozen=True, slots=True)
class _Begun:
    """What the object of a launch says."""

    process: Process | None = None
    """None: it does not say."""
    day: dt.date | None = None
    """By the clock of the process."""
    end: LaunchEnd | None = None


class RunSigns:
    """The signs of life of runs, as one daemon sees them on its own clock."""

    def __init__(self, store: Store) -> None:
        """Begin with nothing seen."""
        self._store = store
        self._signs: dict[str, tuple[object, float]] = {}
        """By run: its last sign of life, and when that was first seen."""
        self._earlier: dict[str, dict[int, _Begun]] = {}
        """By run: the launches before its last one, of which nothing changes any more."""

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
        begun, content = self._read(launch)
        # Whatever the clock of this process shows now, a run began on the day that its process saw.
        days = {since, now.date(), *(each.day for each in begun.values() if each.day is not None)}
        entry = look_up_run_of(self._store, launch.run_id, min(days), max(days))
        if entry is not None and entry.status.is_over:
            return RunLook(RunState.OVER)
        if not begun:
            return RunLook(RunState.AWAITED)
        state = self._state(launch.run_id, begun[max(begun)], (content, entry and entry.heartbeat_at), running_s)
        if state is RunState.LOST and entry is None and _is_over(look_up_run(self._store, launch.run_id)):
            state = RunState.OVER  # and folded since
        return _look(state, begun)

    def forget(self, run_id: str) -> None:
        """Forget a run that is over."""
        self._signs.pop(run_id, None)
        self._earlier.pop(run_id, None)

    def _read(self, launch: Launch) -> tuple[dict[int, _Begun], bytes | None]:
        """Return the launches of a run by number, and what the object of the last one says."""
        paths = {int(stem): f"{launch.folder}/{stem}.json" for stem in self._numbers(launch.folder)}
        if not paths:
            return {}, None
        earlier, last = self._earlier.setdefault(launch.run_id, {}), max(paths)
        content = self._store.read(paths[last])
        for number in paths.keys() - earlier.keys() - {last}:
            earlier[number] = _begun(self._store.read(paths[number]))
        return {**{number: earlier[number] for number in sorted(paths.keys() - {last})}, last: _begun(content)}, content

    def _numbers(self, folder: str) -> list[str]:
        stems = (name.removesuffix(".json") for name in self._store.names(folder))
        return [stem for stem in stems if stem.isdecimal()]

    def _state(self, run_id: str, last: _Begun, sign: object, running_s: float) -> RunState:
        """Return how far a run is that is not over, by the process that was at it last."""
        match last.end:
            case LaunchEnd.OVER:
                return RunState.OVER
            case LaunchEnd.NOT_NOW | LaunchEnd.NEVER:
                return RunState.REFUSED
            case None:
                lives = None if last.process is None else last.process.lives()
        if lives is None:
            lives = not self._is_silent(run_id, sign, running_s)
        return RunState.BEGUN if lives else RunState.LOST

    def _is_silent(self, run_id: str, sign: object, running_s: float) -> bool:
        known = self._signs.get(run_id)
        if known is None or known[0] != sign:
            known = self._signs[run_id] = sign, running_s
        return running_s - known[1] > LOST_AFTER_S


def _look(state: RunState, begun: dict[int, _Begun]) -> RunLook:
    ends = [begun[number].end for number in sorted(begun)]
    lost = sum(end is None for end in ends[:-1]) + (state is RunState.LOST)
    refused = next((place for place, end in enumerate(reversed(ends)) if end is None), len(ends))
    is_unfit = ends[-2:] == [LaunchEnd.NEVER] * 2
    return RunLook(state, max(begun), lost, refused, is_unfit)


def _is_over(entry: RunEntry | None) -> bool:
    return entry is not None and entry.status.is_over


def _begun(content: bytes | None) -> _Begun:
    try:
        who: Json = json.loads(content or b"")
        end = who.get("end")
        day = dt.date.fromisoformat(who["day"])
        return _Begun(Process(**who["process"]), day, None if end is None else LaunchEnd(end))
    except (ValueError, TypeError, KeyError, AttributeError):
        return _Begun()
