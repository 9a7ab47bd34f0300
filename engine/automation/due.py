"""Due: at which instants a schedule ticks. Pure: it knows no clock but what it is told.

A tick is an instant, so a schedule of several expressions ticks once where they fall together, and an expression that
is edited changes the ticks to come and none that were.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import polars as pl

from deltaworks.engine.definitions.automation.schedule import CatchUp
from deltaworks.engine.definitions.partitions.cadence import Ticks
from deltaworks.engine.definitions.partitions.clock import DAY, EPOCH, FIRST_WALL, LAST_WALL, clock_of
from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.engine.definitions.partitions.timeline import boundaries

_MARGIN = 2 * DAY
"""No clock was ever turned by more than a day."""
_LONGEST = 60 * 366 * DAY
"""No expression that ever ticks is silent for so long: a fifth Sunday of February comes every 40 years at least."""
MOST_SEEN = 10_000
"""How many ticks that passed while a daemon ran are asked about at once, where its clock was turned by years."""
_EPOCH = EPOCH.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When a schedule ticks."""

    crons: tuple[Cron, ...]
    timezone: str

    def last(self, after: dt.datetime, until: dt.datetime, most: int) -> tuple[dt.datetime, ...]:
        """Return the latest ticks after one instant, up to another, itself included; at most so many, ascending."""
        first, last = _us(after) + 1, _us(until)
        reach = (most + 2) * min(Ticks(cron).usual_us for cron in self.crons)
        while first <= last:
            begin = max(first, last - reach)
            found = self._between(begin, last)
            if found.len() >= most or begin == first:
                return tuple(map(_instant, found.tail(most)))
            reach *= 4
        return ()

    def next(self, after: dt.datetime, count: int) -> tuple[dt.datetime, ...]:
        """Return the next ticks after an instant, ascending; fewer only where the calendar ends."""
        first = _us(after) + 1
        reach = (count + 2) * min(Ticks(cron).usual_us for cron in self.crons)
        while True:
            found = self._between(first, min(first + reach, LAST_WALL - _MARGIN))
            if found.len() >= count or reach > _LONGEST * count:
                return tuple(map(_instant, found.head(count)))
            reach *= 4

    def local(self, instant: dt.datetime) -> dt.datetime:
        """Return an instant as the clock of the schedule shows it."""
        return instant.astimezone(ZoneInfo(self.timezone))

    def _between(self, first: int, last: int) -> pl.Series:
        """Return the ticks between two instants, both included, ascending and each once (Int64)."""
        first, last = max(first, FIRST_WALL + _MARGIN), min(last, LAST_WALL - _MARGIN)
        if first > last:
            return pl.Series(dtype=pl.Int64)
        clock = clock_of(self.timezone, first - _MARGIN, last + _MARGIN)
        ticks = (boundaries(Ticks(cron), clock, first, last)[0].alias("tick") for cron in self.crons)
        return pl.concat(ticks).unique().sort()


@dataclass(frozen=True, slots=True)
class DueInstants:
    """What is to be asked about at a moment."""

    ticks: tuple[dt.datetime, ...] = ()
    """Ascending."""
    missed: frozenset[dt.datetime] = frozenset()
    """Those of them that were due while no daemon ran."""


def due_instants(
    rhythm: Rhythm,
    after: dt.datetime,
    now: dt.datetime,
    up: Sequence[tuple[dt.datetime, dt.datetime]],
    catchup: CatchUp,
    limit: int,
) -> DueInstants:
    """Decide which ticks are to be asked about.

    A tick counts as missed if no daemon ran at its instant, however the clock came there: of those that passed while
    one ran, because its clock was turned or its machine was slow, none is forgotten.

    Args:
        rhythm: when the schedule ticks.
        after: how far it is: up to there everything is decided or forgotten.
        now: the moment.
        up: from when to when daemons have run, as far as is known.
        catchup: what becomes of ticks that were missed.
        limit: how many missed ones there may be; of more, the latest count.
    """
    stretches = ((max(after, start), min(now, end)) for start, end in up)
    seen = {tick for start, end in stretches if start <= end for tick in _from(rhythm, after, start, end)}
    latest = rhythm.last(after, now, limit + len(seen)) if catchup is not CatchUp.NONE else ()
    missed = [tick for tick in latest if tick not in seen][-1 if catchup is CatchUp.LAST else -limit :]
    return DueInstants(tuple(sorted({*seen, *missed})), frozenset(missed))


def _from(rhythm: Rhythm, after: dt.datetime, start: dt.datetime, end: dt.datetime) -> tuple[dt.datetime, ...]:
    """Return the ticks from one instant to another, both included, that come after a third."""
    return rhythm.last(max(after, start - dt.timedelta(microseconds=1)), end, MOST_SEEN)


def _us(instant: dt.datetime) -> int:
    return (instant - _EPOCH) // dt.timedelta(microseconds=1)


def _instant(us: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=us)
