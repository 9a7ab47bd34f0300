"""Plan: which steps a request needs, in which order, and why.

A plan is computed from values alone (graph, status, request): no file, no clock, no Delta. The same inputs give the
same plan, so the command line, a daemon and a test all see the same answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.causes import status_groups
from deltaworks.engine.planning.chain import follow
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.idle import idle
from deltaworks.engine.planning.left_out import LeftOut, below, lacking_own, left_out, unobserved, without
from deltaworks.engine.planning.request import Request
from deltaworks.engine.planning.status import AssetStatus, LakeStatus, Status
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


@dataclass(frozen=True)
class Plan:
    """What a request comes to."""

    steps: tuple[Step, ...]
    """Upstreams first."""
    left_out: tuple[LeftOut, ...]
    """What was asked for but lacks an upstream."""
    planned: Mapping[AssetKey, PartitionSet] = field(default_factory=dict[AssetKey, PartitionSet])
    """All steps of each asset together, upstreams first; only assets with a step."""
    only: frozenset[Only] = DEFAULT_ONLY
    """What was asked for: it decides again about a partition that somebody else changes meanwhile."""
    held: Mapping[AssetKey, str] = field(default_factory=dict[AssetKey, str])
    """Why nothing is made of some assets or below them that is no fault of the request."""
    failing: Mapping[AssetKey, frozenset[str]] = field(default_factory=dict[AssetKey, frozenset[str]])
    """The keys that failed when they were tried last, planned or not; only of planned assets that have any."""

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


def plan(
    graph: AssetGraph,
    status: LakeStatus,
    request: Request,
    only: frozenset[Only] = DEFAULT_ONLY,
    unseen: Collection[AssetKey] = (),
    migrating: Collection[AssetKey] = (),
    unfit: Collection[AssetKey] = (),
) -> Plan:
    """Decide what a request needs.

    Args:
        graph: the assets.
        status: that of each; nothing is made below tables that cannot be read.
        request: what is asked for.
        only: which of it is to be made.
        unseen: sources that could not be observed: nothing below them is made.
        migrating: assets whose tables take nothing before they are migrated: neither they nor what is below them.
        unfit: assets that cannot rely on the tables of others that they read: the same.

    Raises:
        RequestError: partitions that the request names one by one, or all that it comes to, lack an upstream; or no
            run makes any of its assets.
    """
    made_here = {key: asked for key, asked in request.partitions.items() if graph.nodes[key].asset.kind.is_made}
    held, unknown = _held(graph, status, unseen, migrating, unfit), below(graph, unobserved(graph, status))
    if request.partitions and not made_here and not any(map(graph.is_source, request.partitions)):
        raise RequestError(_nothing_to_make(graph, request))
    steps: list[Step] = []
    lacking: list[LeftOut] = []
    planned: dict[AssetKey, PartitionSet] = {}
    stuck: dict[AssetKey, PartitionSet] = {}
    for key, asked in made_here.items():
        node, found = graph.nodes[key], status[key]
        wanted, reached = asked & matching(found, only), _moved_by_plan(node, found, planned)
        moved = asked & reached - wanted
        if key in held:
            lacks = list(_withheld(graph, key, wanted | moved, *held[key]))
        else:
            by_status = PartitionSet.none(wanted.size) if Only.ALL in only else wanted - reached
            lacks = _lacks(graph, found, wanted | moved, by_status, status, planned, stuck)
        without = _all_of(lacks, wanted.size)
        stuck[key], possible = without & found.having(Status.STALE), (wanted | moved) - without
        if key not in held and any(edge.is_own for edge in node.upstream):
            others = (asked & found.having(Status.FRESH, Status.STALE)) - wanted - moved
            possible, more = _in_order(graph, node, possible, others, status, planned)
            lacks += more
        wanted, moved = wanted & possible, possible - wanted
        lacking += _for_want_of(status, unknown[key], lacks) if key in unknown else lacks
        steps += _steps(found, status, wanted)
        if wanted or moved:
            planned[key] = wanted | moved
        steps += _moved_steps(node, moved, planned)
    _refuse_empty(graph, status, replace(request, partitions=made_here), lacking, planned)
    return Plan(tuple(steps), tuple(lacking), planned, only, failing=failing_keys(status, planned))


def failing_keys(status: LakeStatus, assets: Iterable[AssetKey]) -> dict[AssetKey, frozenset[str]]:
    """Return the keys of some assets' partitions whose last attempt failed; only of assets that have any."""
    states = {key: status[key].state for key in assets}
    return {key: frozenset(map(each.partitions.key, each.failures)) for key, each in states.items() if each.failures}


