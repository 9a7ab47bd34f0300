"""Correspondence: which ordinals of a downstream definition belong to which of an upstream one.

Mappings resolve to these, and planning works on nothing else. There are few kinds, by what makes them cheap: a constant
shift, the same upstream partitions for everybody, and any relation at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import polars as pl

from deltaworks.engine.definitions.mappings.segments import (
    INDEX,
    Ordinals,
    Segments,
    consecutive,
    counts_up_to,
    nulls,
    paired,
)
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet


class Correspondence(Protocol):
    """What planning asks. Ordinals that are asked for exist."""

    @property
    def downstream_size(self) -> int:
        """How many downstream partitions there are."""
        ...

    @property
    def upstream_size(self) -> int:
        """How many upstream partitions there are."""
        ...

    @property
    def needs_each(self) -> bool:
        """Whether a partition can only be made when every mapped upstream partition exists; else one is enough."""
        ...

    @property
    def joins_all(self) -> bool:
        """Whether every downstream partition is made from the same upstream partitions."""
        ...

    @property
    def awaited(self) -> pl.Series | None:
        """For each downstream ordinal, a key (String) that it is made from and that is no upstream partition.

        It cannot be made, and still belongs to its other upstream partitions. Null: it waits for no key; none: no one
        does.
        """
        ...

    @property
    def cut(self) -> pl.Series | None:
        """A number (Int64) for each downstream ordinal by what it means beyond the upstream's definition; 0: nothing.

        Another number means another part of what the mapping means. A dimension that is read as a whole cuts nothing:
        it has `weights`. None: all are 0.
        """
        ...

    @property
    def weights(self) -> pl.Series | None:
        """A number (UInt32) for each upstream ordinal by those of its dimensions that are the same for everybody.

        Sums of them tell which of these are read, even where it is as many. None: there are no such dimensions, or
        nothing else.
        """
        ...

    def cut_of(self, ordinal: int) -> int:
        """Return what `cut` says of a downstream ordinal."""
        ...

    def latest(self, values: pl.Series) -> pl.Series:
        """Return, for each downstream ordinal, the greatest value over its upstream ordinals; null if none has one."""
        ...

    def oldest(self, values: pl.Series) -> pl.Series:
        """Return, for each upstream ordinal, the least value over its downstream ordinals; null if none has one."""
        ...

    def count(self, partitions: PartitionSet) -> pl.Series:
        """Return, for each downstream ordinal, how many (UInt32) of these upstream partitions it is made from."""
        ...

    def weigh(self, partitions: PartitionSet) -> pl.Series:
        """Return the same by `weights`, where there are any: sums (UInt32) that wrap around."""
        ...

    def upstream(self, partitions: PartitionSet) -> PartitionSet:
        """Return the upstream partitions that any of these downstream partitions is made from."""
        ...

    def downstream(self, partitions: PartitionSet) -> PartitionSet:
        """Return the downstream partitions that any of these upstream partitions goes into."""
        ...

    def upstream_of(self, first: int, last: int) -> Ordinals:
        """Return the upstream ordinals of consecutive downstream ones; one of these costs microseconds."""
        ...

    def downstream_of(self, ordinal: int) -> Ordinals:
        """Return the downstream ordinals that one upstream ordinal goes into."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """Downstream ordinal `d` is made from upstream ordinals `d + first` to `d + last`, where they exist."""

    first: int
    last: int
    downstream_size: int
    upstream_size: int
    needs_each: bool = True
    joins_all: bool = False
    awaited: None = None
    weights: None = None

    def latest(self, values: pl.Series) -> pl.Series:  # noqa: D102 - see Correspondence
        width, seen = self.last - self.first + 1, self._padded(values)
        return seen.rolling_max(width, min_samples=1).slice(width - 1) if width > 1 else seen

    def oldest(self, values: pl.Series) -> pl.Series:  # noqa: D102
        return ~self.reversed.latest(~values)

    def count(self, partitions: PartitionSet) -> pl.Series:  # noqa: D102
        width, seen = self.last - self.first + 1, self._padded(partitions.mask.cast(INDEX))
        seen = seen.fill_null(0) if seen.has_nulls() else seen
        return seen.rolling_sum(width).slice(width - 1) if width > 1 else seen

    def weigh(self, partitions: PartitionSet) -> pl.Series:  # noqa: D102
        return self.count(partitions)

    @property
    def cut(self) -> pl.Series | None:  # noqa: D102
        size = self.downstream_size
        first = min(size, max(0, -self.first))
        last = max(first, min(size, self.upstream_size - self.last))
        if (first, last) == (0, size):
            return None
        head, tail = ([self.cut_of(ordinal) for ordinal in part] for part in (range(first), range(last, size)))
        whole = pl.Series([0], dtype=pl.Int64).new_from_index(0, last - first)
        return pl.concat([pl.Series(head, dtype=pl.Int64), whole, pl.Series(tail, dtype=pl.Int64)])

    def cut_of(self, ordinal: int) -> int:  # noqa: D102
        return cut_number(max(0, -(ordinal + self.first)), is_after=ordinal + self.last >= self.upstream_size)

    def upstream(self, partitions: PartitionSet) -> PartitionSet:  # noqa: D102
        return self.reversed.downstream(partitions)

    def downstream(self, partitions: PartitionSet) -> PartitionSet:  # noqa: D102
        if not partitions:
            return PartitionSet.none(self.downstream_size)
        return PartitionSet(self.count(partitions) > 0)

    def upstream_of(self, first: int, last: int) -> range:  # noqa: D102
        return _inside(first + self.first, last + self.last, self.upstream_size)

    def downstream_of(self, ordinal: int) -> range:  # noqa: D102
        return _inside(ordinal - self.last, ordinal - self.first, self.downstream_size)

    @property
    def reversed(self) -> Window:
        """The same, seen from the upstream."""
        return Window(-self.last, -self.first, self.upstream_size, self.downstream_size)

    @property
    def forward(self) -> Segments:
        """What each downstream ordinal is made from."""
        ordinals = pl.int_range(self.downstream_size, eager=True)
        starts, stops = (
            (ordinals + bound).clip(0, self.upstream_size).cast(INDEX) for bound in (self.first, self.last + 1)
        )
        return Segments(starts, stops, self.upstream_size)

    @property
    def backward(self) -> Segments:
        """What each upstream ordinal goes into."""
        return self.reversed.forward

    def _padded(self, values: pl.Series) -> pl.Series:
        """Return the values that any window sees, from that of the first one's first partition on."""
        wanted = self.downstream_size + self.last - self.first if self.downstream_size else 0
        before = min(max(0, -self.first), wanted)
        inside = values.slice(max(0, self.first), wanted - before)
        after = wanted - before - inside.len()
        if not before and not after:
            return inside
        return pl.concat([nulls(before, values.dtype), inside, nulls(after, values.dtype)])


