"""Clock: what the wall clock of a time zone shows at an instant, and at which instant it shows a time.

Instants and walls (wall-clock times) are whole microseconds since 1970-01-01T00:00, the former in UTC, the latter as
the clock shows. Every answer, one by one and in bulk, comes from `zoneinfo` alone: Polars brings time zone tables of
its own, which may be of another release, and a partition key must not depend on who was asked.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from zoneinfo import ZoneInfo

import polars as pl

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - a wall-clock time
FIRST_WALL = (dt.datetime(1, 1, 1) - EPOCH) // dt.timedelta(microseconds=1)  # noqa: DTZ001
LAST_WALL = (dt.datetime(9999, 12, 31, 23, 59, 59, 999_999) - EPOCH) // dt.timedelta(microseconds=1)  # noqa: DTZ001

_NEVER = 1 << 60
_BLOCK_DAYS = 6957
"""Zones are read in blocks of about 19 years; 21 of them are 400 years exactly, after which the calendar repeats."""
_BLOCKS_REPEAT = 21
_FIRST_BLOCK = -9
"""From 1798: before 1834 no zone of the tz database changes its offset."""
_LAST_BLOCK = 7 + _BLOCKS_REPEAT - 1
"""From block 7 on, in 2103, every zone follows one yearly rule; the last single changes listed are those of 2087."""
_PROBE_DAYS = 2
"""The two closest changes in the tz database, of Freetown in 1939, are four days apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """The clock of one zone over a stretch of time, cut into segments of one offset from UTC each."""

    zone: ZoneInfo
    since: list[int]
    """The instant at which each segment begins; the first began ever."""
    offsets: list[int]
    """What the clock shows ahead of UTC, in microseconds, by segment."""
    peaks: list[int]
    """The wall that the clock has come up to, itself not shown, by the end of each segment; never falling."""
    _since: pl.Series = field(init=False)
    _offsets: pl.Series = field(init=False)
    _peaks: pl.Series = field(init=False)

    def __post_init__(self) -> None:
        for name, values in (("_since", self.since), ("_offsets", self.offsets), ("_peaks", self.peaks)):
            object.__setattr__(self, name, pl.Series(values, dtype=pl.Int64))

    @property
    def is_changed(self) -> bool:
        """Whether the offset from UTC is not the same all the time."""
        return len(self.since) > 1

    def instant(self, wall: int) -> int:
        """Return the first instant at which the clock shows this wall or a later one.

        So a wall that is skipped means the first instant after the gap, and one that comes twice means the earlier.
        """
        segment = bisect_right(self.peaks, wall)
        return max(self.since[segment], wall - self.offsets[segment])

    def instants(self, walls: pl.Series) -> pl.Series:
        """Return `instant` of many walls."""
        if not self.is_changed:
            return walls - self.offsets[0]
        segments = self._peaks.search_sorted(walls, side="right")
        shown = walls - self._offsets.gather(segments)
        begun = self._since.gather(segments)
        return shown.zip_with(shown > begun, begun)

    def offset(self, instant: int) -> int:
        """Return how far the clock is ahead of UTC at an instant, in microseconds."""
        return self.offsets[bisect_right(self.since, instant) - 1]

    def offsets_at(self, instants: pl.Series) -> pl.Series:
        """Return `offset` of many instants."""
        if not self.is_changed:
            return pl.repeat(self.offsets[0], instants.len(), dtype=pl.Int64, eager=True)
        return self._offsets.gather(self._since.search_sorted(instants, side="right") - 1)

    def wall(self, instant: int) -> int:
        """Return what the clock shows at an instant."""
        return instant + self.offset(instant)

    def peak(self, instant: int) -> int:
        """Return the wall that the clock has come up to before an instant.

        A wall means that instant or a later one if and only if it is not before this.
        """
        segment = bisect_right(self.since, instant) - 1
        before = self.peaks[segment - 1] if segment else -_NEVER
        return before if instant == self.since[segment] else max(before, instant + self.offsets[segment])

    def is_second(self, instant: int) -> bool:
        """Whether the clock shows at this instant what it showed before."""
        return self.instant(self.wall(instant)) < instant

    def repeats(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """Yield what the clock shows for the second time: from which wall to which, and its offset from UTC then.

        At least where that is between two instants.
        """
        for segment in range(max(1, bisect_right(self.since, first) - 1), bisect_right(self.since, last)):
            offset = self.offsets[segment]
            ends = self.since[segment + 1] + offset if segment + 1 < len(self.since) else _NEVER
            first, stop = self.since[segment] + offset, min(self.peaks[segment - 1], ends)
            if first < stop:
                yield first, stop, offset

    def moment(self, instant: int) -> dt.datetime:
        """Return an instant as an aware datetime in the zone."""
        shown = EPOCH + dt.timedelta(microseconds=self.wall(instant))
        return shown.replace(tzinfo=self.zone, fold=int(self.is_second(instant)))


def clock_of(zone: str, first: int, last: int) -> Clock:
    """Return a zone's clock, right at least for the instants (or walls) from `first` to `last`."""
    return _clock_of_blocks(zone, (first - 2 * DAY) // (_BLOCK_DAYS * DAY), (last + 2 * DAY) // (_BLOCK_DAYS * DAY))


@lru_cache(maxsize=256)
def _clock_of_blocks(name: str, first: int, last: int) -> Clock:
    zone = ZoneInfo(name)
    since, offsets = [-_NEVER], [_offset(zone, max(_FIRST_BLOCK, _alike(first)) * _BLOCK_DAYS * 86_400) * SECOND]
    for block in range(max(first, _FIRST_BLOCK), last + 1):
        shift = (block - _alike(block)) * _BLOCK_DAYS * DAY
        for instant, offset in _changes(name, _alike(block)):
            since.append(instant * SECOND + shift)
            offsets.append(offset * SECOND)
    peaks, reached = list[int](), -_NEVER
    for end, offset in zip([*since[1:], _NEVER], offsets, strict=True):
        reached = max(reached, end + offset) if end < _NEVER else _NEVER
        peaks.append(reached)
    return Clock(zone, since, offsets, peaks)


def _alike(block: int) -> int:
    """Return the block of the first 400 years under the zones' last rules in which the same happens."""
    beyond = block - _LAST_BLOCK - 1
    return block if beyond < 0 else _LAST_BLOCK + 1 - _BLOCKS_REPEAT + beyond % _BLOCKS_REPEAT


@lru_cache(maxsize=1024)
def _changes(name: str, block: int) -> tuple[tuple[int, int], ...]:
    """Return at which seconds since 1970 a zone's offset changes within a block, and to how many seconds."""
    zone, changes = ZoneInfo(name), list[tuple[int, int]]()
    first, end = block * _BLOCK_DAYS * 86_400, (block + 1) * _BLOCK_DAYS * 86_400
    before, before_offset = first, _offset(zone, first)
    for after in (*range(first + _PROBE_DAYS * 86_400, end, _PROBE_DAYS * 86_400), end):
        after_offset = _offset(zone, after)
        if after_offset != before_offset:
            low, high = before, after
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone, middle) == before_offset else (low, middle)
            changes.append((high, after_offset))
        before, before_offset = after, after_offset
    return tuple(changes)


def _offset(zone: ZoneInfo, second: int) -> int:
    offset = dt.datetime.fromtimestamp(second, zone).utcoffset()
    assert offset is not None, "an aware datetime has an offset"
    return offset.days * 86_400 + offset.seconds
