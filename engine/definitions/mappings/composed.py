"""Composed: two correspondences one after the other, as an asset reads a table through a view.

Most pairs come to one of the kinds that there are: a shift of a shift is a shift, a stretch of stretches is a stretch.
Only what does not is kept as two, each asked in turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import polars as pl

from deltaworks.engine.definitions.mappings.correspondence import (
    Correspondence,
    Fixed,
    Relation,
    Window,
    intervals,
    pairs,
)
from deltaworks.engine.definitions.mappings.segments import INDEX, Ordinals, Segments, consecutive
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet

_WORD = 1 << 32
_SPREAD = 1009
"""Keeps numbers apart that are put together in one."""

_FEW = 20
"""Up to so many ordinals are followed one by one; all at once, any number takes as long as the definition is large."""


def compose(first: Correspondence, second: Correspondence) -> Correspondence:
    """Join the downstream of one correspondence to the upstream of the next, as cheaply as it can be said.

    A partition needs each upstream partition where both say so. Where either reads whatever there is, one is enough.

    Args:
        first: from the downstream to what lies between.
        second: from there to the upstream.
    """
    assert first.upstream_size == second.downstream_size, "what lies between is the same definition"
    needs_each = first.needs_each and second.needs_each
    if _is_identity(first) and needs_each == second.needs_each:
        return second
    if _is_identity(second) and needs_each == first.needs_each:
        return first
    awaited = _awaited(first, second)
    if isinstance(first, Fixed):
        return Fixed(second.upstream(first.chosen), first.downstream_size, needs_each, awaited=awaited)
    if isinstance(second, Fixed) and len(_reaching(first)) == first.downstream_size:
        return Fixed(second.chosen, first.downstream_size, needs_each, awaited=awaited)
    shifted = _shifted(first, second)
    if shifted is not None:
        return replace(shifted, needs_each=needs_each)
    stretched = _stretched(first, second)
    if stretched is not None:
        return replace(stretched, needs_each=needs_each, awaited=awaited, cut=_cut(first, second))
    return Composed(first, second)


def goes_into_one(correspondence: Correspondence) -> bool:
    """Tell whether each upstream partition goes into one downstream partition at most."""
    if isinstance(correspondence, Window) and correspondence.first == correspondence.last:
        return True
    ordinals = pl.int_range(correspondence.downstream_size, eager=True)
    least, most = correspondence.oldest(ordinals), ~correspondence.oldest(~ordinals)
    return least.equals(most)


@dataclass(frozen=True, eq=False)
class Composed:
    """Each downstream partition is made from what those between are made from that `first` joins it to."""

    first: Correspondence
    second: Correspondence

    @property
    def downstream_size(self) -> int:  # noqa: D102 - see Correspondence
        return self.first.downstream_size

    @property
    def upstream_size(self) -> int:  # noqa: D102
        return self.second.upstream_size

    @property
    def needs_each(self) -> bool:  # noqa: D102
        return self.first.needs_each and self.second.needs_each

    @property
    def joins_all(self) -> bool:  # noqa: D102
        return self.first.joins_all

    @property
    def awaited(self) -> pl.Series | None:  # noqa: D102
        return self._told[0]

    @property
    def cut(self) -> pl.Series | None:  # noqa: D102
        return self._told[1]

    @property
    def weights(self) -> pl.Series | None:  # noqa: D102
        return self._weights

    @cached_property
    def _told(self) -> tuple[pl.Series | None, pl.Series | None]:
        return _awaited(self.first, self.second), _cut(self.first, self.second)

    @cached_property
    def _weights(self) -> pl.Series | None:
        near, far = self.first.weights, self.second.weights
        if near is None:
            return far
        above = self.second.oldest(near.cast(pl.Int64)).fill_null(0)
        own = pl.repeat(1, above.len(), dtype=pl.Int64, eager=True) if far is None else far.cast(pl.Int64)
        return ((own * _SPREAD + above) % _WORD).cast(INDEX)

    def cut_of(self, ordinal: int) -> int:  # noqa: D102
        return 0 if self.cut is None else int(self.cut[ordinal])

    def latest(self, values: pl.Series) -> pl.Series:  # noqa: D102
        return self.first.latest(self.second.latest(values))

    def oldest(self, values: pl.Series) -> pl.Series:  # noqa: D102
        return self.second.oldest(self.first.oldest(values))

    def count(self, partitions: PartitionSet) -> pl.Series:  # noqa: D102
        return self._joined.count(partitions)

    def weigh(self, partitions: PartitionSet) -> pl.Series:  # noqa: D102
        return self._joined.weigh(partitions)

    def upstream(self, partitions: PartitionSet) -> PartitionSet:  # noqa: D102
        return self.second.upstream(self.first.upstream(partitions))

    def downstream(self, partitions: PartitionSet) -> PartitionSet:  # noqa: D102
        return self.first.downstream(self.second.downstream(partitions))

    def upstream_of(self, first: int, last: int) -> Ordinals:  # noqa: D102
        return upstream_of_all(self.second, self.first.upstream_of(first, last))

    def downstream_of(self, ordinal: int) -> Ordinals:  # noqa: D102
        between = self.second.downstream_of(ordinal)
        if len(between) > _FEW:
            return consecutive(list(self.first.downstream(PartitionSet.of(between, self.first.upstream_size))))
        return _union([self.first.downstream_of(each) for each in between])

    @cached_property
    def _joined(self) -> Relation:
        """The pairs themselves: by several ways to the same upstream partition, it still counts once."""
        owners, members = list[int](), list[int]()
        for ordinal in range(self.downstream_size):
            found = self.upstream_of(ordinal, ordinal)
            members.extend(found)
            owners.extend([ordinal] * len(found))
        above, below = pl.Series(members, dtype=pl.Int64), pl.Series(owners, dtype=pl.Int64)
        joined = pairs(below, above, self.downstream_size, self.upstream_size)
        weights = self.weights
        return joined if weights is None else replace(joined, weigh_each=lambda: weights)


def _awaited(first: Correspondence, second: Correspondence) -> pl.Series | None:
    """Return a key that each downstream partition waits for, its own or one of what it reads in between."""
    if second.awaited is None:
        return first.awaited
    waiting = first.downstream(PartitionSet(second.awaited.is_not_null())).mask
    if not waiting.any():
        return first.awaited
    key = pl.repeat(second.awaited.drop_nulls()[0], waiting.len(), dtype=pl.String, eager=True).set(~waiting, None)
    return key if first.awaited is None else first.awaited.zip_with(first.awaited.is_not_null(), key)


def _cut(first: Correspondence, second: Correspondence) -> pl.Series | None:
    """Return a number for what both definitions cut: its own, and the least and the greatest of what it reads."""
    if second.cut is None:
        return first.cut
    most, least = first.latest(second.cut).fill_null(0), ~first.latest(~second.cut).fill_null(-1)
    beyond = most * _SPREAD + least
    return beyond if first.cut is None else first.cut * _SPREAD * _SPREAD + beyond


def upstream_of_all(correspondence: Correspondence, ordinals: Ordinals) -> Ordinals:
    """Return the upstream ordinals of any downstream ones."""
    runs = list(runs_of(ordinals))
    if len(runs) > _FEW:
        return consecutive(list(correspondence.upstream(PartitionSet.of(ordinals, correspondence.downstream_size))))
    return _union([correspondence.upstream_of(*run) for run in runs])


def runs_of(ordinals: Ordinals) -> Iterator[tuple[int, int]]:
    """Yield the runs of consecutive ones among ascending ordinals, both ends included."""
    if isinstance(ordinals, range):
        if ordinals:
            yield ordinals[0], ordinals[-1]
        return
    start = 0
    for place in range(1, len(ordinals) + 1):
        if place == len(ordinals) or ordinals[place] != ordinals[place - 1] + 1:
            yield ordinals[start], ordinals[place - 1]
            start = place


def _union(parts: Sequence[Ordinals]) -> Ordinals:
    if len(parts) == 1:
        return parts[0]
    return consecutive(sorted(set[int]().union(*parts)))


def _sizes(correspondence: Correspondence) -> tuple[int, int]:
    return correspondence.downstream_size, correspondence.upstream_size


def _is_identity(correspondence: Correspondence) -> bool:
    down, up = _sizes(correspondence)
    return isinstance(correspondence, Window) and correspondence.first == correspondence.last == 0 and down == up


def _reaching(correspondence: Correspondence) -> PartitionSet:
    """Return the downstream partitions that are made from any upstream partition."""
    return correspondence.downstream(PartitionSet.all(correspondence.upstream_size))


def _shifted(first: Correspondence, second: Correspondence) -> Window | None:
    """Return two windows as one; none: they are none, or a border between them cuts what a single one would have."""
    if not (isinstance(first, Window) and isinstance(second, Window)):
        return None
    (down, between), up = _sizes(first), second.upstream_size
    below = (first.first >= 0 or second.first <= 0) and (first.last >= 0 or second.last <= 0)
    end = between - down
    above = (first.last <= end or second.last >= up - between) and (first.first <= end or second.first >= up - between)
    if not (below and above):
        return None
    return Window(first.first + second.first, first.last + second.last, down, up)


def _stretched(first: Correspondence, second: Correspondence) -> Relation | None:
    """Return two relations of consecutive ordinals as one; none: they are none, or what they come to is not."""
    near, far = _stretches(first), _stretches(second)
    if near is None or far is None or not far.is_solid:
        return None
    # What an ordinal starts with is what the first between it starts with, and it stops where the last one stops.
    table_starts = pl.concat([far.starts, far.stops.tail(1)])
    table_stops = pl.concat([far.starts.head(1), far.stops])
    if table_starts.is_empty():
        return None
    starts, stops = table_starts.gather(near.starts), table_stops.gather(near.stops)
    starts = pl.select(pl.when(near.starts == near.stops).then(stops).otherwise(starts)).to_series()
    if not (starts.is_sorted() and stops.is_sorted()):
        return None
    return intervals(starts, stops, second.upstream_size)


def _stretches(correspondence: Correspondence) -> Segments | None:
    """Return what each downstream ordinal is made from, if that is consecutive ordinals that never descend."""
    match correspondence:
        case Window():
            found = correspondence.forward
        case Relation(forward=Segments(members=None) as found, weigh_each=None):
            pass
        case _:
            return None
    return found if found.starts.is_sorted() and found.stops.is_sorted() else None
