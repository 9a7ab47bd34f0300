"""Segments: for each ordinal of one definition, which ordinals of another belong to it.

All columns, whatever the relation: an ordinal owns consecutive positions, and a position is an ordinal of the other
definition or points at one. Time that overlaps, keys that pairs join, and whatever a function says differ only in that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TypeAlias, cast

import polars as pl

INDEX = pl.UInt32
"""Of positions; Polars gathers by it without a cast."""

Ordinals: TypeAlias = Sequence[int]
"""Ascending, each once; a `range` where they are consecutive."""


@dataclass(frozen=True, eq=False)
class Segments:
    """Ordinal `n` owns the positions from `starts[n]` to before `stops[n]`."""

    starts: pl.Series
    stops: pl.Series
    reach: int
    """How many ordinals the other definition has."""
    members: pl.Series | None = None
    """The other definition's ordinal at each position, ascending in each segment; none: the position itself."""

    @property
    def size(self) -> int:
        """How many ordinals own segments."""
        return self.starts.len()

    def greatest(self, values: pl.Series) -> pl.Series:
        """Return, for each ordinal, the greatest value over its segment; null if there is none."""
        table = values if self.members is None else values.gather(self.members)
        if self._longest <= 1:
            return table.gather(self._only)
        # A segment of any length is the union of two, maybe overlapping, whose length is the power of two below it.
        found = nulls(self.size, values.dtype)
        for level in range(self._longest.bit_length()):
            width = 1 << level
            if level:
                table = _greater(table, table.shift(-(width >> 1)))
            owners = ((self._lengths >= width) & (self._lengths < 2 * width)).arg_true()
            if not owners.is_empty():
                first, second = self.starts.gather(owners), self.stops.gather(owners) - width
                found = found.scatter(owners, _greater(table.gather(first), table.gather(second)))
        return found

    def total(self, values: pl.Series) -> pl.Series:
        """Return, for each ordinal, the sum (UInt32) over its segment; `values` has no nulls."""
        table = (values if self.members is None else values.gather(self.members)).cast(INDEX)
        if self._longest <= 1:
            return table.gather(self._only).fill_null(0)
        sums = pl.concat([pl.Series([0], dtype=INDEX), table.cum_sum()])
        return sums.gather(self.stops) - sums.gather(self.starts)

    def union(self, first: int, last: int) -> Ordinals:
        """Return what belongs to any ordinal from `first` to `last`; one ordinal costs no more than what it has."""
        if first == last or self._is_solid:
            start, stop = self.starts[first], self.stops[last]
            if self.members is None:
                return range(start, stop)
            return consecutive(self.members.slice(start, stop - start).to_list())
        owners = slice(first, last + 1)
        ranges = pl.select(pl.int_ranges(self.starts[owners], self.stops[owners])).to_series()
        positions = ranges.explode().drop_nulls()
        found = positions if self.members is None else self.members.gather(positions)
        return consecutive(found.unique().sort().to_list())

    def across(self, lines: int) -> Segments:
        """Return the same for many lines at once: values come line by line, results ordinal by ordinal.

        The axis that was reduced so moves from the last place to the first one of a row-major array.
        """
        if lines == 1:
            return self
        width = self.reach if self.members is None else self.members.len()
        flat = count_to(self.size * lines)
        owners, offsets = flat // lines, flat % lines * width
        members = self.members
        if members is not None:
            flat = count_to(members.len() * lines)
            members = members.gather(flat % width) + flat // width * self.reach
        starts, stops = self.starts.gather(owners) + offsets, self.stops.gather(owners) + offsets
        return Segments(starts, stops, self.reach * lines, members)

    @cached_property
    def _lengths(self) -> pl.Series:
        return self.stops - self.starts

    @cached_property
    def _longest(self) -> int:
        return cast("int | None", self._lengths.max()) or 0

    @property
    def _only(self) -> pl.Series:
        """The one position of each ordinal; null where it has none."""
        return self.starts.set(self._lengths == 0, None)

    @cached_property
    def _is_solid(self) -> bool:
        """Whether any consecutive ordinals own consecutive ordinals of the other definition."""
        if self.members is not None:
            return False
        before = self.stops.shift(1).fill_null(self.starts)
        return bool(self.starts.is_sorted() and self.stops.is_sorted() and (self.starts <= before).all())


def paired(owners: pl.Series, members: pl.Series, size: int, reach: int) -> Segments:
    """Return the segments of a relation given by its pairs."""
    pair = (owners.cast(pl.UInt64) * max(reach, 1) + members.cast(pl.UInt64)).sort()  # one column sorts faster than two
    pair = pair.filter((pair != pair.shift(1)).fill_null(True))
    stops = counts_up_to(pair // max(reach, 1), size)
    return Segments(stops.shift(1, fill_value=0), stops, reach, (pair % max(reach, 1)).cast(INDEX))


def counts_up_to(ascending: pl.Series, size: int) -> pl.Series:
    """Return, for each number below `size`, how many of some ascending ones are no greater."""
    is_last = (ascending != ascending.shift(-1)).fill_null(True)
    places = count_to(ascending.len()).filter(is_last & (ascending < size))
    counts = nulls(size, INDEX()).scatter(ascending.gather(places), places + 1)
    return counts.fill_null(strategy="forward").fill_null(0)


def consecutive(ordinals: Ordinals) -> Ordinals:
    """Return ascending ordinals as a range, if they are one."""
    if not ordinals:
        return range(0)
    first, last = ordinals[0], ordinals[-1]
    return range(first, last + 1) if last - first + 1 == len(ordinals) else ordinals


def nulls(count: int, dtype: pl.DataType) -> pl.Series:
    """Return so many nulls."""
    return pl.Series([None], dtype=dtype).new_from_index(0, count)


def count_to(stop: int) -> pl.Series:
    """Return the positions from 0 to before `stop`."""
    return pl.int_range(stop, dtype=INDEX, eager=True)


def key_number(key: str) -> int:
    """Return an odd number below 2**32 that stands for a key, the same on every machine."""
    return int.from_bytes(blake2b(key.encode(), digest_size=4).digest()) | 1


def _greater(one: pl.Series, other: pl.Series) -> pl.Series:
    return pl.select(pl.max_horizontal(one, other)).to_series()
