"""Agenda: which partitions of a plan may be made now, which wait, and which can no longer be made.

A partition is ready when all planned upstream partitions that it is made from are committed. Nothing here touches the
world: the coordinator says what was committed or failed, and takes what is ready.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph, Edge
from deltaworks.engine.planning.plan import Plan

CHUNK = 100
"""Partitions are taken in chunks of so many ordinals across all assets, so that downstream tables appear early and what
was just written is read while it is in the page cache."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A partition that cannot be made in this run."""

    asset: AssetKey
    ordinal: int
    upstream: AssetKey
    upstream_ordinal: int


class Agenda:
    """The partitions of a plan, from waiting over ready to settled."""

    def __init__(self, graph: AssetGraph, plan: Plan) -> None:
        self._graph = graph
        self._rank = {key: rank for rank, key in enumerate(plan.planned)}
        self._waits: dict[AssetKey, dict[int, int]] = {
            key: dict.fromkeys(part, 0) for key, part in plan.planned.items()
        }
        self._gates: dict[tuple[AssetKey, str], int] = {}
        self._ready: list[tuple[int, int, int, AssetKey]] = []
        self._is_ready: set[tuple[AssetKey, int]] = set()
        for key in plan.planned:
            for edge in graph.nodes[key].upstream:
                if edge.upstream in plan.planned:
                    self._wait_for(edge, plan)
        for key, waits in self._waits.items():
            for ordinal, count in waits.items():
                if count == 0:
                    self._make_ready(key, ordinal)

    def take(self) -> tuple[AssetKey, int, int] | None:
        """Take the next ready partitions of one asset, from first to last, or none if nothing is ready."""
        while self._ready:
            _, _, first, key = heapq.heappop(self._ready)
            if (key, first) not in self._is_ready:
                continue
            self._is_ready.remove((key, first))
            last = first
            node = self._graph.nodes[key]
            end = min(node.partitions.run_end(first), first + node.asset.backfill.max_partitions - 1)
            while last < end and (key, last + 1) in self._is_ready:
                last += 1
                self._is_ready.remove((key, last))
            return key, first, last
        return None

    @property
    def has_ready(self) -> bool:
        """Whether `take` would give something."""
        return bool(self._is_ready)

    @property
    def is_unsettled(self) -> bool:
        """Whether anything of the plan was neither made nor found impossible."""
        return any(self._waits.values())

    def again(self, key: AssetKey, ordinal: int) -> None:
        """Make a partition that was taken ready once more."""
        self._make_ready(key, ordinal)

    def committed(self, key: AssetKey, ordinal: int) -> None:
        """Note that a partition is made, which may make others ready."""
        self._waits[key].pop(ordinal)
        for edge in self._planned_downstream(key):
            reached = edge.correspondence.downstream_of(ordinal)
            if reached and edge.correspondence.joins_all:
                gate = (edge.downstream, edge.argument.argument)
                self._gates[gate] -= 1
                if self._gates[gate] == 0:
                    self._release(edge.downstream, self._waits[edge.downstream])
            else:
                self._release(edge.downstream, reached)

    def failed(self, key: AssetKey, ordinal: int) -> Iterator[Blocked]:
        """Note that a partition cannot be made; yield everything that depends on it and is thereby settled too."""
        self._waits[key].pop(ordinal, None)
        failed = [(key, ordinal)]
        while failed:
            upstream, upstream_ordinal = failed.pop()
            for edge in self._planned_downstream(upstream):
                waits = self._waits[edge.downstream]
                for each in edge.correspondence.downstream_of(upstream_ordinal):
                    if waits.pop(each, None) is not None:
                        failed.append((edge.downstream, each))
                        yield Blocked(edge.downstream, each, upstream, upstream_ordinal)

    def _wait_for(self, edge: Edge, plan: Plan) -> None:
        upstream, waits = plan.planned[edge.upstream], self._waits[edge.downstream]
        if edge.correspondence.joins_all:
            awaited = len(upstream & edge.correspondence.upstream(plan.planned[edge.downstream]))
            self._gates[edge.downstream, edge.argument.argument] = awaited
            for ordinal in waits if awaited else ():
                waits[ordinal] += 1
            return
        counts = edge.correspondence.count(upstream).to_list()
        for ordinal in waits:
            waits[ordinal] += counts[ordinal]

    def _planned_downstream(self, key: AssetKey) -> Iterator[Edge]:
        return (edge for edge in self._graph.downstream[key] if edge.downstream in self._waits)

    def _release(self, key: AssetKey, ordinals: Iterable[int]) -> None:
        waits = self._waits[key]
        for ordinal in ordinals:
            if ordinal in waits:
                waits[ordinal] -= 1
                if waits[ordinal] == 0:
                    self._make_ready(key, ordinal)

    def _make_ready(self, key: AssetKey, ordinal: int) -> None:
        self._is_ready.add((key, ordinal))
        heapq.heappush(self._ready, (ordinal // CHUNK, self._rank[key], ordinal, key))
