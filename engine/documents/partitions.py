"""Partitions: sets of partitions as JSON: how many, and as ranges of keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
    from deltaworks.engine.definitions.partitions.protocols import Partitions

MANY_RANGES = 50
"""From how many ranges on it is quicker to spell all keys as one column."""


def partitions_json(partitions: PartitionSet, definition: Partitions) -> dict[str, Any]:
    """Return a set of partitions as count and ranges; a single key is a range of itself."""
    return ranges_json(partitions.ranges(), definition)


def ranges_json(ranges: Sequence[tuple[int, int]], definition: Partitions) -> dict[str, Any]:
    """Return ranges of ordinals as count and ranges of keys."""
    # Imported here: --help must not load Polars.
    import polars as pl

    from deltaworks.engine.definitions.partitions.multi_partitions import key_ranges

    count, keyed = sum(last - first + 1 for first, last in ranges), key_ranges(ranges, definition)
    if len(keyed) < MANY_RANGES:
        return {"count": count, "ranges": [[definition.key(first), definition.key(last)] for first, last in keyed]}
    ends = pl.Series([end for each in keyed for end in each], dtype=pl.Int64)
    keys: list[str] = definition.keys(ends).to_list()
    return {"count": count, "ranges": [list(pair) for pair in zip(keys[::2], keys[1::2], strict=True)]}


def split_defined(keys: Sequence[str], definition: Partitions) -> tuple[PartitionSet, int]:
    """Return those of some keys that are partitions of a definition, and how many more there are."""
    # Imported here: --help must not load Polars.
    import polars as pl

    from deltaworks.engine.definitions.partitions.partition_set import PartitionSet

    ordinals = definition.ordinals(pl.Series(keys, dtype=pl.String))
    return PartitionSet.of(ordinals.drop_nulls(), definition.size), ordinals.null_count()
