"""Remedy: the command that would make partitions together with everything that they lack, however far up."""

from __future__ import annotations

from collections.abc import Sequence

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.multi_partitions import MultiPartitions
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.engine.planning.chain import follow, reaching_back
from deltaworks.engine.planning.graph import AssetGraph, Edge, Needs, Node
from deltaworks.engine.planning.selection_syntax import with_upstreams
from deltaworks.engine.planning.status import LakeStatus, Status


def lacking(edge: Edge, wanted: PartitionSet, absent: PartitionSet) -> PartitionSet:
    """Return which wanted partitions cannot be made for want of absent upstream ones."""
    match edge.needs:
        case Needs.EACH:
            return wanted & edge.correspondence.downstream(absent)
        case Needs.ONE:
            return wanted - edge.correspondence.downstream(PartitionSet.all(absent.size) - absent)
        case Needs.NONE:
            return PartitionSet.none(wanted.size)


def needed_upstream(edge: Edge, wanted: PartitionSet, absent: PartitionSet) -> PartitionSet:
    """Return the absent upstream partitions without which wanted ones cannot be made."""
    return absent & edge.correspondence.upstream(lacking(edge, wanted, absent))


def uncovered(edge: Edge, wanted: PartitionSet, upstream_size: int) -> PartitionSet:
    """Return which partitions cannot be made whatever is done.

    They map to no upstream partition at all, or to a key that is none.
    """
    if edge.may_read_nothing:
        return PartitionSet.none(wanted.size)
    return (wanted & edge.waiting) | (wanted - edge.correspondence.downstream(PartitionSet.all(upstream_size)))


def obtainable(graph: AssetGraph, node: Node, status: LakeStatus) -> PartitionSet:
    """Return the partitions that could be made, again or for the first time, if everything above them were."""
    found: dict[AssetKey, PartitionSet] = {}
    above = _above(graph, node)
    for key, each in graph.nodes.items():
        if key not in above:
            continue
        missing = status[key].having(Status.MISSING)
        possible = PartitionSet.all(missing.size) if each.asset.kind.is_made else PartitionSet.none(missing.size)
        for edge in each.upstream:
            if not edge.is_own:
                absent = PartitionSet.all(found[edge.upstream].size) - found[edge.upstream]
                possible = possible - uncovered(edge, possible, absent.size) - lacking(edge, possible, absent)
        own = [edge for edge in each.upstream if edge.is_own]
        if own:
            possible, _ = follow(possible, PartitionSet.none(missing.size), missing, own)
        if key == node.key:
            return possible
        found[key] = possible | (PartitionSet.all(missing.size) - missing)
    raise AssertionError("the asset is in the graph")


def remedy(graph: AssetGraph, node: Node, partitions: PartitionSet, status: LakeStatus) -> str:
    """Return the command whose range covers partitions and all that they lack."""
    needed = {node.key: partitions}
    parts: list[tuple[Partitions, PartitionSet]] = []
    for key in reversed(list(graph.nodes)):
        if not needed.get(key):
            continue
        each = graph.nodes[key]
        own = [edge for edge in each.upstream if edge.is_own and edge.needs is Needs.EACH]
        needed[key] = reaching_back(needed[key], status[key].having(Status.MISSING), own)
        if each.partition_columns:
            parts.append((each.partitions, needed[key]))
        for edge in each.upstream:
            if not edge.is_own:
                more = needed_upstream(edge, needed[key], status[edge.upstream].having(Status.MISSING))
                needed[edge.upstream] = needed.get(edge.upstream, more) | more
    ends = _ends(parts)
    return f"deltaworks backfill {with_upstreams(str(node.key))}" + (
        "" if ends is None else f" --from {ends[0]} --to {ends[1]}"
    )


def _above(graph: AssetGraph, node: Node) -> set[AssetKey]:
    above, waiting = {node.key}, [node]
    while waiting:
        for edge in waiting.pop().upstream:
            if edge.upstream not in above:
                above.add(edge.upstream)
                waiting.append(graph.nodes[edge.upstream])
    return above


def _ends(parts: Sequence[tuple[Partitions, PartitionSet]]) -> tuple[str, str] | None:
    """Return the keys of the narrowest range that covers partitions of several definitions; none: no range does.

    A key means its own window to whoever has it and a day or an instant to others, so what it covers is looked up.
    """
    bounds = [_bounds(partitions, chosen) for partitions, chosen in parts]
    times = [each for each in bounds if each is not None]
    if len(times) < len(bounds):
        return None
    firsts = sorted(times, key=lambda each: each[0].start_at(each[1]), reverse=True)
    lasts = sorted(times, key=lambda each: each[0].end_at(each[2]))
    for start, first, _ in firsts:
        for end, _, last in lasts:
            keys = start.key(first), end.key(last)
            if all(_covers(partitions, keys, chosen) for partitions, chosen in parts):
                return keys
    return None


def _covers(partitions: Partitions, keys: tuple[str, str], chosen: PartitionSet) -> bool:
    between = partitions.between(*keys)
    return between is not None and not chosen - between


def _bounds(partitions: Partitions, chosen: PartitionSet) -> tuple[TimePartitions, int, int] | None:
    """Return the partitions of time among these, and the first and the last that is chosen."""
    ordinals = chosen.mask.arg_true()
    if isinstance(partitions, MultiPartitions) and len(partitions.time_dimensions) == 1:
        (place,) = partitions.time_dimensions
        ordinals = ordinals // partitions.strides[place] % partitions.dimensions[place].size
        partitions = partitions.dimensions[place]
    if not isinstance(partitions, TimePartitions):
        return None
    return partitions, int(ordinals.min()), int(ordinals.max())  # type: ignore[arg-type]
