"""Mappings: which upstream partitions a partition is made from.

A mapping is what an author declares. `correspond` resolves it, for the two definitions at hand, to a correspondence
between ordinals, on which planning works.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import polars as pl

from deltaworks.engine.definitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions import Partitions, Unpartitioned
from deltaworks.engine.definitions.time_partitions import DailyPartitions
from deltaworks.errors import InvalidDefinition


@dataclass(frozen=True, slots=True)
class IdentityMapping:
    """The partition with the same key."""


@dataclass(frozen=True, slots=True)
class TimeWindowMapping:
    """The partitions in a window around the partition, in partitions: `start_offset=-6` is a trailing week of days.

    Both ends are included. At the borders of the upstream's definition the window is cut.
    """

    start_offset: int = 0
    end_offset: int = 0

    def __post_init__(self) -> None:
        """Refuse an empty window, and offsets that are no whole numbers."""
        for name, offset in (("start_offset", self.start_offset), ("end_offset", self.end_offset)):
            if not isinstance(offset, int) or isinstance(offset, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise InvalidDefinition(
                    f"TimeWindowMapping: {name} must be a whole number of partitions, such as -6, not {offset!r}"
                )
        if self.start_offset > self.end_offset:
            raise InvalidDefinition(
                f"TimeWindowMapping: start_offset {self.start_offset} lies after end_offset {self.end_offset}"
            )


@dataclass(frozen=True, slots=True)
class AllPartitionsMapping:
    """Every partition that exists when the step starts; it waits for those that the same run makes."""


PartitionMapping: TypeAlias = IdentityMapping | TimeWindowMapping | AllPartitionsMapping


class Correspondence(Protocol):
    """Which ordinals of a downstream belong to which of an upstream."""

    @property
    def needs_each(self) -> bool:
        """Whether a partition can only be made when every mapped upstream partition exists."""
        ...

    @property
    def joins_all(self) -> bool:
        """Whether every downstream partition is made from the same upstream partitions."""
        ...

    def latest(self, values: pl.Series) -> pl.Series:
        """Return, for each downstream ordinal, the greatest value over its upstream ordinals; null if none has one."""
        ...

    def oldest(self, values: pl.Series) -> pl.Series:
        """Return, for each upstream ordinal, the least value over its downstream ordinals; null if none has one."""
        ...

    def upstream(self, partitions: PartitionSet) -> PartitionSet:
        """Return the upstream partitions that any of these downstream partitions is made from."""
        ...

    def downstream(self, partitions: PartitionSet) -> PartitionSet:
        """Return the downstream partitions that any of these upstream partitions goes into."""
        ...

    def upstream_range(self, first: int, last: int) -> range:
        """Return the upstream ordinals of consecutive downstream ones, at no cost in the definition's size."""
        ...

    def downstream_range(self, ordinal: int) -> range:
        """Return the downstream ordinals that one upstream ordinal goes into, at no cost in the definition's size."""
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

    def latest(self, values: pl.Series) -> pl.Series:  # noqa: D102 - see Correspondence
        width = self.last - self.first + 1
        wanted = self.downstream_size + width - 1
        if self.downstream_size == 0:
            return values.clear()
        before = max(0, -self.first)
        inside = values.slice(max(0, self.first), max(0, wanted - before))
        padded = pl.concat([_nulls(before, values.dtype), inside, _nulls(wanted, values.dtype)]).head(wanted)
        return padded.rolling_max(width, min_samples=1).slice(width - 1) if width > 1 else padded

    def oldest(self, values: pl.Series) -> pl.Series:  # noqa: D102
        return -self._reverse().latest(-values)

    def upstream(self, partitions: PartitionSet) -> PartitionSet:  # noqa: D102
        return self._reverse().downstream(partitions)

    def downstream(self, partitions: PartitionSet) -> PartitionSet:  # noqa: D102
        return PartitionSet(self.latest(partitions.mask.cast(pl.Int8)).fill_null(0) > 0)

    def upstream_range(self, first: int, last: int) -> range:  # noqa: D102
        return _inside(first + self.first, last + self.last, self.upstream_size)

    def downstream_range(self, ordinal: int) -> range:  # noqa: D102
        return _inside(ordinal - self.last, ordinal - self.first, self.downstream_size)

    def _reverse(self) -> Window:
        return Window(-self.last, -self.first, self.upstream_size, self.downstream_size)


@dataclass(frozen=True, slots=True)
class Everything:
    """Every downstream partition is made from all upstream partitions."""

    downstream_size: int
    upstream_size: int
    needs_each: bool
    joins_all: bool = True

    def latest(self, values: pl.Series) -> pl.Series:  # noqa: D102 - see Correspondence
        return pl.repeat(values.max(), self.downstream_size, dtype=values.dtype, eager=True)

    def oldest(self, values: pl.Series) -> pl.Series:  # noqa: D102
        return pl.repeat(values.min(), self.upstream_size, dtype=values.dtype, eager=True)

    def upstream(self, partitions: PartitionSet) -> PartitionSet:  # noqa: D102
        return PartitionSet.all(self.upstream_size) if partitions else PartitionSet.none(self.upstream_size)

    def downstream(self, partitions: PartitionSet) -> PartitionSet:  # noqa: D102
        return PartitionSet.all(self.downstream_size) if partitions else PartitionSet.none(self.downstream_size)

    def upstream_range(self, first: int, last: int) -> range:  # noqa: ARG002, D102
        return range(self.upstream_size)

    def downstream_range(self, ordinal: int) -> range:  # noqa: ARG002, D102
        return range(self.downstream_size)


def infer_mapping(downstream: Partitions, upstream: Partitions) -> PartitionMapping:
    """Return the mapping of an input that declares none: same key between equal kinds, else everything."""
    if isinstance(downstream, DailyPartitions) and isinstance(upstream, DailyPartitions):
        return IdentityMapping()
    return AllPartitionsMapping()


def correspond(mapping: PartitionMapping, downstream: Partitions, upstream: Partitions) -> Correspondence:
    """Resolve a mapping for two definitions.

    Raises:
        InvalidDefinition: the mapping cannot join these two kinds of partitions.
    """
    match mapping:
        case AllPartitionsMapping():
            return Everything(downstream.size, upstream.size, needs_each=isinstance(upstream, Unpartitioned))
        case IdentityMapping():
            return _window(mapping, 0, 0, downstream, upstream)
        case TimeWindowMapping(start_offset, end_offset):
            return _window(mapping, start_offset, end_offset, downstream, upstream)


def _window(mapping: PartitionMapping, first: int, last: int, downstream: Partitions, upstream: Partitions) -> Window:
    if not isinstance(downstream, DailyPartitions) or not isinstance(upstream, DailyPartitions):
        raise InvalidDefinition(
            f"{type(mapping).__name__} joins daily partitions, but here {downstream} are to be made from {upstream}"
        )
    shift = (downstream.start - upstream.start).days
    return Window(shift + first, shift + last, downstream.size, upstream.size)


def _nulls(count: int, dtype: pl.DataType) -> pl.Series:
    return pl.repeat(None, count, dtype=dtype, eager=True)


def _inside(first: int, last: int, size: int) -> range:
    """Return the ordinals from `first` to `last`, both included, that are below `size`; possibly none."""
    start = min(max(0, first), size)
    return range(start, max(start, min(size, last + 1)))
