"""LeftOut: partitions that cannot be made, since something that they are made from neither exists nor is planned."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.resolution import dynamic_dimensions
from deltaworks.engine.planning.graph import AssetGraph, Edge, Needs, Node
from deltaworks.engine.planning.remedy import lacking, needed_upstream, obtainable, remedy, uncovered
from deltaworks.engine.planning.status import LakeStatus, Status

_SHOWN_KEYS = 3


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
    awaited: tuple[str, ...] = ()
    """Keys that they are made from and that are no partitions of the upstream."""
    fault: str | None = None
    """What keeps them from being made that is no fault of the request; none: they lack what is named."""
    made: PartitionSet | None = None
    """Those of them that have content, where that matters."""

    def reason(self, graph: AssetGraph) -> str:
        """Say why they cannot be made, and what would change that."""
        if self.fault is not None:
            return self.fault
        upstream = graph.nodes[self.upstream]
        if self.awaited:
            are = "is no partition" if len(self.awaited) == 1 else "are no partitions"
            keys = ", ".join(self.awaited[:_SHOWN_KEYS])
            more = f" and {len(self.awaited) - _SHOWN_KEYS:,} more" if len(self.awaited) > _SHOWN_KEYS else ""
            return (
                f"it is made from {self.upstream} {keys}{more}, which {are}; the partitions of {self.upstream} are "
                f"{upstream.partitions}"
            )
        if not self.upstream_partitions:
            return f"{self.upstream} has no partition to make it from, its partitions are {upstream.partitions}"
        missing = upstream.spelled(self.upstream_partitions.ranges())
        if graph.is_source(self.upstream):
            reason = f"it is made from {missing}, which was not there when it was last observed"
            wipe = _wipe(graph.nodes[self.asset], self.made) if self.made else None
            return reason if wipe is None else f"{reason}; `{wipe}` deletes what was made from it"
        if not upstream.asset.kind.is_made:
            return f"it is made from {missing}, which is missing; others write it at {upstream.asset.location}"
        if self.command is None:
            return f"it is made from {missing}, which is missing and has nothing to be made from itself"
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
    upstream = [edge for edge in node.upstream if not edge.is_own]
    for edge in upstream:
        size = graph.nodes[edge.upstream].partitions.size
        never = uncovered(edge, wanted, size)
        possible = possible - never  # what one input can never give needs no command for another
        waits = never & edge.waiting
        for part, awaited in ((waits, _awaited(edge, waits)), (never - waits, ())):
            if part:
                yield LeftOut(node.key, part, edge.upstream, PartitionSet.none(size), None, awaited)
    for edge in upstream:
        absent = status[edge.upstream].having(Status.MISSING)
        absent = absent - planned.get(edge.upstream, PartitionSet.none(absent.size))
        lacks = lacking(edge, possible, absent)
        for part, can_be_made in _split(graph, node, lacks, status):
            needed = needed_upstream(edge, part, absent)
            command = remedy(graph, node, part, status) if can_be_made else None
            made = part - status[node.key].having(Status.MISSING)
            yield LeftOut(node.key, part, edge.upstream, needed, command, made=made)


def unobserved(graph: AssetGraph, status: LakeStatus) -> Iterator[AssetKey]:
    """Yield the sources of which nothing is known: whether they have what is needed is seen when they are observed."""
    for key in filter(graph.is_source, graph.nodes):
        absent = status[key].having(Status.MISSING)
        if absent.size and len(absent) == absent.size:
            yield key


def without(graph: AssetGraph, unreadable: Collection[AssetKey]) -> Mapping[AssetKey, AssetKey]:
    """Return tables that cannot be read and everything that hangs on them, each with the one that it hangs on."""
    followers = {
        key: dynamic.upstream
        for key, node in graph.nodes.items()
        for dynamic in dynamic_dimensions(node.partitions)
        if dynamic.upstream is not None and dynamic.upstream in unreadable
    }
    return _spread(graph, {**followers, **{key: key for key in unreadable}})


def below(graph: AssetGraph, keys: Iterable[AssetKey]) -> Mapping[AssetKey, AssetKey]:
    """Return some assets and everything downstream of them, each with the one of them that it is downstream of."""
    return _spread(graph, {key: key for key in keys})


def _spread(graph: AssetGraph, found: dict[AssetKey, AssetKey]) -> Mapping[AssetKey, AssetKey]:
    for key, node in graph.nodes.items():
        above = next((found[edge.upstream] for edge in node.upstream if edge.upstream in found), None)
        if above is not None:
            found.setdefault(key, above)
    return found


def lacking_own(
    graph: AssetGraph, node: Node, partitions: PartitionSet, absent: PartitionSet, status: LakeStatus
) -> Iterator[LeftOut]:
    """Yield what cannot be made of an asset that reads itself, for want of earlier partitions of its own."""
    for part, can_be_made in _split(graph, node, partitions, status):
        needed = PartitionSet.none(part.size)
        for edge in node.upstream:
            if edge.is_own and edge.needs is Needs.EACH:
                needed = needed | (absent & edge.correspondence.upstream(part))
        command = remedy(graph, node, part, status) if can_be_made else None
        yield LeftOut(node.key, part, node.key, needed - partitions or needed, command)


def _wipe(node: Node, partitions: PartitionSet) -> str | None:
    """Return the command that deletes some partitions; none: no short one names just them."""
    command = f"deltaworks wipe {node.key}"
    if not node.is_partitioned:
        return command
    ranges = partitions.ranges()
    first, last = (shlex.quote(node.partitions.key(ordinal)) for ordinal in (ranges[0][0], ranges[-1][1]))
    if len(partitions) <= _SHOWN_KEYS:
        keys = (f"--partition {shlex.quote(node.partitions.key(ordinal))}" for ordinal in partitions)
        return " ".join([command, *keys])
    is_range = len(ranges) == 1 and len(node.partitions.dimensions) == 1
    return f"{command} --from {first} --to {last}" if is_range else None


def _awaited(edge: Edge, partitions: PartitionSet) -> tuple[str, ...]:
    """Return the keys that partitions wait for, each once."""
    awaited = edge.correspondence.awaited
    return () if awaited is None else tuple(awaited.filter(partitions.mask).unique(maintain_order=True))


def _split(
    graph: AssetGraph, node: Node, partitions: PartitionSet, status: LakeStatus
) -> Iterator[tuple[PartitionSet, bool]]:
    """Yield the partitions that could be made with all that they lack, and those that could not."""
    if partitions:
        possible = obtainable(graph, node, status)
        for part, can_be_made in ((partitions & possible, True), (partitions - possible, False)):
            if part:
                yield part, can_be_made