def _held(
    graph: AssetGraph,
    status: Mapping[AssetKey, AssetStatus],
    unseen: Collection[AssetKey],
    migrating: Collection[AssetKey],
    unfit: Collection[AssetKey],
) -> dict[AssetKey, tuple[AssetKey, str]]:
    """Return everything that is not made whatever is asked for, with the asset that holds it back and why that does."""
    unreadable = {key for key, found in status.items() if found.state.fault is not None}
    return {
        **_because(below(graph, migrating), "the table of {} needs a migration first"),
        **_because(below(graph, unfit), "{} reads columns that are not as it expects"),
        **_because(without(graph, unreadable), "{} cannot be read"),
        **_because(below(graph, unseen), "{} could not be observed"),
    }


def _because(held: Mapping[AssetKey, AssetKey], why: str) -> dict[AssetKey, tuple[AssetKey, str]]:
    return {key: (holding, why.format(holding)) for key, holding in held.items()}


def _withheld(graph: AssetGraph, key: AssetKey, wanted: PartitionSet, first: AssetKey, fault: str) -> Iterator[LeftOut]:
    """Yield all that is to be made of an asset that is held back by itself or one above it."""
    if wanted:
        none = PartitionSet.none(graph.nodes[first].partitions.size)
        yield LeftOut(key, wanted, first, none, None, fault=fault)


def _lacks(
    graph: AssetGraph,
    found: AssetStatus,
    chosen: PartitionSet,
    by_status: PartitionSet,
    status: LakeStatus,
    planned: Mapping[AssetKey, PartitionSet],
    stuck: Mapping[AssetKey, PartitionSet],
) -> list[LeftOut]:
    """Return what cannot be made of an asset for want of an upstream, and what would be made in vain.

    Args:
        graph: the assets.
        found: the asset's status.
        chosen: what is to be made of it.
        by_status: what of that is chosen for nothing but its status.
        status: that of every asset.
        planned: what is made of its upstreams.
        stuck: what of them is stale, was asked for and cannot be made.
    """
    lacks = list(left_out(graph, found.node, chosen, status, planned))
    by_status = by_status - _all_of(lacks, chosen.size)
    return [*lacks, *idle(graph, found, by_status, status, stuck)] if by_status else lacks


def _for_want_of(status: LakeStatus, source: AssetKey, lacks: Sequence[LeftOut]) -> Iterator[LeftOut]:
    """Yield what an asset below a source lacks of which nothing is known, the reason said of what is no fault yet."""
    is_new = status[source].state.version is None
    nothing = f"nothing has been observed of {source}"
    if not is_new:
        nothing = f"there was nothing of {source} when it was last observed"
    for each in lacks:
        yield replace(each, fault=each.fault or nothing)


def matching(found: AssetStatus, only: frozenset[Only]) -> PartitionSet:
    """Return the partitions of an asset that are to be made, whatever else is planned."""
    if Only.ALL in only:
        return PartitionSet.all(found.node.partitions.size)
    by_status = {Only.MISSING: Status.MISSING, Only.STALE: Status.STALE, Only.EXTERNAL: Status.EXTERNAL}
    matching = found.having(*(status for each, status in by_status.items() if each in only))
    if Only.FAILED in only:
        matching = matching | (found.state.failed - found.having(Status.EXTERNAL))
    return matching


