"""Agenda: which partitions of a plan may be made now, which wait, and which can no longer be made.

A partition is ready when all planned upstream partitions that it is made from are committed; those that may be missing
may also have failed. Nothing here touches the world: the coordinator says what was committed or failed, and takes what
is ready.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.mappings.correspondence import Window
from deltaworks.engine.definitions.mappings.segments import Ordinals
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.gates import Gates, Watches, groups_of
from deltaworks.engine.execution.ready import Ready
from deltaworks.engine.planning.check_nodes import awaited_by_checks
from deltaworks.engine.planning.graph import AssetGraph, Edge
from deltaworks.engine.planning.plan import Plan
from deltaworks.engine.planning.shared_calls import shared_calls

Call: TypeAlias = tuple[AssetKey, int, int]
"""An asset, and the first and last of its partitions that are made together."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A partition that cannot be made in this run."""

    asset: AssetKey
    ordinal: int
    upstream: AssetKey
    upstream_ordinal: int


class Agenda:
    """The partitions of a plan, from waiting over ready to settled."""

    def __init__(
        self,
        graph: AssetGraph,
        plan: Plan,
        size_of: Callable[[AssetKey], tuple[int, int]] = lambda _: (0, 0),
        range_bytes: int | None = None,
    ) -> None:
        """Find out what is ready.

        Args:
            graph: the assets.
            plan: what is to be made.
            size_of: how many bytes how many partitions of an asset have, as far as that is known by now.
            range_bytes: how much a call for several partitions may make, whatever policies say; none: that is all one.
        """
        self._graph, self._size_of, self._range_bytes = graph, size_of, range_bytes
        self._waits: dict[AssetKey, dict[int, int]] = {
            key: dict.fromkeys(part, 0) for key, part in plan.planned.items()
        }
        self._gates: dict[tuple[AssetKey, str], Gates] = {}
        self._watches: dict[tuple[AssetKey, str], Watches] = {}
        self._ready = Ready(tuple(plan.planned), self._pool_of)
        self._held = {key: set[int]() for key in plan.planned if self._waits_for_all(key)}
        """Of the assets that wait for all of their partitions: those that could be made by themselves."""
        self._calls: dict[str | None, deque[Call]] = {}
        """By pool, what is to be made next, by calls of exactly these partitions."""
        self._shared = shared_calls(graph, plan.planned)
        self._along: dict[tuple[AssetKey, int, int], tuple[AssetKey, ...]] = {}
        """Of calls that were taken: the other assets that they make."""
        self._leaving: dict[AssetKey, list[Edge]] = {key: [] for key in plan.planned}
        for key in plan.planned:
            for edge in (*graph.nodes[key].upstream, *awaited_by_checks(graph, key)):
                if edge.upstream in plan.planned:
                    self._leaving[edge.upstream].append(edge)
                    self._wait_for(edge, plan)
        for key, waits in self._waits.items():
            for ordinal, count in waits.items():
                if count == 0:
                    self._make_ready_in_time(key, ordinal)

    def take(self, closed: Collection[str] = ()) -> Call | None:
        """Take the next ready partitions of one asset, from first to last; none: nothing is ready.

        What is in a closed pool stays: how many partitions a call makes is decided when it can be made.
        """
        for pool, calls in self._calls.items():
            if calls and pool not in closed:
                return calls.popleft()
        found = self._ready.pop(closed)
        if found is None:
            return None
        key, first = found
        last, end, others = first, self._end_of_call(key, first), self._ready_with(key, first)
        while last < end and self._ready.has(key, last + 1) and self._ready_with(key, last + 1) == others:
            last += 1
            self._ready.remove(key, last)
        if others:
            for other, ordinal in product(others, range(first, last + 1)):
                self._ready.remove(other, ordinal)
            self._along[key, first, last] = others
        return key, first, last

    def _end_of_call(self, key: AssetKey, first: int) -> int:
        """Return which partition is the last that a call may make which begins with another."""
        node = self._graph.nodes[key]
        policy = node.asset.backfill.within(self._range_bytes)
        known = (0, 0) if policy.target_bytes is None else self._size_of(key)
        most, end = policy.partitions_a_call(*known), node.partitions.run_end(first)
        return end if most is None else min(end, first + most - 1)

    def _pool_of(self, key: AssetKey) -> str | None:
        return self._graph.nodes[key].asset.pool

    def along(self, key: AssetKey, first: int, last: int) -> tuple[AssetKey, ...]:
        """Return which other assets a call that was taken makes; they are asked for once."""
        return self._along.pop((key, first, last), ())

    def _ready_with(self, key: AssetKey, ordinal: int) -> tuple[AssetKey, ...]:
        """Return the other assets of the same call of which a partition is ready, too."""
        return tuple(other for other in self._shared.get(key, ()) if self._ready.has(other, ordinal))

    @property
    def has_ready(self) -> bool:
        """Whether `take` would give something, if no pool were closed."""
        return bool(self._ready) or any(self._calls.values())

    @property
    def is_unsettled(self) -> bool:
        """Whether anything of the plan was neither made nor found impossible."""
        return any(self._waits.values())

    def is_awaited(self, key: AssetKey) -> bool:
        """Whether anything that is planned is made from an asset and was neither made nor given up."""
        return any(self._waits[edge.downstream] for edge in self._leaving[key])

    def is_open(self, key: AssetKey, ordinal: int) -> bool:
        """Whether a partition is planned and neither committed nor given up."""
        return ordinal in self._waits.get(key, {})

    def again(self, key: AssetKey, ordinal: int) -> None:
        """Make a partition that was taken ready once more."""
        self._make_ready(key, ordinal)

    def call_again(self, keys: Sequence[AssetKey], first: int, last: int) -> None:
        """Let partitions that were taken be taken once more, by a call of exactly these."""
        self._calls.setdefault(self._pool_of(keys[0]), deque()).append((keys[0], first, last))
        self._along[keys[0], first, last] = tuple(keys[1:])

    def committed(self, key: AssetKey, ordinal: int) -> None:
        """Note that a partition is made, which may make others ready."""
        self._settle(key, ordinal)
        for edge in self._leaving[key]:
            self._pass(edge, ordinal)

    def failed(self, key: AssetKey, ordinal: int) -> Iterator[Blocked]:
        """Note that a partition cannot be made; yield everything that depends on it and is thereby settled too.

        What may be made without it waits for it no longer.
        """
        if not self._settle(key, ordinal):
            return
        failed = [(key, ordinal)]
        while failed:
            upstream, upstream_ordinal = failed.pop()
            for edge in self._leaving[upstream]:
                if edge.argument.allow_missing:
                    self._pass(edge, upstream_ordinal)
                    continue
                for each in self._waiting(edge.downstream, self._closed(edge, upstream_ordinal)):
                    self._settle(edge.downstream, each)
                    failed.append((edge.downstream, each))
                    yield Blocked(edge.downstream, each, upstream, upstream_ordinal)

    def _wait_for(self, edge: Edge, plan: Plan) -> None:
        upstream, waits = plan.planned[edge.upstream], self._waits[edge.downstream]
        if isinstance(edge.correspondence, Window) and edge.correspondence.last > edge.correspondence.first:
            watches = self._watches[_name(edge)] = Watches(edge.correspondence, upstream, waits)
            for ordinal in watches.watching():
                waits[ordinal] += 1
            return
        ordinals = upstream.mask.arg_true()
        groups = groups_of(edge.correspondence, ordinals)
        if groups is not None and groups.n_unique() < groups.len():
            self._gates[_name(edge)] = Gates(ordinals, groups)
            upstream = PartitionSet.of(ordinals.filter(groups.is_first_distinct()), upstream.size)
        counts = edge.correspondence.count(upstream).to_list()
        for ordinal in waits:
            waits[ordinal] += counts[ordinal]

    def _pass(self, edge: Edge, ordinal: int) -> None:
        """Note that an upstream partition is settled, which may make others ready."""
        gates, watches = self._gates.get(_name(edge)), self._watches.get(_name(edge))
        if watches is not None:
            self._release(edge.downstream, watches.settle(ordinal))
        elif gates is None or gates.open_after(ordinal):
            self._release(edge.downstream, edge.correspondence.downstream_of(ordinal))

    def _closed(self, edge: Edge, ordinal: int) -> Ordinals:
        """Return what depends on an upstream partition that failed, the first time that this holds for it."""
        gates = self._gates.get(_name(edge))
        return edge.correspondence.downstream_of(ordinal) if gates is None or gates.close(ordinal) else ()

    def _release(self, key: AssetKey, ordinals: Ordinals) -> None:
        waits = self._waits[key]
        for ordinal in self._waiting(key, ordinals):
            waits[ordinal] -= 1
            if waits[ordinal] == 0:
                self._make_ready_in_time(key, ordinal)

    def _waiting(self, key: AssetKey, ordinals: Ordinals) -> list[int]:
        """Return those of some partitions that are not settled; it costs no more than looking through all such."""
        waits = self._waits[key]
        if not waits:
            return []  # to look through a dict takes time for what it once held, too
        if isinstance(ordinals, range) and len(ordinals) > len(waits):
            return [each for each in waits if each in ordinals]
        return [each for each in ordinals if each in waits]

    def _waits_for_all(self, key: AssetKey) -> bool:
        """Whether an asset is called for all of its partitions at once; one that reads itself cannot be."""
        node = self._graph.nodes[key]
        return node.asset.backfill.waits_for_all and not any(edge.is_own for edge in node.upstream)

    def _settle(self, key: AssetKey, ordinal: int) -> bool:
        """Wait no longer for a partition to be made; return whether it was waited for."""
        is_new = self._waits[key].pop(ordinal, None) is not None
        if key in self._held:
            self._held[key].discard(ordinal)
            self._release_held(key)
        return is_new

    def _make_ready_in_time(self, key: AssetKey, ordinal: int) -> None:
        """Make a partition ready that waits for no other asset's; it may wait for others of its own."""
        if key in self._held:
            self._held[key].add(ordinal)
            self._release_held(key)
        else:
            self._make_ready(key, ordinal)

    def _release_held(self, key: AssetKey) -> None:
        """Make the partitions of an asset ready that waits for all of them, once nothing else is waited for."""
        if len(self._held[key]) == len(self._waits[key]):
            for ordinal in sorted(self._held.pop(key)):
                self._make_ready(key, ordinal)

    def _make_ready(self, key: AssetKey, ordinal: int) -> None:
        self._ready.add(key, ordinal)


def _name(edge: Edge) -> tuple[AssetKey, str]:
    return edge.downstream, edge.argument.argument
