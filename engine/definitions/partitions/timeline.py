"""Timeline: the windows into which a cadence cuts a stretch of time in a zone, as columns.

A window begins at the first instant at which the clock shows a wall of the cadence or a later one: a wall that is
skipped means the first instant after the gap, one that comes twice the earlier. Hours begin both times. So windows
cover the time line without gaps and overlaps, and hours lie within days, days within weeks and months.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import polars as pl

from deltaworks.engine.definitions.partitions.cadence import Cadence
from deltaworks.engine.definitions.partitions.clock import DAY, FIRST_WALL, LAST_WALL, Clock, clock_of
from deltaworks.engine.definitions.partitions.cron import Cron

Exclusion: TypeAlias = dt.date | int | Cron
"""Windows that begin on a day, at an instant, or at a time of the clock that a cron expression names."""

_MOST = 10_000_000
"""How many windows a timeline may have: 1,141 years of hours, 19 of minutes."""

_MARGIN = 2 * DAY
"""No clock was ever turned by more than a day."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """Windows of time, ascending; one value of each column for each."""

    clock: Clock
    starts: pl.Series
    """Instants, in microseconds since 1970 (Int64)."""
    ends: pl.Series
    days: pl.Series
    """The day that names the window (Date); none for windows that are known by their instant."""
    next_days: pl.Series
    """The day that names the window that follows in time, excluded or not."""

    @cached_property
    def breaks(self) -> pl.Series:
        """The ordinals of windows after which the next one does not follow at once."""
        return (self.ends.head(-1) != self.starts.tail(-1)).arg_true()

    @cached_property
    def first_day(self) -> dt.date | None:
        """The first window's day, if the days come without a gap, so that ordinals are differences of days."""
        if self.days.is_empty():
            return None
        first, last = self.days[0], self.days[-1]
        return first if (last - first).days == self.days.len() - 1 else None

    def overlapping(self, start: int, end: int) -> tuple[int, int]:
        """Return the first and last ordinal of the windows that share time with the one from `start` to `end`."""
        if end <= start:
            return 0, -1
        return bisect_right(self.ends, start), bisect_left(self.starts, end) - 1

    def run_end(self, ordinal: int) -> int:
        """Return the last ordinal up to which windows touch."""
        place = bisect_left(self.breaks, ordinal)
        return self.breaks[place] if place < self.breaks.len() else self.starts.len() - 1


def too_many(cadence: Cadence, first: int, last: int) -> str | None:
    """Say how many windows there are between two instants, if that is too much."""
    count = (last - first) // cadence.usual_us
    return f"there are {count:,} {cadence.noun}; use at most {_MOST:,}" if count > _MOST else None


def build(cadence: Cadence, zone: str, first: int, last: int, exclusions: Sequence[Exclusion]) -> Timeline:
    """Return the whole windows between two instants, without the excluded ones."""
    clock = clock_of(zone, first - _MARGIN, last + _MARGIN)
    instants, walls = boundaries(cadence, clock, first, last)
    instants = instants.alias("")
    starts, shown = instants.head(-1), (clock.offsets_at(instants) + instants if cadence.is_clock else walls).head(-1)
    empty = pl.Series(dtype=pl.Date)
    days = empty if cadence.is_clock else _days(walls)
    if not exclusions:
        return Timeline(clock, starts, instants.tail(-1), days.head(-1), days.tail(-1))
    kept = ~_excluded(starts, shown, exclusions)
    if cadence.is_clock:
        return Timeline(clock, starts.filter(kept), instants.tail(-1).filter(kept), empty, empty)
    return Timeline(
        clock,
        starts.filter(kept),
        instants.tail(-1).filter(kept),
        days.head(-1).filter(kept),
        days.tail(-1).filter(kept),
    )


def boundaries(cadence: Cadence, clock: Clock, first: int, last: int) -> tuple[pl.Series, pl.Series]:
    """Return the instants from `first` to `last` at which windows begin, ascending, and the wall that each stands for.

    Of walls that are skipped together, the last one stands for the instant after the gap.
    """
    walls = cadence.walls(clock.wall(first) - _MARGIN, clock.wall(last) + _MARGIN)
    instants = clock.instants(walls)
    if cadence.begins_twice:
        again = [
            (found := cadence.walls(start, stop - 1)).filter((found >= start) & (found < stop)) - offset
            for start, stop, offset in clock.repeats(first, last)
        ]
        if any(each.len() for each in again):
            instants = pl.concat([instants, *again]).sort()
            walls = instants
    if clock.is_changed:
        distinct = (instants != instants.shift(-1)).fill_null(True)
        instants, walls = instants.filter(distinct), walls.filter(distinct)
    low, high = bisect_left(instants, first), bisect_right(instants, last)
    return instants.slice(low, max(0, high - low)), walls.slice(low, max(0, high - low))


def last_over(cadence: Cadence, zone: str, now: int, more: int) -> int | None:
    """Return where the latest window that is over at `now` ends, or the one so many windows after (or before) it.

    None: there is no such window within the years 1 to 9999.
    """
    reach = (abs(more) + 2) * cadence.usual_us
    while reach < 2 * LAST_WALL:
        first, last = max(now - reach, FIRST_WALL), min(now + (reach if more > 0 else 0), LAST_WALL)
        instants, _ = boundaries(cadence, clock_of(zone, first - _MARGIN, last + _MARGIN), first, last)
        place = bisect_right(instants, now) - 1 + more
        if 0 <= place < instants.len() and place - more >= 0:
            return int(instants[place])
        reach *= 4
    return None


def _days(walls: pl.Series) -> pl.Series:
    return (walls // DAY).cast(pl.Int32).cast(pl.Date).alias("")


def _excluded(starts: pl.Series, shown: pl.Series, exclusions: Sequence[Exclusion]) -> pl.Series:
    days = [each for each in exclusions if isinstance(each, dt.date)]
    instants = [each for each in exclusions if isinstance(each, int)]
    excluded = _days(shown).is_in(pl.Series(days, dtype=pl.Date).implode())
    excluded |= starts.is_in(pl.Series(instants, dtype=pl.Int64).implode())
    for each in exclusions:
        if isinstance(each, Cron):
            excluded |= each.ticks(shown)
    return excluded
