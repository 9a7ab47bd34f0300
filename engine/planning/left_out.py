"""LeftOut: partitions that cannot be made, since something that they are made from neither exists nor is planned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import AssetGraph, Edge, Node
from deltaworks.engine.planning.status import LakeStatus, Status


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Partitions that were asked for but lack an upstream."""

    asset: AssetKey
    partitions: PartitionSet
    upstream: AssetKey
    upstream_partitions: PartitionSet
    """Those that are missing; none: the upstream's definition has no partition that they could be made from."""
    command: str | None
    """What would make them, with everything that they lack; none: nothing would."""

    def reason(self, graph: AssetGraph) -> str:
        """Say why they cannot be made, and what would change that."""
        upstream = graph.nodes[self.upstream]
        if self.command is None:
            return f"{self.upstream} has no partition to make it from, its partitions are {upstream.partitions}"
        missing = upstream.spelled(self.upstream_partitions.ranges())
        return f"it is made from {missing}, which is missing. Make both: `{self.command}`"


def left_out(
    graph: AssetGraph,
    node: Node,
    wanted: PartitionSet,
    status: LakeStatus,
    planned: Mapping[AssetKey, PartitionSet],
) -> Iterator[LeftOut]:
    """Yield what of an asset's wanted partitions cannot be made, once for each upstream that it lacks.

    `planned` holds what is made of the asset's upstreams before it.
    """
    possible = wanted
    for edge in node.upstream:
        size = graph.nodes[edge.upstream].partitions.size
        uncovered = wanted - edge.correspondence.downstream(PartitionSet.all(size))
        possible = possible - uncovered  # what one input can never give needs no command for another
        if uncovered:
            yield LeftOut(node.key, uncovered, edge.upstream, PartitionSet.none(size), None)
    for edge in node.upstream:
        absent = status[edge.upstream].having(Status.MISSING)
        needed = needed_upstream(edge, possible, absent - planned.get(edge.upstream, PartitionSet.none(absent.size)))
        if needed:
            lacking = possible & edge.correspondence.downstream(needed)
            command = _command(graph, node, lacking, status)
            yield LeftOut(node.key, lacking, edge.upstream, needed, command)


def needed_upstream(edge: Edge, wanted: PartitionSet, absent: PartitionSet) -> PartitionSet:
    """Return the absent upstream partitions without which wanted ones cannot be made.

    An input that reads whatever partitions exist needs none in particular, but it needs one.
    """
    if edge.correspondence.needs_each or len(absent) == absent.size:
        return absent & edge.correspondence.upstream(wanted)
    return PartitionSet.none(absent.size)


def _command(graph: AssetGraph, node: Node, lacking: PartitionSet, status: LakeStatus) -> str:
    """Return the command whose range covers the partitions and all that they lack, however far up."""
    needed = {node.key: lacking}
    keys: list[str] = []
    for key in reversed(list(graph.nodes)):
        if not needed.get(key):
            continue
        each = graph.nodes[key]
        if each.partition_columns:
            ranges = needed[key].ranges()
            keys += [each.partitions.key(ranges[0][0]), each.partitions.key(ranges[-1][1])]
        for edge in each.upstream:
            more = needed_upstream(edge, needed[key], status[edge.upstream].having(Status.MISSING))
            needed[edge.upstream] = needed.get(edge.upstream, more) | more
    command = f"deltaworks backfill +{node.key}"
    return f"{command} --from {min(keys)} --to {max(keys)}" if keys else command
