"""Request: which partitions of which assets somebody asks about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.multi_partitions import MultiPartitions
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Dimension, Partitions
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.errors import RequestError, UnknownPartition


@dataclass(frozen=True, slots=True)
class Request:
    """Partitions of assets."""

    partitions: Mapping[AssetKey, PartitionSet]
    """Upstreams first."""
    named: tuple[str, ...] = ()
    """The keys that were named one by one."""
    ends: tuple[str, str] | None = None
    """The keys of the range that was named, both included."""

    @property
    def names_partitions(self) -> bool:
        """Whether the partitions were named one by one, so that leaving one out is not what was meant."""
        return bool(self.named)

    def without(self, graph: AssetGraph) -> tuple[AssetKey, ...]:
        """Return the partitioned assets that have none of the partitions that were named."""
        if not self.named and self.ends is None:
            return ()
        return tuple(key for key, asked in self.partitions.items() if not asked and graph.nodes[key].is_partitioned)


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
        return Request({}, tuple(named))
    nodes = [graph.nodes[key] for key in assets]
    keyed = [node for node in nodes if node.is_partitioned]
    if (named or from_key is not None) and not keyed:
        raise RequestError(f"Of {', '.join(map(str, assets))}, none has partitions: leave out the partition keys.")
    for key in named:
        if all(node.partitions.ordinal(key) is None for node in keyed):
            raise _unknown(keyed[0].key, keyed[0].partitions, key)
    for end in (from_key, to_key):
        if end is not None and not any(node.partitions.between(end, end) for node in keyed):
            raise _unknown(keyed[0].key, keyed[0].partitions, end)
    partitions = {node.key: _resolve(node, named, from_key, to_key) for node in nodes}
    if not any(partitions[node.key] for node in keyed) and from_key is not None:
        raise RequestError(f"The range is reversed: --from {from_key} comes after --to {to_key}.")
    ends = None if from_key is None or to_key is None else (from_key, to_key)
    return Request(partitions, tuple(named), ends)


def known_keys(asset: AssetKey, partitions: Partitions, named: Sequence[str]) -> list[str]:
    """Return the keys of partitions as their definition writes them, each once, in its order.

    Raises:
        UnknownPartition: one of them is no partition.
    """
    found: set[int] = set()
    for key in named:
        ordinal = partitions.ordinal(key)
        if ordinal is None:
            raise _unknown(asset, partitions, key)
        found.add(ordinal)
    return [partitions.key(ordinal) for ordinal in sorted(found)]


def _unknown(asset: AssetKey, partitions: Partitions, key: str) -> UnknownPartition:
    """Refuse a key, and say how what it may mean is asked for."""
    names, slices, meant = str(partitions), list[Dimension](), list[str]()
    if isinstance(partitions, MultiPartitions) and partitions.size:
        names += f", such as {partitions.key(0)!r}"
        slices += [partitions.dimensions[place] for place in partitions.time_dimensions]
    if isinstance(partitions, TimePartitions):
        meant = partitions.with_offsets(key)
    hint = ""
    if meant:
        hint = f" Its keys have an offset from UTC: {key} is {' or '.join(meant)}."
    elif partitions.between(key, key):
        hint = f" `deltaworks backfill {asset} --from {key} --to {key}` takes what overlaps it."
    elif len(slices) == 1:
        first = slices[0].key(0)
        hint = f" `deltaworks backfill {asset} --from {first} --to {first}` takes all of {first}."
    return UnknownPartition(key, str(asset), names, hint)


def _resolve(node: Node, named: Sequence[str], from_key: str | None, to_key: str | None) -> PartitionSet:
    size = node.partitions.size
    if not node.is_partitioned or (not named and from_key is None):
        return PartitionSet.all(size)
    if from_key is not None and to_key is not None:
        return node.partitions.between(from_key, to_key) or PartitionSet.none(size)
    return PartitionSet.of(node.partitions.ordinals(pl.Series(named, dtype=pl.String)).drop_nulls(), size)
