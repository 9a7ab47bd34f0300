"""Agenda: which partitions of a plan may be made now, which wait, and which can no longer be made.

A partition is ready when all planned upstream partitions that it is made from are committed; those that may be missing
may also have failed. Nothing here touches the world: the coordinator says what was committed or failed, and takes what
is ready.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.mappings.correspondence import Correspondence, Fixed, Relation, Window
from deltaworks.engine.definitions.mappings.product import Grid
from deltaworks.engine.definitions.mappings.segments import INDEX, Ordinals, Segments, count_to
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.check_nodes import awaited_by_checks
from deltaworks.engine.planning.graph import AssetGraph, Edge
from deltaworks.engine.planning.plan import Plan
from deltaworks.engine.planning.shared_calls import shared_calls

CHUNK = 100
"""Partitions are taken in chunks of so many ordinals across all assets, so that downstream tables appear early and what
was just written is read while it is in the page cache."""


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
        self._rank = {key: rank for rank, key in enumerate(plan.planned)}
        self._waits: dict[AssetKey, dict[int, int]] = {
            key: dict.fromkeys(part, 0) for key, part in plan.planned.items()
        }
        self._gates: dict[tuple[AssetKey, str], _Gates] = {}
        self._watches: dict[tuple[AssetKey, str], _Watches] = {}
        self._ready: list[tuple[int, int, int, AssetKey]] = []
        self._is_ready: set[tuple[AssetKey, int]] = set()
        self._held = {key: set[int]() for key in plan.planned if self._waits_for_all(key)}
        """Of the assets that wait for all of their partitions: those that could be made by themselves."""
        self._calls: deque[tuple[AssetKey, int, int]] = deque()
        """What is to be made next, by calls of exactly these partitions."""
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

    def take(self) -> Call | None:
        """Take the next ready partitions of one asset, from first to last, or none if nothing is ready."""
        if self._calls:
            return self._calls.popleft()
        while self._ready:
            _, _, first, key = heapq.heappop(self._ready)
            if (key, first) not in self._is_ready:
                continue
            self._is_ready.remove((key, first))
            last = first
            node = self._graph.nodes[key]
            policy = node.asset.backfill.within(self._range_bytes)
            known = (0, 0) if policy.target_bytes is None else self._size_of(key)
            most = policy.partitions_a_call(*known)
            end = node.partitions.run_end(first)
            end = end if most is None else min(end, first + most - 1)
            others = self._ready_with(key, first)
            while last < end and (key, last + 1) in self._is_ready and self._ready_with(key, last + 1) == others:
                last += 1
                self._is_ready.remove((key, last))
            if others:
                self._is_ready -= {(other, ordinal) for other in others for ordinal in range(first, last + 1)}
                self._along[key, first, last] = others
            return key, first, last
        return None

    def along(self, key: AssetKey, first: int, last: int) -> tuple[AssetKey, ...]:
        """Return which other assets a call that was taken makes; they are asked for once."""
        return self._along.pop((key, first, last), ())

    def _ready_with(self, key: AssetKey, ordinal: int) -> tuple[AssetKey, ...]:
        """Return the other assets of the same call of which a partition is ready, too."""
        return tuple(other for other in self._shared.get(key, ()) if (other, ordinal) in self._is_ready)

    @property
    def has_ready(self) -> bool:
        """Whether `take` would give something."""
        return bool(self._is_ready or self._calls)

    @property
    def is_unsettled(self) -> bool:
        """Whether anything of the plan was neither made nor found impossible."""
        return any(self._waits.values())

    def is_open(self, key: AssetKey, ordinal: int) -> bool:
        """Whether a partition is planned and neither committed nor given up."""
        return ordinal in self._waits.get(key, {})

    def again(self, key: AssetKey, ordinal: int) -> None:
        """Make a partition that was taken ready once more."""
        self._make_ready(key, ordinal)

    def call_again(self, keys: Sequence[AssetKey], first: int, last: int) -> None:
        """Let partitions that were taken be taken once more, by a call of exactly these."""
        self._calls.append((keys[0], first, last))
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
            watches = self._watches[_name(edge)] = _Watches(edge.correspondence, upstream, waits)
            for ordinal in watches.watching():
                waits[ordinal] += 1
            return
        ordinals = upstream.mask.arg_true()
        groups = _groups(edge.correspondence, ordinals)
        if groups is not None and groups.n_unique() < groups.len():
            self._gates[_name(edge)] = _Gates(ordinals, groups)
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
        self._is_ready.add((key, ordinal))
        heapq.heappush(self._ready, (ordinal // CHUNK, self._rank[key], ordinal, key))


class _Gates:
    """The gates of one edge: upstream partitions that go into the same ones are waited for all at once.

    Counted one by one, each region of a day would be taken off what all regions of that day wait for.
    """

    def __init__(self, ordinals: pl.Series, groups: pl.Series) -> None:
        self._group = dict(zip(ordinals.to_list(), groups.to_list(), strict=True))
        self._awaited = Counter(self._group.values())
        self._closed: set[int] = set()

    def open_after(self, ordinal: int) -> bool:
        """Note that one is settled; return whether it was the last of its gate."""
        group = self._group[ordinal]
        self._awaited[group] -= 1
        return self._awaited[group] == 0

    def close(self, ordinal: int) -> bool:
        """Note that one failed; return whether it was the first of its gate."""
        group = self._group[ordinal]
        is_first = group not in self._closed
        self._closed.add(group)
        return is_first


class _Watches:
    """The watches of one edge that is a wide window: each partition watches the last one that it still waits for.

    Counted one by one, a partition that goes into all later ones would be taken off each of them. Watched, it is looked
    at by those for which it is the last; as agendas go forward, these have hardly another one to watch after it.
    """

    def __init__(self, window: Window, awaited: PartitionSet, downstream: Iterable[int]) -> None:
        self._window = window
        self._before = [ordinal if is_awaited else ordinal - 1 for ordinal, is_awaited in enumerate(awaited.mask)]
        """Of each upstream ordinal: itself while it is awaited, else an earlier one, with no awaited one in between."""
        self._watched_by: dict[int, list[int]] = {}
        for ordinal in downstream:
            self._watch(ordinal)

    def watching(self) -> Iterator[int]:
        """Yield the downstream partitions that wait for anything."""
        return chain.from_iterable(self._watched_by.values())

    def settle(self, ordinal: int) -> list[int]:
        """Note that an upstream partition is settled; return the downstream ones that wait for none any more."""
        self._before[ordinal] = ordinal - 1
        return [each for each in self._watched_by.pop(ordinal, ()) if not self._watch(each)]

    def _watch(self, ordinal: int) -> bool:
        """Let a downstream partition watch the last one that it waits for, if there is one."""
        window = self._window.upstream_of(ordinal, ordinal)
        last = self._last_awaited(window[-1]) if window else -1
        if not window or last < window[0]:
            return False
        self._watched_by.setdefault(last, []).append(ordinal)
        return True

    def _last_awaited(self, ordinal: int) -> int:
        """Return the last awaited ordinal up to one, or -1; the way there is halved for those who come after."""
        before = self._before
        while ordinal >= 0 and before[ordinal] != ordinal:
            further = before[ordinal]
            if further >= 0:
                before[ordinal] = further = before[further]
            ordinal = further
        return ordinal


def _name(edge: Edge) -> tuple[AssetKey, str]:
    return edge.downstream, edge.argument.argument


def _groups(correspondence: Correspondence, ordinals: pl.Series) -> pl.Series | None:
    """Return a number for each of some upstream ordinals: those of one number go into the same downstream ordinals.

    None: no two of them do.
    """
    match correspondence:
        case Fixed():
            return correspondence.chosen.mask.gather(ordinals).cast(INDEX)
        case Relation(backward=Segments() as backward):
            return _segment_groups(backward).gather(ordinals)
        case Relation(backward=Grid() as backward):
            groups, sizes = ordinals * 0, backward.target_sizes
            for axis in backward.axes:
                if axis.target is not None:
                    size, stride = sizes[axis.target], math.prod(sizes[axis.target + 1 :])
                    groups = groups * size + _segment_groups(axis.segments).gather(ordinals // stride % size)
            return groups
        case _:
            return None


def _segment_groups(segments: Segments) -> pl.Series:
    """Return a number below their count for each segment; those of one number are the same positions."""
    if segments.members is not None:
        return count_to(segments.size)
    return (segments.starts.cast(pl.UInt64) * (segments.reach + 1) + segments.stops).rank("dense").cast(INDEX) - 1
