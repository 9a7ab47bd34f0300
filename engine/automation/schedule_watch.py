"""ScheduleWatch: when a schedule is due, and how far it is.

Its mark is the last tick up to which everything is decided or forgotten. It is always a tick that was due, never just
now: a clock that was wrong and is set right makes nothing happen twice, and nothing not at all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from deltaworks.engine.automation.due import Rhythm, due_instants
from deltaworks.engine.automation.uptime import RESTART, Stretch, is_gap
from deltaworks.engine.automation.watch import DueTick, Moment
from deltaworks.engine.definitions.automation.schedule import CatchUp, Schedule
from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.io.heartbeats import read_heartbeats
from deltaworks.io.marks import Mark, advance_mark, read_mark
from deltaworks.io.store import Store
from deltaworks.io.ticks import TickEntry, TickKind, instant_id, instant_of

_AT_ONCE = 16
"""How many ticks of one schedule are asked about at once."""


@dataclass(frozen=True, slots=True)
class WatchedSchedule:
    """What the daemon knows of a schedule."""

    name: str
    crons: tuple[Cron, ...]
    timezone: str
    catchup: CatchUp
    catchup_limit: int
    is_on: bool
    timeout_s: float
    kind: TickKind = TickKind.SCHEDULE
    max_attempts: int | None = 5

    @classmethod
    def of(cls, schedule: Schedule) -> WatchedSchedule:
        """Describe a schedule."""
        return cls(
            schedule.name,
            schedule.crons,
            schedule.timezone,
            schedule.catchup,
            schedule.catchup_limit,
            schedule.is_on,
            schedule.timeout_s,
        )

    @property
    def rhythm(self) -> Rhythm:
        """When it ticks."""
        return Rhythm(self.crons, self.timezone)

    @property
    def looks_into_lake(self) -> bool:
        """Whether its watch looks into a store at each poll: it looks at a clock."""
        return False

    def watch(self, store: Store) -> ScheduleWatch:
        """Return what says when it is due."""
        return ScheduleWatch(self, store)


class ScheduleWatch:
    """Says when one schedule is due."""

    def __init__(self, watched: WatchedSchedule, store: Store) -> None:
        """Begin to watch; the first look reads how far the schedule is."""
        self._watched, self._rhythm, self._store = watched, watched.rhythm, store
        self._after: dt.datetime | None = None
        """How far it is known to be."""
        self._next: dt.datetime | None = None
        """No tick that has not been looked at is due before."""
        self._pending: dict[dt.datetime, bool] = {}
        """Ticks that are due and not decided, ascending, and whether they were missed."""
        self._known_to: dt.datetime | None = None
        """Up to when the ticks that are due are known."""
        self._looked: Moment | None = None
        self._up: list[Stretch] = []
        """From when to when daemons have watched it, the stretch of this one last."""

    def due(self, moment: Moment) -> Sequence[DueTick]:
        """Return the ticks that are due."""
        self._note_up(moment)
        if self._after is None:
            self._after = self._begin(moment)
        if self._next is None or moment.now >= self._next:
            self._look(self._after, moment)
        return [
            DueTick(instant_id(tick), tick, is_catchup=is_missed)
            for tick, is_missed in islice(self._pending.items(), _AT_ONCE)
        ]

    def settled(self, entry: TickEntry) -> None:
        """Move on past a tick that is decided, unless an earlier one is not."""
        if not entry.is_decided or entry.kind is not TickKind.SCHEDULE:
            return  # it is tried again, or it was a sensor before
        tick = instant_of(entry.tick_id)
        self._pending.pop(tick, None)
        if self._after is None or self._known_to is None:
            return
        oldest = min(self._pending, default=None)
        # A tick ahead of the clock is another daemon's, from before the clock was turned back: what is due between is
        # not known before the clock comes there again.
        decided = tick if tick <= self._known_to else None
        reached = decided if oldest is None else self._before(oldest)
        if reached is not None and reached > self._after:
            self._move(reached)

    def _begin(self, moment: Moment) -> dt.datetime:
        mark = read_mark(self._store, self._watched.name, TickKind.SCHEDULE)
        if mark is not None:
            return instant_of(mark.tick_id)
        return begin_now(self._store, self._watched.name, moment.now)

    def _look(self, after: dt.datetime, moment: Moment) -> None:
        """Look for ticks that have become due since the last look; others may have moved on meanwhile."""
        mark = read_mark(self._store, self._watched.name, TickKind.SCHEDULE)
        after = max(after, after if mark is None else instant_of(mark.tick_id))
        watched = self._watched
        due = due_instants(self._rhythm, after, moment.now, self._up, watched.catchup, watched.catchup_limit)
        self._pending = {tick: tick in due.missed for tick in due.ticks}
        self._next = next(iter(self._rhythm.next(max(moment.now, after), 1)), None) or dt.datetime.max.replace(
            tzinfo=dt.UTC
        )
        self._after, self._known_to = after, moment.now
        oldest = min(self._pending, default=None)
        forgotten = self._before(moment.now + dt.timedelta(microseconds=1) if oldest is None else oldest)
        if forgotten is not None and forgotten > after:
            self._move(forgotten)

    def _before(self, instant: dt.datetime) -> dt.datetime | None:
        """Return the last tick before an instant that the schedule is not past yet."""
        assert self._after is not None, "it has begun"
        last = self._rhythm.last(self._after, instant - dt.timedelta(microseconds=1), 1)
        return last[0] if last else None

    def _move(self, to: dt.datetime) -> None:
        self._after = to
        advance_mark(self._store, self._watched.name, Mark(instant_id(to)))

    def _note_up(self, moment: Moment) -> None:
        """Note that a daemon runs; if this one was held up for long, only others may have run meanwhile."""
        before, self._looked = self._looked, moment
        if not is_gap(before, moment):
            start, _ = self._up[-1]
            self._up[-1] = min(start, moment.now), moment.now
            return
        self._up = [*self._up[-1:], *self._told(), (moment.now, moment.now)]

    def _told(self) -> Iterator[Stretch]:
        """Yield when daemons have watched the schedule, this one under another definition among them."""
        for beat in read_heartbeats(self._store):
            for start, end in beat.up(self._watched.name):
                yield start, end + RESTART


def begin_now(store: Store, name: str, now: dt.datetime) -> dt.datetime:
    """Let a schedule begin with the first tick after now, and return up to where it is past.

    Raises:
        StorageError: the lake cannot be written.
    """
    begin = now.replace(second=0, microsecond=0)
    advance_mark(store, name, Mark(instant_id(begin)))
    return begin
