"""Settle: which of the partitions that a condition asks for are requested now, and what keeps the others.

The rules that hold for every condition, in their order: what somebody chose stays, nothing is made twice at a time,
nothing is tried again from what it failed on, an upstream comes first, and only so many partitions at a time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from deltaworks.engine.automation.conditions.decision import Decision, Verdict
from deltaworks.engine.automation.conditions.sight import Sight
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.chain import follow
from deltaworks.engine.planning.graph import AssetGraph, Edge, Node
from deltaworks.engine.planning.remedy import lacking, needed_upstream, uncovered
from deltaworks.engine.planning.status import Status


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of the partitions that an asset's condition asks for."""

    requested: PartitionSet
    coming: PartitionSet
    """What is in progress or will be requested by and by: what is made from it waits for it."""
    decisions: tuple[Decision, ...] = ()


@dataclass(slots=True)
class Settling:
    """Takes from what is asked for, reason by reason, what is not requested now."""

    graph: AssetGraph
    sight: Sight
    done: Mapping[AssetKey, Settled]
    """Of the assets that come before, as far as they have conditions or are in progress."""
    node: Node
    left: PartitionSet
    """What is asked for and nothing has kept so far."""
    ticked_at: dt.datetime | None = None
    """The latest tick of the cron expressions in the condition: what was tried before it may be tried again."""
    decisions: list[Decision] = field(default_factory=list[Decision])
    waiting: PartitionSet = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing that waits."""
        self.waiting = PartitionSet.none(self.left.size)

    def settle(self, *, joins: bool, why: str) -> Settled:
        """Return what is requested, and what was decided about everything that is asked for.

        Args:
            joins: whether the condition asks for what becomes stale by this tick's own requests.
            why: what asks for the partitions.
        """
        being_made = self.sight.being_made(self.node.key)
        if self.left:
            self._keep_what_stands(being_made)
        for edge in self.node.upstream if self.left else ():
            if not edge.is_own:
                self._wait_for(edge)
        for edge in self.node.upstream if self.left else ():
            if not edge.is_own:
                self._lack(edge)
        own = [edge for edge in self.node.upstream if edge.is_own]
        if self.left and own:
            self._in_order(own, being_made, joins=joins)
        if self.left:
            self._limit(being_made, oldest_first=bool(own))
        self._take(self.left, Verdict.REQUESTED, why, is_kept=True)
        nothing = PartitionSet.none(self.left.size)  # the same one for all that are quiet
        return Settled(self.left or nothing, (self.waiting | being_made) or nothing, tuple(self.decisions))

    def _take(self, part: PartitionSet, verdict: Verdict, reason: str, *, is_kept: bool = False) -> None:
        part = part & self.left
        if not part:
            return
        self.decisions.append(Decision(self.node.key, part, verdict, reason))
        if verdict is Verdict.WAITS:
            self.waiting = self.waiting | part
        if not is_kept:
            self.left = self.left - part

    def _keep_what_stands(self, being_made: PartitionSet) -> None:
        external = self.sight.status[self.node.key].having(Status.EXTERNAL)
        self._take(external, Verdict.HELD, "somebody else wrote it last or rolled it back, so it is left as it is")
        self._take(being_made, Verdict.WAITS, "it is being made")
        nothing = "nothing that it is made from has changed since"
        since = nothing if self.ticked_at is None else f"{nothing}, nor has its clock ticked"
        for tried in self.sight.tried.get(self.node.key, ()):
            if self.ticked_at is None or tried.at >= self.ticked_at:
                self._take(tried.partitions - self._moved(), Verdict.HELD, f"{tried.reason}, and {since}")

    def _moved(self) -> PartitionSet:
        """Return what is made from what this tick requests."""
        moved = PartitionSet.none(self.left.size)
        for edge in self.node.upstream:
            upstream = self.done.get(edge.upstream)
            if upstream is not None and upstream.requested:
                moved = moved | edge.correspondence.downstream(upstream.requested)
        return moved

    def _wait_for(self, edge: Edge) -> None:
        """Let wait what is made from upstream partitions that are not what they will be."""
        upstream = self.done.get(edge.upstream)
        if upstream is None or not upstream.coming:
            return
        part = self.left & edge.correspondence.downstream(upstream.coming)
        if part:
            coming = upstream.coming & edge.correspondence.upstream(part)
            named = self.graph.nodes[edge.upstream].spelled(coming.ranges())
            self._take(part, Verdict.WAITS, f"upstream {named} is made first")

    def _lack(self, edge: Edge) -> None:
        """Keep what is made from upstream partitions that neither exist nor are requested."""
        upstream = self.sight.status[edge.upstream]
        never = uncovered(edge, self.left, upstream.node.partitions.size)
        if never:
            there = upstream.node.partitions
            reason = f"upstream {edge.upstream} has no partition that it could be made from; its partitions are {there}"
            self._take(never, Verdict.HELD, reason)
        absent = upstream.having(Status.MISSING)
        if edge.upstream in self.done:
            absent = absent - self.done[edge.upstream].requested
        lacks = lacking(edge, self.left, absent) if absent else absent
        if lacks:
            needed = needed_upstream(edge, lacks, absent)
            self._take(lacks, Verdict.HELD, _lacking_reason(self.graph, edge, needed, upstream.state.fault))

    def _in_order(self, own: list[Edge], being_made: PartitionSet, *, joins: bool) -> None:
        """Decide about an asset that reads itself: what is made moves what comes after it, what is missing stops it."""
        status, size = self.sight.status[self.node.key], self.left.size
        first = next(iter(being_made), None)
        if first is not None:
            later = PartitionSet.span(first + 1, size - 1, size)
            self._take(later, Verdict.WAITS, "an earlier partition of its own is being made")
        kept = PartitionSet.none(size)
        for each in self.decisions:
            kept = kept | each.partitions
        others = status.having(Status.FRESH, Status.STALE) - self.left - kept
        candidates = others if joins and first is None else PartitionSet.none(size)
        chosen, lacks = follow(self.left, candidates, status.having(Status.MISSING), own)
        self._take(lacks, Verdict.HELD, "an earlier partition of its own is missing and cannot be made now")
        self.left = chosen

    def _limit(self, being_made: PartitionSet, *, oldest_first: bool) -> None:
        most = self.node.asset.max_per_tick
        room = max(0, most - len(being_made))
        if len(self.left) <= room:
            return
        ordinals = self.left.ordinals
        chosen = PartitionSet.of(ordinals.head(room) if oldest_first else ordinals.tail(room), self.left.size)
        waits = self.left - chosen
        reason = f"{len(waits):,} wait for their turn, since at most {most:,} are made at a time (max_per_tick)"
        self._take(waits, Verdict.WAITS, reason)


def _lacking_reason(graph: AssetGraph, edge: Edge, needed: PartitionSet, fault: str | None) -> str:
    if fault is not None:
        return f"upstream {edge.upstream} cannot be read: {fault}"
    node = graph.nodes[edge.upstream]
    if not node.is_partitioned:
        return f"upstream {edge.upstream} missing"
    keys = node.spelled(needed.ranges()).removeprefix(f"{edge.upstream} ")
    return f"upstream {edge.upstream} missing for {keys}"


def without_condition(being_made: PartitionSet) -> Settled:
    """Return what is in progress of an asset without a condition, for which others wait."""
    return Settled(PartitionSet.none(being_made.size), being_made)
