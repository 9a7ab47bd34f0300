"""Chain: an asset that is made from earlier partitions of its own, decided partition by partition in their order.

What one of its partitions is depends on what was decided about those before it, so unlike everything else here this
cannot be done on whole columns. It is done only where something depends on it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from deltaworks.engine.definitions.mappings.segments import Ordinals
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import Edge, Needs


def carried(stale: pl.Series, made: PartitionSet, own: Sequence[Edge]) -> pl.Series:
    """Return which partitions are stale (Boolean), by themselves or since an earlier one that they read is.

    Args:
        stale: those that are by themselves; only of `made`.
        made: those that the engine made last; no other can be stale.
        own: the edges by which the asset reads itself.
    """
    if not own or not stale.any():
        return stale
    found, is_stale = _Settled(), stale.to_list()
    for ordinal in made:
        if is_stale[ordinal] or found.meets(_earlier(own, ordinal)):
            found.add(ordinal)
    return PartitionSet.of(found, stale.len()).mask


def follow(
    wanted: PartitionSet, candidates: PartitionSet, absent: PartitionSet, own: Sequence[Edge]
) -> tuple[PartitionSet, PartitionSet]:
    """Return what is made of an asset that reads itself, and what cannot be made since an earlier partition is absent.

    Args:
        wanted: what is made whatever happens to earlier partitions.
        candidates: what else is asked for, exists, and is made if an earlier one that it reads is.
        absent: what is missing now.
        own: the edges by which the asset reads itself.
    """
    chosen, still_absent, lacking = _Settled(), _Settled(), list[int]()
    needed = [edge for edge in own if edge.needs is Needs.EACH]
    is_wanted, is_asked, is_absent = (each.mask.to_list() for each in (wanted, wanted | candidates, absent))
    for ordinal in wanted | candidates | absent:
        is_made = is_wanted[ordinal] or (is_asked[ordinal] and chosen.meets(_earlier(own, ordinal)))
        if is_made and still_absent.meets(_earlier(needed, ordinal)):
            lacking.append(ordinal)
            is_made = False
        if is_made:
            chosen.add(ordinal)
        elif is_absent[ordinal]:
            still_absent.add(ordinal)
    return PartitionSet.of(chosen, wanted.size), PartitionSet.of(lacking, wanted.size)


def reaching_back(partitions: PartitionSet, among: PartitionSet, own: Sequence[Edge]) -> PartitionSet:
    """Return partitions with all those `among` others before them that they read, and that those read in turn."""
    if not own or not among - partitions:
        return partitions
    found, is_asked = _Settled(backwards=True), partitions.mask.to_list()
    for ordinal in reversed(list(partitions | among)):
        if is_asked[ordinal] or found.meets(edge.correspondence.downstream_of(ordinal) for edge in own):
            found.add(ordinal)
    return PartitionSet.of(found, partitions.size)


def _earlier(own: Sequence[Edge], ordinal: int) -> Iterator[Ordinals]:
    return (edge.correspondence.upstream_of(ordinal, ordinal) for edge in own)


class _Settled:
    """Ordinals that are settled one after the other, in ascending order or backwards.

    Whether a window meets them takes two comparisons, however wide it is: windows may go back to the first partition.
    """

    def __init__(self, *, backwards: bool = False) -> None:
        self._sign = -1 if backwards else 1
        self._signed: list[int] = []
        """Ascending: backwards, the negative ordinals."""
        self._all: set[int] = set()

    def add(self, ordinal: int) -> None:
        self._signed.append(self._sign * ordinal)
        self._all.add(ordinal)

    def meets(self, windows: Iterable[Ordinals]) -> bool:
        return bool(self._all) and any(map(self._meets_one, windows))

    def __iter__(self) -> Iterator[int]:
        return iter(self._all)

    def _meets_one(self, window: Ordinals) -> bool:
        if not isinstance(window, range):
            return not self._all.isdisjoint(window)
        if not window:
            return False
        least, most = sorted((self._sign * window[0], self._sign * window[-1]))
        place = bisect_left(self._signed, least)
        return place < len(self._signed) and self._signed[place] <= most
