"""Truth: of which partitions a condition is true, computed on whole sets."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import lru_cache, reduce

from deltaworks.engine.automation.conditions.memory import AssetMemory, Kept, Memory
from deltaworks.engine.automation.conditions.sight import Sight
from deltaworks.engine.definitions.automation.condition import AutomationCondition, CronTicks, Operator
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.latest_window import latest_window
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.state import certain
from deltaworks.engine.planning.status import AssetStatus, Status


@dataclass(frozen=True, slots=True)
class Around:
    """What all conditions of a tick are evaluated on."""

    graph: AssetGraph
    sight: Sight
    memory: Memory
    """That of the tick before."""
    passed: frozenset[CronTicks]
    """Those of which a tick has passed since then."""
    requested: dict[AssetKey, PartitionSet] = field(default_factory=dict[AssetKey, PartitionSet])
    """What this tick asks for so far: of the assets that come before."""


@dataclass(slots=True)
class Truth:
    """Evaluates the condition of one asset at one tick."""

    around: Around
    owner: AssetKey
    before: AssetMemory | None
    """None: the condition is evaluated for the first time."""
    remembered: dict[str, Kept] = field(default_factory=dict[str, Kept])
    """What the next evaluation is told, by the place of a condition."""
    is_momentary: bool = False
    """Whether the next evaluation may find something else though nothing happens meanwhile."""

    def of(self, condition: AutomationCondition, key: AssetKey, place: str = "") -> PartitionSet:
        """Return the partitions of an asset of which a condition is true; `place` tells where it stands."""
        match condition.operator:
            case Operator.AND:
                return reduce(PartitionSet.__and__, self._parts(condition, key, place))
            case Operator.OR:
                return reduce(PartitionSet.__or__, self._parts(condition, key, place))
            case Operator.NOT:
                return self._all(key) - self.of(condition.parts[0], key, place + "0")
            case Operator.SINCE:
                set_by, reset = self._parts(condition, key, place)
                return self._remember(place, key, (self._remembered(place, key) | set_by) - reset)
            case Operator.NEWLY_TRUE:
                true = self.of(condition.parts[0], key, place + "0")
                return self._moment(self._remember(place, key, true) - self._remembered(place, key))
            case Operator.ANY_UPSTREAM | Operator.ALL_UPSTREAM:
                return self._of_upstreams(condition, key, place)
            case _:
                return self._operand(condition, key)

    def _parts(self, condition: AutomationCondition, key: AssetKey, place: str) -> list[PartitionSet]:
        return [self.of(part, key, f"{place}{number}.") for number, part in enumerate(condition.parts)]

    def _operand(self, condition: AutomationCondition, key: AssetKey) -> PartitionSet:
        around, found = self.around, self.around.sight.status[key]
        match condition.operator:
            case Operator.MISSING:
                return found.having(Status.MISSING)
            case Operator.STALE:
                return found.having(Status.STALE)
            case Operator.CODE_VERSION_CHANGED:
                return PartitionSet(found.code_changed)
            case Operator.UPSTREAM_CHANGED:
                return upstream_changed(found)
            case Operator.IN_PROGRESS:
                return around.sight.being_made(key)
            case Operator.FAILED:
                return found.state.failed
            case Operator.IN_LATEST_WINDOW:
                return in_latest_window(found.node.partitions, condition.lookback)
            case Operator.WILL_BE_REQUESTED:
                return around.requested.get(key) or self._none(key)  # whoever requests it is looked at again
            case _:
                return self._moment(self._of_last_tick(condition, key))

    def _of_last_tick(self, condition: AutomationCondition, key: AssetKey) -> PartitionSet:
        """Return what an operand that says what has happened since the last evaluation is true of."""
        match condition.operator:
            case Operator.FIRST_EVALUATION:
                return self._all(key) if self.before is None else self._none(key)
            case Operator.CRON_TICK_PASSED:
                return self._all(key) if condition.ticks in self.around.passed else self._none(key)
            case Operator.NEWLY_REQUESTED:
                return self._newly_requested(key)
            case Operator.NEWLY_UPDATED:
                return self._newly_updated(key)
            case _:
                raise AssertionError(f"{condition.operator} is no operand")

    def _of_upstreams(self, condition: AutomationCondition, key: AssetKey, place: str) -> PartitionSet:
        """Join what is true of upstreams; an asset that reads itself is no upstream of its own."""
        (inner,), is_any = condition.parts, condition.operator is Operator.ANY_UPSTREAM
        edges = [edge for edge in self.around.graph.nodes[key].upstream if not edge.is_own]
        upstreams = dict.fromkeys(edge.upstream for edge in edges)
        true = {each: self.of(inner, each, f"{place}{each}.") for each in upstreams}
        found = self._none(key)
        for edge in edges:
            chosen = true[edge.upstream]
            found = found | edge.correspondence.downstream(chosen if is_any else self._all(edge.upstream) - chosen)
        return found if is_any else self._all(key) - found

    def _newly_requested(self, key: AssetKey) -> PartitionSet:
        found = self.around.memory.assets.get(key)
        return self._none(key) if found is None else found.requested.on(self.around.graph.nodes[key])

    def _newly_updated(self, key: AssetKey) -> PartitionSet:
        seen, state = self.around.memory.seen.get(key), self.around.sight.status[key].state
        if seen is None or (seen.table_id, seen.version) == (state.table_id, state.version):
            return self._none(key)
        there = PartitionSet(state.exists)
        if seen.table_id != state.table_id:
            return there
        return PartitionSet(certain(state.columns["version"] > seen.version)) & there

    def _remember(self, place: str, key: AssetKey, true: PartitionSet) -> PartitionSet:
        if true:
            self.remembered[place] = Kept(key, self.around.graph.nodes[key].partitions, true)
        return true

    def _remembered(self, place: str, key: AssetKey) -> PartitionSet:
        found = None if self.before is None else self.before.truths.get(place)
        return self._none(key) if found is None else found.on(self.around.graph.nodes[key])

    def _moment(self, true: PartitionSet) -> PartitionSet:
        self.is_momentary = self.is_momentary or bool(true)
        return true

    def _size(self, key: AssetKey) -> int:
        return self.around.graph.nodes[key].partitions.size

    def _all(self, key: AssetKey) -> PartitionSet:
        return PartitionSet.all(self._size(key))

    def _none(self, key: AssetKey) -> PartitionSet:
        return PartitionSet.none(self._size(key))


def upstream_changed(found: AssetStatus) -> PartitionSet:
    """Return the partitions of which something was changed that they were made from, and not only made stale."""
    changed = PartitionSet.none(found.status.len()).mask
    for given in found.inputs:
        changed = changed | given.changed | given.replaced | given.regrouped
    return PartitionSet(changed) & found.having(Status.STALE)


@lru_cache(maxsize=64)
def in_latest_window(partitions: Partitions, lookback: dt.timedelta | None) -> PartitionSet:
    """Return the partitions of the latest time; all, where they are no time."""
    return latest_window(partitions, lookback)
