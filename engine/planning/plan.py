"""Plan: which steps a request needs, in which order, and why.

A plan is computed from values alone (graph, status, request): no file, no clock, no Delta. The same inputs give the
same plan, so the command line, a daemon and a test all see the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import AssetGraph, Edge, Node
from deltaworks.engine.planning.request import Request
from deltaworks.engine.planning.status import AssetStatus, LakeStatus, Status, status_ranges
from deltaworks.errors import RequestError


class Only(StrEnum):
    """Which partitions of a request are to be made."""

    MISSING = "missing"
    """Those without content."""
    STALE = "stale"
    """Those whose code or upstreams changed."""
    FAILED = "failed"
    """Those whose last attempt failed."""
    EXTERNAL = "external"
    """Those that somebody else wrote last."""
    ALL = "all"
    """Every one."""


DEFAULT_ONLY = frozenset({Only.MISSING, Only.STALE, Only.FAILED})
"""What a backfill makes unless it is told otherwise: an outside write is somebody's choice and stays."""


@dataclass(frozen=True, slots=True)
class Step:
    """Partitions of one asset that are to be made for the same reasons."""

    asset: AssetKey
    partitions: PartitionSet
    reasons: tuple[str, ...]
    """Why, the most telling first; never empty."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Partitions that were asked for but cannot be made, since an upstream neither exists nor is planned."""

    asset: AssetKey
    partitions: PartitionSet
    upstream: AssetKey
    upstream_partitions: PartitionSet
    command: str
    """What would make the upstream."""


@dataclass(frozen=True)
class Plan:
    """What a request comes to."""

    steps: tuple[Step, ...]
    """Upstreams first."""
    left_out: tuple[LeftOut, ...]
    planned: Mapping[AssetKey, PartitionSet] = field(default_factory=dict[AssetKey, PartitionSet])
    """All steps of each asset together, upstreams first; only assets with a step."""

    @property
    def partition_count(self) -> int:
        """How many partitions the steps make."""
        return sum(map(len, self.planned.values()))

    @property
    def left_out_count(self) -> int:
        """How many partitions were left out."""
        by_asset: dict[AssetKey, PartitionSet] = {}
        for left in self.left_out:
            by_asset[left.asset] = by_asset.get(left.asset, left.partitions) | left.partitions
        return sum(map(len, by_asset.values()))


def plan(graph: AssetGraph, status: LakeStatus, request: Request, only: frozenset[Only] = DEFAULT_ONLY) -> Plan:
    """Decide what a request needs.

    Raises:
        RequestError: partitions that the request names one by one, or all that it comes to, lack an upstream.
    """
    steps: list[Step] = []
    left_out: list[LeftOut] = []
    planned: dict[AssetKey, PartitionSet] = {}
    for key, asked in request.partitions.items():
        node, found = graph.nodes[key], status[key]
        wanted = asked & _matching(found, only)
        moved = asked & _moved_by_plan(node, found, planned) - wanted
        lacking = list(_lacking(node, wanted | moved, status, planned))
        for left in lacking:
            wanted, moved = wanted - left.partitions, moved - left.partitions
        left_out += lacking
        steps += _steps(node, found, status, wanted, moved, planned)
        if wanted or moved:
            planned[key] = wanted | moved
    _refuse_empty(request, left_out, planned)
    return Plan(tuple(steps), tuple(left_out), planned)


def _matching(found: AssetStatus, only: frozenset[Only]) -> PartitionSet:
    if Only.ALL in only:
        return PartitionSet.all(found.node.partitions.size)
    by_status = {Only.MISSING: Status.MISSING, Only.STALE: Status.STALE, Only.EXTERNAL: Status.EXTERNAL}
    matching = found.having(*(status for each, status in by_status.items() if each in only))
    if Only.FAILED in only:
        matching = matching | (found.state.failed - found.having(Status.EXTERNAL))
    return matching


def _moved_by_plan(node: Node, found: AssetStatus, planned: Mapping[AssetKey, PartitionSet]) -> PartitionSet:
    """Return what exists and will be stale once its planned upstreams are made."""
    moved = PartitionSet.none(node.partitions.size)
    for edge in node.upstream:
        if edge.upstream in planned:
            moved = moved | edge.correspondence.downstream(planned[edge.upstream])
    return moved & found.having(Status.FRESH, Status.STALE)


def _lacking(
    node: Node, wanted: PartitionSet, status: LakeStatus, planned: Mapping[AssetKey, PartitionSet]
) -> Iterator[LeftOut]:
    for edge in node.upstream:
        if not edge.correspondence.needs_each:
            continue
        absent = status[edge.upstream].having(Status.MISSING)
        absent = absent - planned.get(edge.upstream, PartitionSet.none(absent.size))
        lacking = wanted & edge.correspondence.downstream(absent)
        if lacking:
            needed = absent & edge.correspondence.upstream(lacking)
            command = _command(status[edge.upstream].node, edge, needed)
            yield LeftOut(node.key, lacking, edge.upstream, needed, command)


def _command(upstream: Node, edge: Edge, needed: PartitionSet) -> str:
    command = f"deltaworks backfill +{edge.upstream} {edge.downstream}"
    if not upstream.partition_columns:
        return command
    ranges = needed.ranges()
    first, last = upstream.partitions.key(ranges[0][0]), upstream.partitions.key(ranges[-1][1])
    return f"{command} --from {first} --to {last}"


def _steps(
    node: Node,
    found: AssetStatus,
    status: LakeStatus,
    wanted: PartitionSet,
    moved: PartitionSet,
    planned: Mapping[AssetKey, PartitionSet],
) -> Iterator[Step]:
    """Yield one step for each set of reasons, in the order in which the first of its partitions comes."""
    by_reasons: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for each in status_ranges(found, status, wanted):
        reasons = each.causes or ("requested",)
        if each.status in (Status.MISSING, Status.EXTERNAL):
            reasons = (f"{each.status.word}: {reasons[0]}",)
        by_reasons.setdefault(reasons, []).append((each.first, each.last))
    for reasons, ranges in by_reasons.items():
        yield Step(node.key, _union(ranges, wanted.size), reasons)
    if moved:
        upstreams = ", ".join(str(edge.upstream) for edge in node.upstream if edge.upstream in planned)
        yield Step(node.key, moved, (f"upstream: {upstreams} is planned",))


def _union(ranges: Sequence[tuple[int, int]], size: int) -> PartitionSet:
    return PartitionSet.of((ordinal for first, last in ranges for ordinal in range(first, last + 1)), size)


def _refuse_empty(request: Request, left_out: Sequence[LeftOut], planned: Mapping[AssetKey, PartitionSet]) -> None:
    if left_out and (request.names_partitions or not planned):
        left = left_out[0]
        raise RequestError(
            f"{len(left.partitions)} partitions of {left.asset} cannot be made: {len(left.upstream_partitions)} "
            f"partitions of their upstream {left.upstream} are missing. Make them too: `{left.command}`"
        )
