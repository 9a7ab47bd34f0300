"""Request: which partitions of which assets somebody asks about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.errors import RequestError, UnknownPartition


@dataclass(frozen=True, slots=True)
class Request:
    """Partitions of assets."""

    partitions: Mapping[AssetKey, PartitionSet]
    """Upstreams first."""
    names_partitions: bool = False
    """Whether the partitions were named one by one, so that leaving one out is not what was meant."""


def request(
    graph: AssetGraph,
    assets: Sequence[AssetKey],
    named: Sequence[str] = (),
    from_key: str | None = None,
    to_key: str | None = None,
) -> Request:
    """Resolve partition keys for some assets, given upstreams first.

    Keys are named one by one, or as a range with both ends included; none means every partition. A range of time takes
    from each asset what it overlaps. Unpartitioned assets join whatever keys are given.

    Raises:
        UnknownPartition: a key is no partition of any of the assets.
        RequestError: a range has only one end, is reversed, or comes together with named keys.
    """
    if named and (from_key is not None or to_key is not None):
        raise RequestError("Name partitions by --partition or by --from and --to, not by both.")
    if (from_key is None) != (to_key is None):
        raise RequestError("A range needs both ends: --from KEY --to KEY, both included.")
    if not assets:
        return Request({}, names_partitions=bool(named))
    nodes = [graph.nodes[key] for key in assets]
    keyed = [node for node in nodes if node.partition_columns]
    if (named or from_key is not None) and not keyed:
        raise RequestError(f"Of {', '.join(map(str, assets))}, none has partitions: leave out the partition keys.")
    for key in named:
        if all(node.partitions.ordinal(key) is None for node in keyed):
            raise UnknownPartition(key, str(keyed[0].key), str(keyed[0].partitions))
    for end in (from_key, to_key):
        if end is not None and not any(node.partitions.between(end, end) for node in keyed):
            raise UnknownPartition(end, str(keyed[0].key), str(keyed[0].partitions))
    partitions = {node.key: _resolve(node, named, from_key, to_key) for node in nodes}
    if not any(partitions[node.key] for node in keyed) and from_key is not None:
        raise RequestError(f"The range is reversed: --from {from_key} comes after --to {to_key}.")
    return Request(partitions, names_partitions=bool(named))


def _resolve(node: Node, named: Sequence[str], from_key: str | None, to_key: str | None) -> PartitionSet:
    size = node.partitions.size
    if not node.partition_columns or (not named and from_key is None):
        return PartitionSet.all(size)
    if from_key is not None and to_key is not None:
        return node.partitions.between(from_key, to_key) or PartitionSet.none(size)
    return PartitionSet.of(node.partitions.ordinals(pl.Series(named, dtype=pl.String)).drop_nulls(), size)
