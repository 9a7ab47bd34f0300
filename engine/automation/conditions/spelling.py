"""Spelling: partitions by their keys, as they are written down for another process, whose definitions may differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions

Spelled: TypeAlias = tuple[tuple[str, str], ...]
"""First and last keys of ranges; the empty key is the whole of an asset that has no partitions."""


def spell(partitions: Partitions, chosen: PartitionSet) -> Spelled:
    """Return the ends of ranges; where keys have no order of their own, each key stands by itself."""
    if isinstance(partitions, TimePartitions):
        return tuple((partitions.key(first), partitions.key(last)) for first, last in chosen.ranges())
    return tuple((key, key) for key in map(partitions.key, chosen))


def unspell(partitions: Partitions, ends: Sequence[Sequence[str]]) -> PartitionSet:
    """Return the partitions that are written down, as far as the definition has them."""
    found = [(partitions.ordinal(first), partitions.ordinal(last)) for first, last in ends]
    known = [(first, last) for first, last in found if first is not None and last is not None]
    return PartitionSet.of_ranges(known, partitions.size)
