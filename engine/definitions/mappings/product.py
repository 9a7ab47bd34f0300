"""Product: partitions by several dimensions that correspond dimension by dimension.

A partition is made from every combination of what its coordinates are made from. Nothing here spells the combinations
out: a row-major array of values is reduced along one axis after the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deltaworks.engine.definitions.mappings.correspondence import Relation, Window
from deltaworks.engine.definitions.mappings.segments import INDEX, Ordinals, Segments, consecutive, count_to
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet

_MIX = 1_000_003
"""What numbers of several dimensions are joined by; whatever wraps around."""


@dataclass(frozen=True, slots=True)
class Axis:
    """What one of a partition's coordinates says about one coordinate of what belongs to it."""

    segments: Segments
    source: int | None
    """The axis of the values; none: one that has a single place and is not there."""
    target: int | None
    """The axis of the result; none: likewise."""


@dataclass(frozen=True, eq=False)
class Grid:
    """One side of a product. Each dimension of either side has exactly one axis."""

    axes: tuple[Axis, ...]
    source_sizes: tuple[int, ...]
    target_sizes: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many ordinals the target has."""
        return math.prod(self.target_sizes)

    def greatest(self, values: pl.Series) -> pl.Series:
        """Return, for each ordinal, the greatest value over what belongs to it; null if there is none."""
        return self._reduced(values, Segments.greatest)

    def total(self, values: pl.Series) -> pl.Series:
        """Return, for each ordinal, the sum (UInt32) over what belongs to it."""
        return self._reduced(values, Segments.total)

    def union(self, first: int, last: int) -> Ordinals:
        """Return what belongs to any of consecutive ordinals."""
        boxes = list(_boxes(first, last, self.target_sizes))
        if len(boxes) == 1:
            return self._of_box(boxes[0])
        return _merged([self._of_box(box) for box in boxes])

    def _of_box(self, box: Sequence[tuple[int, int]]) -> Ordinals:
        places: list[Ordinals] = [range(1)] * len(self.source_sizes)
        for axis in self.axes:
            found = axis.segments.union(*((0, 0) if axis.target is None else box[axis.target]))
            if axis.source is not None:
                places[axis.source] = found
            elif not found:
                return range(0)
        return _flat(places, self.source_sizes)

    def _reduced(self, values: pl.Series, reduce: Callable[[Segments, pl.Series], pl.Series]) -> pl.Series:
        if not values.len() or not self.size:
            nothing = pl.repeat(0, self.size, dtype=INDEX, eager=True)
            return reduce(Segments(nothing, nothing, 0), values.clear())
        # Each reduction takes the last axis and puts its result first, so that in the end all are in order again. What
        # shrinks the array comes before what makes it grow.
        ordered = sorted(self.axes, key=lambda axis: axis.segments.size / axis.segments.reach, reverse=True)
        values = _arranged(values, self.source_sizes, [axis.source for axis in ordered])
        for axis in reversed(ordered):
            values = reduce(axis.segments.across(values.len() // axis.segments.reach), values)
        places = {axis.target: place for place, axis in enumerate(ordered)}
        order = [places[target] for target in range(len(self.target_sizes))]
        return _arranged(values, [axis.segments.size for axis in ordered], order)


@dataclass(frozen=True, slots=True)
class Link:
    """A dimension of the upstream that is mapped from one of the downstream."""

    downstream: int
    upstream: int
    correspondence: Window | Relation


def product(
    downstream_sizes: tuple[int, ...],
    upstream_sizes: tuple[int, ...],
    links: Sequence[Link],
    chosen: Mapping[int, PartitionSet],
    *,
    needs_each: bool,
    awaited: pl.Series | None = None,
    weigh_each: Callable[[], pl.Series] | None = None,
) -> Relation:
    """Join two definitions by their dimensions.

    Args:
        downstream_sizes: how many values each downstream dimension has; one that is in no link says nothing.
        upstream_sizes: the same of the upstream.
        links: a dimension of either side is in one link at most.
        chosen: what is read of each upstream dimension that is in no link.
        needs_each: whether every mapped partition must exist.
        awaited: see `Correspondence`.
        weigh_each: see `Relation`.
    """
    forward: list[Axis] = []
    backward: list[Axis] = []
    for link in links:
        there, back = link.correspondence.forward, link.correspondence.backward
        assert isinstance(there, Segments), "a product has no products inside"
        assert isinstance(back, Segments)
        forward.append(Axis(there, link.upstream, link.downstream))
        backward.append(Axis(back, link.downstream, link.upstream))
    for place, part in chosen.items():
        there, back = _selected(part)
        forward.append(Axis(there, place, None))
        backward.append(Axis(back, None, place))
    linked = {link.downstream for link in links}
    for place, size in enumerate(downstream_sizes):
        if place not in linked:
            back, there = _selected(PartitionSet.all(size))
            forward.append(Axis(there, None, place))
            backward.append(Axis(back, place, None))
    return Relation(
        Grid(tuple(forward), upstream_sizes, downstream_sizes),
        Grid(tuple(backward), downstream_sizes, upstream_sizes),
        needs_each,
        awaited=awaited,
        cut=_cut(downstream_sizes, links),
        weigh_each=weigh_each,
    )


def combined(chosen: Mapping[int, PartitionSet], sizes: tuple[int, ...]) -> PartitionSet:
    """Return the partitions whose place on each axis is among the chosen ones."""
    flat, stride = count_to(math.prod(sizes)), 1
    found = PartitionSet.all(flat.len())
    for axis in reversed(range(len(sizes))):
        if not flat.is_empty():
            found = found & PartitionSet(chosen[axis].mask.gather(flat // stride % sizes[axis]))
        stride *= sizes[axis]
    return found


def _cut(sizes: tuple[int, ...], links: Sequence[Link]) -> pl.Series | None:
    """Return what all links cut together, as a number that none of them has without the others."""
    found: pl.Series | None = None
    flat = count_to(math.prod(sizes))
    for link in links:
        cut, stride = link.correspondence.cut, math.prod(sizes[link.downstream + 1 :])
        if cut is not None:
            spread = cut.gather(flat // stride % sizes[link.downstream])
            found = spread if found is None else found * _MIX + spread
    return found


def _selected(part: PartitionSet) -> tuple[Segments, Segments]:
    """Return what a single place is made from, which is these places of an axis; and the same the other way round."""
    ordinals = part.mask.arg_true().cast(INDEX)
    none, some = pl.Series([0], dtype=INDEX), pl.Series([ordinals.len()], dtype=INDEX)
    back = Segments(pl.repeat(0, part.size, dtype=INDEX, eager=True), part.mask.cast(INDEX), 1)
    return Segments(none, some, part.size, None if len(part) == part.size else ordinals), back


def _arranged(values: pl.Series, sizes: Sequence[int], order: Sequence[int | None]) -> pl.Series:
    """Return a row-major array with its axes in another order; none: an axis of one place, which is not there."""
    wanted = [axis for axis in order if axis is not None]
    if wanted == sorted(wanted):
        return values
    flat, index = count_to(values.len()), pl.repeat(0, values.len(), dtype=INDEX, eager=True)
    stride = 1
    for axis in reversed(wanted):
        index += flat // stride % sizes[axis] * math.prod(sizes[axis + 1 :])
        stride *= sizes[axis]
    return values.gather(index)


def _boxes(first: int, last: int, sizes: Sequence[int]) -> Iterator[tuple[tuple[int, int], ...]]:
    """Yield boxes that consecutive ordinals of a row-major array are made of, as first and last place on each axis."""
    if len(sizes) == 1:
        yield ((first, last),)
        return
    inner = math.prod(sizes[1:])
    (top, head), (bottom, tail) = divmod(first, inner), divmod(last, inner)
    if top == bottom:
        yield from (((top, top), *box) for box in _boxes(head, tail, sizes[1:]))
        return
    if head > 0:
        yield from (((top, top), *box) for box in _boxes(head, inner - 1, sizes[1:]))
        top += 1
    if tail < inner - 1:
        yield from (((bottom, bottom), *box) for box in _boxes(0, tail, sizes[1:]))
        bottom -= 1
    if top <= bottom:
        yield ((top, bottom), *((0, size - 1) for size in sizes[1:]))


def _flat(places: Sequence[Ordinals], sizes: Sequence[int]) -> Ordinals:
    """Return the ordinals of all combinations of places on the axes of a row-major array."""
    found: Ordinals = range(1)
    inner = 1
    for here, size in zip(reversed(places), reversed(sizes), strict=True):
        if len(found) == inner and isinstance(here, range):
            found = range(here.start * inner, here.stop * inner)
        elif len(here) == 1 and isinstance(found, range):
            found = range(here[0] * inner + found.start, here[0] * inner + found.stop)
        else:
            found = consecutive([place * inner + each for place in here for each in found])
        inner *= size
    return found


def _merged(parts: Sequence[Ordinals]) -> Ordinals:
    """Return the union."""
    ordered = sorted(filter(None, parts), key=lambda part: part[0])
    if not ordered:
        return range(0)
    stop = ordered[0][0]
    for part in ordered:
        if not isinstance(part, range) or part.start > stop:
            return consecutive(sorted(set[int]().union(*ordered)))
        stop = max(stop, part.stop)
    return range(ordered[0][0], stop)