@dataclass(frozen=True, eq=False)
class Fixed:
    """Every downstream partition is made from the same upstream partitions."""

    chosen: PartitionSet
    """The upstream partitions."""
    downstream_size: int
    needs_each: bool = True
    joins_all: bool = True
    awaited: pl.Series | None = None
    cut: None = None
    weights: None = None

    @property
    def upstream_size(self) -> int:  # noqa: D102 - see Correspondence
        return self.chosen.size

    def latest(self, values: pl.Series) -> pl.Series:  # noqa: D102
        greatest = values.filter(self.chosen.mask).max()
        return pl.repeat(greatest, self.downstream_size, dtype=values.dtype, eager=True)

    def oldest(self, values: pl.Series) -> pl.Series:  # noqa: D102
        least = pl.repeat(values.min(), self.upstream_size, dtype=values.dtype, eager=True)
        return least.set(~self.chosen.mask, None)

    def count(self, partitions: PartitionSet) -> pl.Series:  # noqa: D102
        return pl.repeat(len(self.chosen & partitions), self.downstream_size, dtype=INDEX, eager=True)

    def weigh(self, partitions: PartitionSet) -> pl.Series:  # noqa: D102
        return self.count(partitions)

    def cut_of(self, ordinal: int) -> int:  # noqa: ARG002, D102
        return 0

    def upstream(self, partitions: PartitionSet) -> PartitionSet:  # noqa: D102
        return self.chosen if partitions else PartitionSet.none(self.upstream_size)

    def downstream(self, partitions: PartitionSet) -> PartitionSet:  # noqa: D102
        reached = bool(self.chosen & partitions)
        return PartitionSet.all(self.downstream_size) if reached else PartitionSet.none(self.downstream_size)

    def upstream_of(self, first: int, last: int) -> Ordinals:  # noqa: ARG002, D102
        return self._ordinals

    def downstream_of(self, ordinal: int) -> range:  # noqa: D102
        return range(self.downstream_size if self.chosen.mask[ordinal] else 0)

    @cached_property
    def _ordinals(self) -> Ordinals:
        return consecutive(list(self.chosen))


