"""Evaluate: what all conditions ask for at a tick, upstreams first.

Pure: what is known of the lake, what is remembered and the time in, requests, memory and decisions out. What was
evaluated at the tick before, and of which nothing has changed, is taken over: it saves work and changes no answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from deltaworks.engine.automation.conditions.decision import Decision
from deltaworks.engine.automation.conditions.memory import AssetMemory, Kept, Memory, Seen, described
from deltaworks.engine.automation.conditions.settle import Settled, Settling, without_condition
from deltaworks.engine.automation.conditions.sight import Sight
from deltaworks.engine.automation.conditions.truth import Around, Truth
from deltaworks.engine.definitions.automation.condition import AutomationCondition, CronTicks, Operator
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import AssetGraph, Node


@dataclass(frozen=True)
class Conditions:
    """The conditions of a graph, and what each of them looks at."""

    graph: AssetGraph
    off: frozenset[AssetKey] = frozenset()
    """The assets whose conditions somebody has stopped; they count as assets without one."""

    @cached_property
    def of(self) -> Mapping[AssetKey, AutomationCondition]:
        """The conditions, upstreams first."""
        found = {key: node.asset.automation for key, node in self.graph.nodes.items()}
        return {key: each for key, each in found.items() if each is not None and key not in self.off}

    @cached_property
    def reads(self) -> Mapping[AssetKey, tuple[AssetKey, ...]]:
        """The assets that each condition looks at, its own and those whose partitions its own are made from."""
        return {key: tuple(self._reached(key, _height(condition))) for key, condition in self.of.items()}

    @cached_property
    def ticks(self) -> Mapping[AssetKey, frozenset[CronTicks]]:
        """The cron expressions in each condition; only of those that have any."""
        found = {key: frozenset(cron_ticks(condition)) for key, condition in self.of.items()}
        return {key: ticks for key, ticks in found.items() if ticks}

    @cached_property
    def joins(self) -> frozenset[AssetKey]:
        """The assets whose conditions ask for what becomes stale by requests of the same tick."""
        return frozenset(key for key, each in self.of.items() if _has(each, Operator.WILL_BE_REQUESTED))

    @cached_property
    def noted(self) -> frozenset[AssetKey]:
        """The assets of which the next evaluation is told up to where they were seen: it may ask what is new."""
        return self._looked_at(Operator.NEWLY_UPDATED)

    @cached_property
    def recalled(self) -> frozenset[AssetKey]:
        """The assets of which the next evaluation is told what was requested."""
        return self._looked_at(Operator.NEWLY_REQUESTED)

    @cached_property
    def texts(self) -> Mapping[AssetKey, str]:
        """What each condition means."""
        return {key: described(condition) for key, condition in self.of.items()}

    def _looked_at(self, operator: Operator) -> frozenset[AssetKey]:
        asking = [key for key, condition in self.of.items() if _has(condition, operator)]
        return frozenset(key for each in asking for key in self.reads[each])

    def _reached(self, key: AssetKey, levels: int) -> dict[AssetKey, None]:
        found, level = {key: None}, [key]
        for _ in range(levels):
            level = [edge.upstream for each in level for edge in self.graph.nodes[each].upstream]
            found |= dict.fromkeys(level)
        return found


@dataclass(frozen=True, slots=True)
class ConditionTick:
    """What one evaluation of all conditions came to."""

    conditions: Conditions
    sight: Sight
    memory: Memory
    """What the next evaluation is told."""
    settled: Mapping[AssetKey, Settled]
    """By asset: those with conditions, and others that are in progress."""
    moving: frozenset[AssetKey] = frozenset()
    """Those that the next evaluation has to look at though nothing changes: something was so at this tick alone."""
    evaluated: int = 0
    """How many conditions had to be looked at."""
    passed: frozenset[CronTicks] = frozenset()
    """The cron expressions in conditions of which a tick has passed since the last evaluation."""

    @property
    def requests(self) -> Mapping[AssetKey, PartitionSet]:
        """What is asked for, upstreams first; only assets of which something is."""
        return {key: each.requested for key, each in self.settled.items() if each.requested}

    @property
    def decisions(self) -> Iterator[Decision]:
        """Everything that was decided about what conditions ask for, upstreams first."""
        return (decision for each in self.settled.values() for decision in each.decisions)


def evaluate(
    graph: AssetGraph,
    sight: Sight,
    memory: Memory,
    now: dt.datetime,
    before: ConditionTick | None = None,
    off: frozenset[AssetKey] = frozenset(),
) -> ConditionTick:
    """Evaluate the conditions of all assets.

    Args:
        graph: the assets as they stand now.
        sight: what is known of the lake.
        memory: what the last evaluation handed on.
        now: the time.
        before: the last evaluation itself, if this process made it: then only what has changed is looked at.
        off: the assets whose conditions somebody has stopped.
    """
    known = None if before is None else before.conditions
    if known is None or known.graph is not graph or known.off != off or before is None or before.memory is not memory:
        before = None
    conditions = Conditions(graph, off) if before is None else before.conditions
    work = _Work(conditions, sight, memory, now, before)
    for key, node in graph.nodes.items():
        work.look_at(key, node)
    states = {key: sight.status[key].state for key in graph.nodes if key in conditions.noted}
    seen = {key: Seen(state.table_id, _version(state.version)) for key, state in states.items()}
    after = Memory(now, seen, work.memories)
    moving, passed = frozenset(work.moving), work.around.passed
    return ConditionTick(conditions, sight, after, work.settled, moving, work.evaluated, passed)


@dataclass(slots=True)
class _Work:
    """One evaluation, as far as it has come."""

    conditions: Conditions
    sight: Sight
    memory: Memory
    now: dt.datetime
    before: ConditionTick | None
    settled: dict[AssetKey, Settled] = field(default_factory=dict[AssetKey, Settled])
    memories: dict[AssetKey, AssetMemory] = field(default_factory=dict[AssetKey, AssetMemory])
    moving: set[AssetKey] = field(default_factory=set[AssetKey])
    evaluated: int = 0
    around: Around = field(init=False)
    _changed: set[AssetKey] = field(default_factory=set[AssetKey])
    _ticked_at: dict[CronTicks, dt.datetime] = field(default_factory=dict[CronTicks, dt.datetime])
    """When cron expressions ticked last; only those that have."""

    def __post_init__(self) -> None:
        """Find out of which cron expressions a tick has passed."""
        before = self.memory.at
        for each in {each for ticks in self.conditions.ticks.values() for each in ticks}:
            last = each.last(self.now)
            if last is not None:
                self._ticked_at[each] = last
        passed = frozenset(each for each, at in self._ticked_at.items() if before is not None and before < at)
        self.around = Around(self.conditions.graph, self.sight, self.memory, passed)

    def look_at(self, key: AssetKey, node: Node) -> None:
        """Evaluate one asset, unless nothing of what its condition looks at has changed."""
        condition = self.conditions.of.get(key)
        if self.before is not None:
            if self._is_other(self.before.sight, key):
                self._changed.add(key)
            if condition is not None and not self._must_evaluate(self.before, key):
                self.settled[key] = self.before.settled[key]
                self.memories[key] = self.memory.assets[key]
                return
        if condition is not None:
            self._evaluate(key, node, condition)
        elif key in self.sight.in_progress:
            self.settled[key] = without_condition(self.sight.in_progress[key])

    def _evaluate(self, key: AssetKey, node: Node, condition: AutomationCondition) -> None:
        self.evaluated += 1
        remembered = self.memory.of(node, condition)
        truth = Truth(self.around, key, remembered)
        wanted = truth.of(condition, key)
        ticked_at = [self._ticked_at[each] for each in self.conditions.ticks.get(key, ()) if each in self._ticked_at]
        latest = max(ticked_at, default=None)
        settling = Settling(self.conditions.graph, self.sight, self.settled, node, wanted, latest)
        settled = settling.settle(joins=key in self.conditions.joins, why=f"{condition!r} asks for it")
        is_recalled = key in self.conditions.recalled
        recalled = settled.requested if is_recalled else PartitionSet.none(settled.requested.size)
        kept = Kept(key, node.partitions, recalled)
        self.memories[key] = AssetMemory(self.conditions.texts[key], kept, truth.remembered)
        if settled.requested:
            self.around.requested[key] = settled.requested
        # What `since` and `newly_true` remember needs no second look: where nothing happens, it comes to the same.
        if truth.is_momentary or settled.requested:
            self.moving.add(key)
        self._note(key, settled)

    def _note(self, key: AssetKey, settled: Settled) -> None:
        """Keep what came of an asset; whoever looks at it looks again if that is not what it was, or a request."""
        was = None if self.before is None else self.before.settled[key]
        is_quiet = was is not None and not (settled.requested or was.requested) and settled.coming == was.coming
        if not is_quiet:
            self._changed.add(key)
        self.settled[key] = settled

    def _must_evaluate(self, before: ConditionTick, key: AssetKey) -> bool:
        if key in before.moving:
            return True
        ticks = self.conditions.ticks.get(key)
        if ticks is not None and ticks & self.around.passed:
            return True
        return not self._changed.isdisjoint(self.conditions.reads[key])

    def _is_other(self, then: Sight, key: AssetKey) -> bool:
        now = self.sight
        return (
            now.status[key] is not then.status[key]
            or now.in_progress.get(key) is not then.in_progress.get(key)
            or now.tried.get(key) is not then.tried.get(key)
        )


def groups(graph: AssetGraph, requests: Mapping[AssetKey, PartitionSet]) -> list[dict[AssetKey, PartitionSet]]:
    """Part requests into runs: what is made from each other, or by one call, is of one run; upstreams come first."""
    found: dict[AssetKey, list[AssetKey]] = {}
    for key in requests:
        node = graph.nodes[key]
        beside = () if node.asset.shared is None else node.asset.shared.keys.values()
        near = [each for each in (*(edge.upstream for edge in node.upstream), *beside) if each in found]
        joined = {id(found[each]): found[each] for each in near}
        together: list[AssetKey] = max(joined.values(), key=len) if joined else []
        for other in joined.values():
            if other is not together:
                together += other
        together.append(key)
        found |= dict.fromkeys(together if len(joined) > 1 else (key,), together)
    parts: dict[int, dict[AssetKey, PartitionSet]] = {}
    for key, chosen in requests.items():
        parts.setdefault(id(found[key]), {})[key] = chosen
    return list(parts.values())


def _height(condition: AutomationCondition) -> int:
    """Return how many levels of upstreams a condition looks at; every request looks at the first."""
    return max(1, _inner_height(condition))


def _inner_height(condition: AutomationCondition) -> int:
    steps = condition.operator in (Operator.ANY_UPSTREAM, Operator.ALL_UPSTREAM)
    return int(steps) + max(map(_inner_height, condition.parts), default=0)


def cron_ticks(condition: AutomationCondition) -> Iterable[CronTicks]:
    """Yield the cron expressions in a condition."""
    if condition.ticks is not None:
        yield condition.ticks
    for part in condition.parts:
        yield from cron_ticks(part)


def _has(condition: AutomationCondition, operator: Operator) -> bool:
    return condition.operator is operator or any(_has(part, operator) for part in condition.parts)


def _version(version: int | None) -> int:
    return -1 if version is None else version
