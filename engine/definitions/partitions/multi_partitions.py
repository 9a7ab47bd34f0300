"""MultiPartitions: partitions by the values of several columns at once, such as a day and a region.

A key names each dimension, in their order, with values percent-encoded: `day=2013-11-01,region=us`. The same key
without names, `2013-11-01,us`, is what a table has, whose columns may be called otherwise; both are read.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

import polars as pl

from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Dimension, Partitions
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.errors import InvalidDefinition
from deltaworks.io.partition_values import joined, split_key

MAX_PARTITIONS = 50_000_000
"""How many partitions a definition may have; what decides about them holds one value for each in memory."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENCODED = "[^A-Za-z0-9_.:+-]"
"""What `joined` may have to encode; a value without it stands for itself."""
_LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, init=False)
class MultiPartitions:
    """One partition for each combination: `MultiPartitions({"day": days, "region": regions})`.

    They are ordered by the first dimension, then the next; the last one is the fastest.
    """

    names: tuple[str, ...]
    """The dimensions' names, in their order."""
    dimensions: tuple[Dimension, ...]

    def __init__(self, dimensions: Mapping[str, Dimension]) -> None:
        _refuse_no_dimensions(dimensions)
        self._set(tuple(dimensions), tuple(dimensions.values()))
        self.until(_LONG_AGO)  # what is too large by then already is refused where it is written

    @property
    def size(self) -> int:  # noqa: D102 - see Partitions
        return math.prod(dimension.size for dimension in self.dimensions)

    @property
    def scheme(self) -> str:  # noqa: D102
        parts = (f"{name}={dimension.scheme}" for name, dimension in zip(self.names, self.dimensions, strict=True))
        return f"multi {', '.join(parts)}"

    def until(self, now: dt.datetime) -> MultiPartitions:
        """Return the definition with each dimension as it stands at `now`.

        Raises:
            InvalidDefinition: that is more than `MAX_PARTITIONS`.
        """
        bounded = self.replace(tuple(dimension.until(now) for dimension in self.dimensions))
        if bounded.size > MAX_PARTITIONS:
            factors = " x ".join(f"{dimension.size:,}" for dimension in bounded.dimensions)
            raise InvalidDefinition(
                f"MultiPartitions: {factors} are {bounded.size:,} partitions, but at most {MAX_PARTITIONS:,} are "
                "supported; cut less finely, such as by days instead of hours"
            )
        return bounded

    def replace(self, dimensions: tuple[Dimension, ...]) -> MultiPartitions:
        """Return a definition of the same names over other dimensions."""
        assert len(dimensions) == len(self.names), "each name keeps its dimension"
        replaced = object.__new__(MultiPartitions)
        replaced._set(self.names, dimensions)
        return replaced

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """How many ordinals lie between one value of a dimension and the next, for each dimension."""
        sizes = [dimension.size for dimension in self.dimensions]
        return tuple(math.prod(sizes[place + 1 :]) for place in range(len(sizes)))

    def coordinates(self, ordinal: int) -> tuple[int, ...]:  # noqa: D102
        return tuple(
            ordinal // stride % dimension.size for stride, dimension in zip(self.strides, self.dimensions, strict=True)
        )

    def key(self, ordinal: int) -> str:  # noqa: D102
        values = zip(self.dimensions, self.coordinates(ordinal), strict=True)
        return self._written(dimension.key(value) for dimension, value in values)

    def keys(self, ordinals: pl.Series) -> pl.Series:  # noqa: D102
        parts = [
            labels.gather(ordinals // stride % labels.len())
            for labels, stride in zip(self._labels, self.strides, strict=True)
        ]
        return pl.select(pl.concat_str(parts, separator=",")).to_series()

    def ordinal(self, key: str) -> int | None:  # noqa: D102
        values, total = self._values(key), 0
        if values is None:
            return None
        for value, dimension, stride in zip(values, self.dimensions, self.strides, strict=True):
            place = dimension.ordinal(value)
            if place is None:
                return None
            total += place * stride
        return total

    def ordinals(self, keys: pl.Series) -> pl.Series:  # noqa: D102
        asked = keys.cast(pl.String)
        columns = asked.str.splitn(",", len(self.names)).struct.unnest()
        total = pl.repeat(0, asked.len(), dtype=pl.Int64, eager=True)
        for part, name, dimension, stride in zip(columns, self.names, self.dimensions, self.strides, strict=True):
            total += dimension.ordinals(_decoded(_unnamed(part, name))) * stride
        return total

    def key_beyond(self, place: str) -> str:  # noqa: D102
        values = split_key(place)
        if len(values) != len(self.names):
            return place
        return self._written(
            dimension.key_beyond(value) for dimension, value in zip(self.dimensions, values, strict=True)
        )

    def between(self, first: str, last: str) -> PartitionSet | None:
        """Return the box from one key to another: in each dimension from its first value to its last.

        Keys that are not of this form go to the time dimension, if there is exactly one, over all values of the others.
        """
        start, end = self._values(first), self._values(last)
        if start is not None and end is not None:
            pairs = zip(self.dimensions, start, end, strict=True)
            return self._box([dimension.between(low, high) for dimension, low, high in pairs])
        if start is not None or end is not None or len(self.time_dimensions) != 1:
            return None
        (place,) = self.time_dimensions
        sets: list[PartitionSet | None] = [PartitionSet.all(dimension.size) for dimension in self.dimensions]
        sets[place] = self.dimensions[place].between(first, last)
        return self._box(sets)

    @property
    def time_dimensions(self) -> tuple[int, ...]:
        """Which dimensions are partitions of time, by their place."""
        return tuple(place for place, dimension in enumerate(self.dimensions) if isinstance(dimension, TimePartitions))

    def boxes(self, first: int, last: int, place: int = 0) -> Iterator[tuple[int, int]]:
        """Cut consecutive ordinals that agree before a dimension into boxes, each told by its first and last key."""
        stride = self.strides[place]
        start, end = -(-first // stride) * stride, (last + 1) // stride * stride - 1
        if start > end + 1:  # within one value of this dimension
            yield from self.boxes(first, last, place + 1)
            return
        if first < start:
            yield from self.boxes(first, start - 1, place + 1)
        if start <= end:
            yield start, end
        if end < last:
            yield from self.boxes(end + 1, last, place + 1)

    def run_end(self, ordinal: int) -> int:
        """Return the last ordinal of the stretch; only the last dimension moves, so each claims a plain range."""
        last = self.dimensions[-1]
        place = ordinal % last.size
        return ordinal - place + last.run_end(place)

    def __str__(self) -> str:
        parts = (f"{name} ({dimension})" for name, dimension in zip(self.names, self.dimensions, strict=True))
        return f"every combination of {' and '.join(parts)}"

    def _written(self, values: Iterable[str]) -> str:
        return ",".join(f"{name}={joined([value])}" for name, value in zip(self.names, values, strict=True))

    def _values(self, key: str) -> list[str] | None:
        """Return the values of a key of this form, decoded; none if it has another."""
        parts = key.split(",")
        if len(parts) != len(self.names):
            return None
        values: list[str] = []
        for name, part in zip(self.names, parts, strict=True):
            given, named, value = part.partition("=")
            if named and given != name:
                return None
            values.append(unquote(value if named else part))
        return values

    def _box(self, sets: list[PartitionSet | None]) -> PartitionSet | None:
        ordinals = pl.int_range(self.size, dtype=pl.UInt32, eager=True)
        box = PartitionSet.all(self.size)
        for chosen, stride in zip(sets, self.strides, strict=True):
            if chosen is None:
                return None
            if not chosen.mask.all():
                box = box & PartitionSet(chosen.mask.gather(ordinals // stride % chosen.size))
        return box

    @cached_property
    def _labels(self) -> tuple[pl.Series, ...]:
        """The keys of each dimension, encoded, with its name."""
        return tuple(
            f"{name}=" + _encoded(dimension.keys(pl.int_range(dimension.size, eager=True)))
            for name, dimension in zip(self.names, self.dimensions, strict=True)
        )

    def _set(self, names: tuple[str, ...], dimensions: tuple[Dimension, ...]) -> None:
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "dimensions", dimensions)


def key_ranges(ranges: Iterable[tuple[int, int]], partitions: Partitions) -> list[tuple[int, int]]:
    """Cut ranges of ordinals so that each is also what `between` its first and last key is: a box."""
    if not isinstance(partitions, MultiPartitions):
        return list(ranges)
    return [box for first, last in ranges for box in partitions.boxes(first, last)]


def _refuse_no_dimensions(dimensions: Mapping[str, Dimension]) -> None:
    if not isinstance(dimensions, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidDefinition(
            f"MultiPartitions: dimensions are given by name, such as {{'day': days, 'region': regions}}, not as "
            f"{dimensions!r}"
        )
    if len(dimensions) < 2:
        raise InvalidDefinition(
            f"MultiPartitions: there must be two dimensions or more, not {len(dimensions)}; a definition of one stands "
            "by itself"
        )
    seen: dict[str, str] = {}
    for name, dimension in dimensions.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidDefinition(
                f"MultiPartitions: a dimension's name is a word of letters, digits and '_' that starts with no digit, "
                f"such as 'day', not {name!r}"
            )
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise InvalidDefinition(f"MultiPartitions: dimensions {other!r} and {name!r} differ only in case")
        if len(getattr(dimension, "dimensions", ())) != 1:
            raise InvalidDefinition(
                f"MultiPartitions: dimension {name!r} must be a definition of one dimension, such as "
                f"DailyPartitions(start=...), not {dimension!r}"
            )


def _unnamed(part: pl.Series, name: str) -> pl.Series:
    """Return the values of one dimension in keys; null where they stand after another name."""
    has_name = part.str.contains("=", literal=True)
    is_ours = part.str.starts_with(f"{name}=")
    return part.set(has_name & ~is_ours, None).str.strip_prefix(f"{name}=")


def _decoded(values: pl.Series) -> pl.Series:
    """Return values without percent-encoding; null where a comma shows that a key has more values."""
    return _mapped(values.set(values.str.contains(",", literal=True), None), "%", unquote)


def _encoded(values: pl.Series) -> pl.Series:
    return _mapped(values, _ENCODED, lambda value: joined([value]))


def _mapped(values: pl.Series, pattern: str, change: Callable[[str], str]) -> pl.Series:
    """Change the values that a pattern is found in, each distinct one once."""
    found = values.str.contains(pattern).fill_null(False)
    if not found.any():
        return values
    old = values.filter(found).unique()
    return values.replace(old, pl.Series([change(value) for value in old], dtype=pl.String))
