"""Chain: an asset that is made from earlier partitions of its own, decided partition by partition in their order.

What one of its partitions is depends on what was decided about those before it, so unlike everything else here this
cannot be done on whole columns. It is done only where something depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from deltaworks.engine.definitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import Edge


def carried(stale: pl.Series, made: PartitionSet, own: Sequence[Edge]) -> pl.Series:
    """Return which partitions are stale (Boolean), by themselves or since an earlier one that they read is.

    Args:
        stale: those that are by themselves; only of `made`.
        made: those that the engine made last; no other can be stale.
        own: the edges by which the asset reads itself.
    """
    if not own or not stale.any():
        return stale
    found = stale.to_list()
    for ordinal in made:
        if not found[ordinal]:
            found[ordinal] = any(found[earlier] for earlier in _earlier(own, ordinal))
    return pl.Series(found, dtype=pl.Boolean)


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
    chosen, lacking = set[int](), set[int]()
    is_wanted, is_absent = set(wanted), set(absent)
    for ordinal in wanted | candidates:
        earlier = list(_earlier(own, ordinal))
        if ordinal in is_wanted or not chosen.isdisjoint(earlier):
            needed = (each for edge in own if edge.needs_each for each in _earlier([edge], ordinal))
            lacks = any(each in is_absent and each not in chosen for each in needed)
            (lacking if lacks else chosen).add(ordinal)
    return PartitionSet.of(sorted(chosen), wanted.size), PartitionSet.of(sorted(lacking), wanted.size)


def reaching_back(partitions: PartitionSet, among: PartitionSet, own: Sequence[Edge]) -> PartitionSet:
    """Return partitions with all those `among` others before them that they read, and that those read in turn."""
    waiting, found = list(partitions), set(partitions)
    unseen = set(among) - found
    while own and waiting:
        for earlier in _earlier(own, waiting.pop()):
            if earlier in unseen:
                unseen.remove(earlier)
                found.add(earlier)
                waiting.append(earlier)
    return PartitionSet.of(sorted(found), partitions.size)


def _earlier(own: Sequence[Edge], ordinal: int) -> Iterator[int]:
    return (each for edge in own for each in edge.correspondence.upstream_of(ordinal, ordinal))
