"""Idle: what is stale for no other reason than an upstream that is stale and cannot be made now.

To make it again would give what is there, and leave it as stale as it was, at every backfill anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.left_out import LeftOut
from deltaworks.engine.planning.status import AssetStatus, LakeStatus, Status


def idle(
    graph: AssetGraph,
    found: AssetStatus,
    wanted: PartitionSet,
    status: LakeStatus,
    stuck: Mapping[AssetKey, PartitionSet],
) -> Iterator[LeftOut]:
    """Yield the wanted partitions of an asset that making again would not change, once for each upstream that is stuck.

    Args:
        graph: the assets.
        found: the asset's status.
        wanted: what is to be made of it, none of it since an upstream is planned.
        status: that of every asset.
        stuck: what of its upstreams is stale, was asked for and cannot be made.
    """
    if any(given.edge.is_own for given in found.inputs):
        return  # the chain decides partition by partition
    waiting = wanted & found.having(Status.STALE) - found.state.failed - PartitionSet(
        found.code_changed | found.config_changed
    )
    held: dict[AssetKey, PartitionSet] = {}
    for given in found.inputs:
        edge = given.edge
        waiting = waiting - PartitionSet(given.changed | given.replaced | given.regrouped)
        stale = status[edge.upstream].having(Status.STALE)
        blocked = stale & stuck.get(edge.upstream, PartitionSet.none(stale.size))
        waiting = waiting - edge.correspondence.downstream(stale - blocked)
        if blocked:
            reached = edge.correspondence.downstream(blocked)
            held[edge.upstream] = held.get(edge.upstream, reached) | reached
    for upstream, reached in held.items():
        part = waiting & reached
        waiting = waiting - part
        if part:
            none = PartitionSet.none(graph.nodes[upstream].partitions.size)
            fault = f"it is stale only for {upstream}, which cannot be made now"
            yield LeftOut(found.node.key, part, upstream, none, None, fault=fault)