class Direction(Protocol):
    """One side of a relation: what belongs to each ordinal of one definition."""

    @property
    def size(self) -> int:
        """How many ordinals that definition has."""
        ...

    def greatest(self, values: pl.Series) -> pl.Series:
        """Return, for each ordinal, the greatest value over what belongs to it; null if there is none."""
        ...

    def total(self, values: pl.Series) -> pl.Series:
        """Return, for each ordinal, the sum (UInt32) over what belongs to it."""
        ...

    def union(self, first: int, last: int) -> Ordinals:
        """Return what belongs to any of consecutive ordinals."""
        ...


@dataclass(frozen=True, eq=False)
class Relation:
    """Any relation, known from both sides."""

    forward: Direction
    """What each downstream partition is made from."""
    backward: Direction
    """What each upstream partition goes into."""
    needs_each: bool = True
    joins_all: bool = False
    awaited: pl.Series | None = None
    cut: pl.Series | None = None
    weigh_each: Callable[[], pl.Series] | None = None
    """Finds out `weights`, when they are first asked for."""

    @property
    def downstream_size(self) -> int:  # noqa: D102 - see Correspondence
        return self.forward.size

    @property
    def upstream_size(self) -> int:  # noqa: D102
        return self.backward.size

    def latest(self, values: pl.Series) -> pl.Series:  # noqa: D102
        return self.forward.greatest(values)

    def oldest(self, values: pl.Series) -> pl.Series:  # noqa: D102
        return ~self.backward.greatest(~values)  # turns the order round in every integer dtype, without overflow

    def count(self, partitions: PartitionSet) -> pl.Series:  # noqa: D102
        return self.forward.total(partitions.mask.cast(INDEX))

    @property
    def weights(self) -> pl.Series | None:  # noqa: D102
        return self._weights

    def weigh(self, partitions: PartitionSet) -> pl.Series:  # noqa: D102
        if self.weights is None:
            return self.count(partitions)
        return self.forward.total(self.weights.set(~partitions.mask, 0))

    def cut_of(self, ordinal: int) -> int:  # noqa: D102
        return 0 if self.cut is None else int(self.cut[ordinal])

    def upstream(self, partitions: PartitionSet) -> PartitionSet:  # noqa: D102
        return PartitionSet(self.backward.total(partitions.mask.cast(INDEX)) > 0)

    def downstream(self, partitions: PartitionSet) -> PartitionSet:  # noqa: D102
        return PartitionSet(self.count(partitions) > 0)

    def upstream_of(self, first: int, last: int) -> Ordinals:  # noqa: D102
        return self.forward.union(first, last)

    def downstream_of(self, ordinal: int) -> Ordinals:  # noqa: D102
        return self.backward.union(ordinal, ordinal)

    @cached_property
    def _weights(self) -> pl.Series | None:
        return None if self.weigh_each is None else self.weigh_each()


def intervals(starts: pl.Series, stops: pl.Series, upstream_size: int, cut: pl.Series | None = None) -> Relation:
    """Join each downstream ordinal to the upstream ordinals from a start to before a stop, neither ever descending."""
    starts, stops = starts.cast(INDEX), stops.cast(INDEX)
    # From the first downstream ordinal that stops after an upstream one to before the first that starts after it.
    backward = Segments(counts_up_to(stops, upstream_size), counts_up_to(starts, upstream_size), starts.len())
    return Relation(Segments(starts, stops, upstream_size), backward, cut=cut)


def pairs(
    downstream: pl.Series,
    upstream: pl.Series,
    downstream_size: int,
    upstream_size: int,
    *,
    cut: pl.Series | None = None,
    awaited: pl.Series | None = None,
) -> Relation:
    """Join ordinals pair by pair, in any order, each pair any number of times."""
    return Relation(
        paired(downstream, upstream, downstream_size, upstream_size),
        paired(upstream, downstream, upstream_size, downstream_size),
        awaited=awaited,
        cut=cut,
    )


def cut_number(before: int, *, is_after: bool) -> int:
    """Return what `cut` says of a stretch of which so much lies before a definition and maybe some after it.

    With how much of it is left, this tells the left part from any other.
    """
    return 2 * before + is_after


def _inside(first: int, last: int, size: int) -> range:
    """Return the ordinals from `first` to `last`, both included, that are below `size`; possibly none."""
    start = min(max(0, first), size)
    return range(start, max(start, min(size, last + 1)))