def _in_order(
    graph: AssetGraph,
    node: Node,
    possible: PartitionSet,
    others: PartitionSet,
    status: LakeStatus,
    planned: Mapping[AssetKey, PartitionSet],
) -> tuple[PartitionSet, list[LeftOut]]:
    """Decide about an asset that reads itself: what is made moves what comes after it, what cannot be made stops it.

    Args:
        graph: the assets.
        node: the asset.
        possible: what is to be made of it whatever is made before.
        others: what else is asked for and exists.
        status: that of every asset.
        planned: what is made of its upstreams.
    """
    own = [edge for edge in node.upstream if edge.is_own]
    absent = status[node.key].having(Status.MISSING)
    stuck = list(left_out(graph, node, others, status, planned))
    free = others - _all_of(stuck, others.size)
    chosen, lacks = follow(possible, free, absent, own)
    left = list(lacking_own(graph, node, lacks, absent - chosen, status))
    for edge in own:
        moved = edge.correspondence.downstream(chosen)
        left += [replace(each, partitions=part) for each in stuck if (part := each.partitions & moved)]
    return chosen, left


def _all_of(lacking: Sequence[LeftOut], size: int) -> PartitionSet:
    found = PartitionSet.none(size)
    for each in lacking:
        found = found | each.partitions
    return found


def _moved_by_plan(node: Node, found: AssetStatus, planned: Mapping[AssetKey, PartitionSet]) -> PartitionSet:
    """Return what exists and will be stale once its planned upstreams are made."""
    moved = PartitionSet.none(node.partitions.size)
    for upstream in {edge.upstream for edge in node.upstream if not edge.is_own}:
        moved = moved | _reached(node, upstream, planned)
    return moved & found.having(Status.FRESH, Status.STALE)


def _steps(found: AssetStatus, status: LakeStatus, wanted: PartitionSet) -> Iterator[Step]:
    """Yield one step for each set of reasons, in the order in which the first of its partitions comes."""
    for each in status_groups(found, status, wanted, by_failure=True):
        reasons = each.causes
        if each.status in (Status.MISSING, Status.EXTERNAL):
            reasons = (f"{each.status.word}: {reasons[0]}",)
        if each.failure is not None:
            reasons = (each.failure, *reasons)
        yield Step(found.node.key, PartitionSet.of_ranges(each.ranges, wanted.size), reasons or ("requested",))


def _moved_steps(node: Node, moved: PartitionSet, planned: Mapping[AssetKey, PartitionSet]) -> Iterator[Step]:
    """Yield one step for each set of planned upstreams that partitions are made from."""
    by_upstreams: dict[tuple[str, ...], PartitionSet] = {(): moved} if moved else {}
    for upstream in dict.fromkeys(edge.upstream for edge in node.upstream):
        reached = _reached(node, upstream, planned)
        split: dict[tuple[str, ...], PartitionSet] = {}
        for names, part in by_upstreams.items():
            split |= {(*names, str(upstream)): part & reached, names: part - reached}
        by_upstreams = {names: part for names, part in split.items() if part}
    for names, part in by_upstreams.items():
        yield Step(node.key, part, (f"upstream: {', '.join(names)} {'is' if len(names) == 1 else 'are'} planned",))


def _reached(node: Node, upstream: AssetKey, planned: Mapping[AssetKey, PartitionSet]) -> PartitionSet:
    reached = PartitionSet.none(node.partitions.size)
    for edge in node.upstream:
        if edge.upstream == upstream and upstream in planned:
            reached = reached | edge.correspondence.downstream(planned[upstream])
    return reached


def _nothing_to_make(graph: AssetGraph, request: Request) -> str:
    named = (f"{key} ({graph.nodes[key].asset.kind.origin})" for key in request.partitions)
    return f"No run makes {', '.join(named)}."


def _refuse_empty(
    graph: AssetGraph,
    status: LakeStatus,
    request: Request,
    lacking: Sequence[LeftOut],
    planned: Mapping[AssetKey, PartitionSet],
) -> None:
    """Refuse a request that names what cannot be made, or of which nothing is there and nothing can be made.

    What is left out by no fault of the request may still be made, once its source is observed: it is not refused.
    """
    nodes = graph.nodes
    at_fault = [left for left in lacking if left.fault is None]
    named = (left for left in at_fault if request.names_partitions and nodes[left.asset].is_partitioned)
    is_there = any(asked - status[key].having(Status.MISSING) for key, asked in request.partitions.items())
    is_empty = not planned and not is_there and len(at_fault) == len(lacking)
    left = next(named, at_fault[0] if at_fault and is_empty else None)
    if left is not None:
        raise RequestError(f"Cannot make {nodes[left.asset].spelled(left.partitions.ranges())}: {left.reason(graph)}")
