"""Random conditions against an oracle that decides partition by partition, with plain Python sets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deltaworks as dw
from deltaworks.engine.automation.conditions.decision import Verdict
from deltaworks.engine.automation.conditions.evaluate import ConditionTick, evaluate, groups
from deltaworks.engine.automation.conditions.memory import Memory
from deltaworks.engine.automation.conditions.sight import Sight, Tried
from deltaworks.engine.definitions.automation.condition import Operator
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.state import lake_state
from deltaworks.engine.planning.status import LakeStatus, lake_status
from tests.engine.planning.test_status_and_plan import Story

Made = dw.AutomationCondition
FIRST = dt.datetime(2013, 2, 1, 0, 30, tzinfo=dt.UTC)
MIDNIGHT = dt.datetime(2013, 2, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)

OPERANDS = (
    Made.missing(),
    Made.stale(),
    Made.upstream_changed(),
    Made.code_version_changed(),
    Made.in_progress(),
    Made.failed(),
    Made.in_latest_window(),
    Made.in_latest_window(dt.timedelta(days=2)),
    Made.cron_tick_passed("0 */2 * * *"),
    Made.newly_updated(),
    Made.newly_requested(),
    Made.will_be_requested(),
)


def _larger(inner: st.SearchStrategy[dw.AutomationCondition]) -> st.SearchStrategy[dw.AutomationCondition]:
    return st.one_of(
        st.builds(lambda one, other: one & other, inner, inner),
        st.builds(lambda one, other: one | other, inner, inner),
        st.builds(lambda one: ~one, inner),
        st.builds(lambda one, other: one.since(other), inner, inner),
        st.builds(lambda one: one.newly_true(), inner),
        st.builds(lambda one: one.since_last_handled(), inner),
        st.builds(Made.any_upstream_match, inner),
        st.builds(Made.all_upstream_match, inner),
    )


conditions = st.one_of(
    st.just(Made.eager()),
    st.just(Made.on_missing()),
    st.just(Made.on_cron("0 */2 * * *")),
    st.sampled_from(OPERANDS).map(lambda one: one.newly_true()),
    st.recursive(st.sampled_from(OPERANDS), _larger, max_leaves=6),
)


@dataclass
class Oracle:
    """Decides partition by partition."""

    story: Story
    conditions: dict[str, dw.AutomationCondition]
    limits: dict[str, int]
    evaluated: bool = False
    seen: dict[str, tuple[str | None, int]] = field(default_factory=dict)
    asked: dict[str, set[int]] = field(default_factory=dict)
    truths: dict[tuple[str, str, str], set[int]] = field(default_factory=dict)

    def tick(self, in_progress: dict[str, set[int]], tried: dict[str, set[int]], *, passed: bool) -> dict[str, Any]:
        self.in_progress, self.passed = in_progress, passed
        self.requested: dict[str, set[int]] = {}
        self.told: dict[tuple[str, str, str], set[int]] = {}
        coming: dict[str, set[int]] = {name: set(each) for name, each in in_progress.items()}
        found: dict[str, Any] = {}
        for name, numbers in self.story.oracle.numbers.items():
            if name not in self.conditions:
                continue
            condition = self.conditions[name]
            self.requested[name] = set()
            wanted = {each for each in numbers if self.true(name, condition, name, each, "")}
            waits, held = set(), set()
            for number in sorted(wanted, reverse=True):
                match self.verdict(name, number, tried.get(name, set()), coming):
                    case Verdict.REQUESTED if (
                        len(self.requested[name]) + len(in_progress.get(name, ())) < self.limits[name]
                    ):
                        self.requested[name].add(number)
                    case Verdict.HELD:
                        held.add(number)
                    case _:
                        waits.add(number)
            coming[name] = waits | in_progress.get(name, set())
            found[name] = {Verdict.REQUESTED: self.requested[name], Verdict.WAITS: waits, Verdict.HELD: held}
        facts = self.story.oracle
        self.seen = {name: (facts.table_ids.get(name), self.story.lake.table(name).version) for name in facts.numbers}
        self.asked, self.truths, self.evaluated = dict(self.requested), self.told, True
        return found

    def verdict(self, name: str, number: int, tried: set[int], coming: dict[str, set[int]]) -> Verdict:
        facts = self.story.oracle
        if facts.status(name, number) == "external":
            return Verdict.HELD
        if number in self.in_progress.get(name, set()):
            return Verdict.WAITS
        moved = any(
            self.requested.get(each.upstream, set()) & set(self.mapped(each, number)) for each in facts.readings[name]
        )
        if number in tried and not moved:
            return Verdict.HELD
        for each in facts.readings[name]:
            if coming.get(each.upstream, set()) & set(self.mapped(each, number)):
                return Verdict.WAITS
        for each in facts.readings[name]:
            upstream = facts.numbers[each.upstream]
            there = {other for other in upstream if facts.status(each.upstream, other) != "missing"}
            if each.lacks(number, upstream, there | self.requested.get(each.upstream, set())):
                return Verdict.HELD
        return Verdict.REQUESTED

    def mapped(self, reading: Any, number: int) -> list[int]:
        return reading.numbers(number, self.story.oracle.numbers[reading.upstream])

    def true(self, owner: str, condition: dw.AutomationCondition, name: str, number: int, path: str) -> bool:
        part = condition.parts
        inner = [self.true(owner, each, name, number, f"{path}{at}.") for at, each in enumerate(part)]
        match condition.operator:
            case Operator.AND:
                return all(inner)
            case Operator.OR:
                return any(inner)
            case Operator.NOT:
                return not inner[0]
            case Operator.SINCE:
                was = number in self.truths.get((owner, path, name), set())
                return self.tell(owner, path, name, number, so=(was or inner[0]) and not inner[1])
            case Operator.NEWLY_TRUE:
                was = number in self.truths.get((owner, path, name), set())
                return self.tell(owner, path, name, number, so=inner[0]) and not was
            case Operator.ANY_UPSTREAM | Operator.ALL_UPSTREAM:
                above = [
                    self.true(owner, part[0], each.upstream, other, f"{path}{each.upstream}.")
                    for each in self.story.oracle.readings[name]
                    for other in self.story.oracle.numbers[each.upstream]
                    if other in self.mapped(each, number)
                ]
                return any(above) if condition.operator is Operator.ANY_UPSTREAM else all(above)
            case _:
                return self.operand(condition, name, number)

    def tell(self, owner: str, path: str, name: str, number: int, *, so: bool) -> bool:
        if so:
            self.told.setdefault((owner, path, name), set()).add(number)
        return so

    def operand(self, condition: dw.AutomationCondition, name: str, number: int) -> bool:
        facts, cell = self.story.oracle, self.story.oracle.cells[name].get(number)
        match condition.operator:
            case Operator.MISSING | Operator.STALE:
                return facts.status(name, number) == condition.operator.value
            case Operator.CODE_VERSION_CHANGED:
                return cell is not None and cell.origin == "engine" and cell.code != "override:new"
            case Operator.UPSTREAM_CHANGED:
                is_stale = facts.status(name, number) == "stale"
                return is_stale and any(self.changed(cell, each, number) for each in facts.readings[name])
            case Operator.IN_PROGRESS:
                return number in self.in_progress.get(name, set())
            case Operator.FAILED:
                return facts.has_failed(name, number)
            case Operator.IN_LATEST_WINDOW:
                back = 1 if condition.lookback is None else condition.lookback.days
                return number > max(facts.numbers[name]) - back
            case Operator.CRON_TICK_PASSED:
                return self.passed
            case Operator.NEWLY_UPDATED:
                if not self.evaluated or cell is None or cell.origin == "gone":
                    return False
                table_id, version = self.seen[name]
                return table_id != facts.table_ids.get(name) or cell.version > version
            case Operator.NEWLY_REQUESTED:
                return number in self.asked.get(name, set())
            case Operator.WILL_BE_REQUESTED:
                return number in self.requested.get(name, set())
            case _:
                assert condition.operator is Operator.FIRST_EVALUATION
                return not self.evaluated

    def changed(self, cell: Any, reading: Any, number: int) -> bool:
        facts = self.story.oracle
        table_id = facts.table_ids.get(reading.upstream, "")
        if table_id not in cell.pins and any(name == reading.upstream for name, _ in cell.pins.values()):
            return True
        _, pin = cell.pins.get(table_id, ("", -1))
        others = (facts.cells[reading.upstream].get(each) for each in self.mapped(reading, number))
        return any(other is not None and other.version > pin for other in others)


class Automation:
    """A lake whose conditions are evaluated tick by tick."""

    def __init__(self, data: st.DataObject, lake_of: Callable[..., Any], table_of: Callable[..., Any]) -> None:
        self._draw = data.draw
        self.conditions: dict[str, dw.AutomationCondition] = {}
        self.limits: dict[str, int] = {}

        def automated(name: str, *rest: Any, **inputs: Any) -> dw.Asset[..., Any]:
            made = table_of(name, *rest, **inputs)
            condition = self._draw(st.one_of(conditions, st.none()), label=f"condition of {name}")
            if condition is None:
                return made
            self.conditions[name] = condition
            self.limits[name] = self._draw(st.sampled_from([100, 2, 1]), label=f"limit of {name}")
            return replace(made, automation=condition, max_per_tick=self.limits[name])

        self.story = Story(data, lake_of, automated)
        self.oracle = Oracle(self.story, self.conditions, self.limits)
        self.lake, self.now, self.then = self.story.lake, FIRST, FIRST
        self.status: LakeStatus | None = None
        self.last: ConditionTick | None = None
        self.in_progress: dict[str, set[int]] = {}
        self.tried: dict[str, set[int]] = {}
        self.sight: Sight | None = None

    def look(self) -> Sight:
        """What is known at a tick; what is as it was is the same object."""
        before = None if self.status is None else {key: each.state for key, each in self.status.items()}
        state = lake_state(self.lake.graph, self.lake.tables, self.lake.runs, before=before)
        self.status = lake_status(self.lake.graph, state, self.status)
        self.sight = Sight(self.status) if self.sight is None else replace(self.sight, status=self.status)
        return self.sight

    def begin_or_end(self, names: Iterable[str], what: str) -> None:
        """Let runs of some assets begin or end, or come to nothing."""
        assert self.sight is not None
        for name in names:
            numbers = self.story.oracle.numbers[name]
            some = st.one_of(st.just(set[int]()), st.just(set(numbers)), st.sets(st.sampled_from(numbers)))
            chosen = self._draw(some, label=what)
            known = self.in_progress if what == "in progress" else self.tried
            known.pop(name, None)
            known |= {name: chosen} if chosen else {}
            key, part = AssetKey(name), self.story.ordinals(name, chosen)
            in_progress, tried = dict(self.sight.in_progress), dict(self.sight.tried)
            in_progress.pop(key, None) if what == "in progress" else tried.pop(key, None)
            if chosen and what == "in progress":
                in_progress[key] = part
            elif chosen:
                tried[key] = (Tried(part, "x", dt.datetime.max.replace(tzinfo=dt.UTC)),)
            self.sight = replace(self.sight, in_progress=in_progress, tried=tried)

    def one_thing_happens(self) -> None:
        """Let at most one thing happen, so that most conditions need not be looked at."""
        match self._draw(st.sampled_from(["nothing", "commit", "commit", "in progress", "tried"]), label="what"):
            case "commit":
                self.story.happen(most=1)
            case "in progress" | "tried" as what:
                self.begin_or_end([self._draw(st.sampled_from(sorted(self.story.oracle.numbers)), label="whose")], what)
            case _:
                pass

    def tick(self, step: dt.timedelta = HOUR) -> tuple[dict[str, Any], dict[str, Any]]:
        """Evaluate; return what was decided, and what the oracle says."""
        sight, memory = self.look(), Memory() if self.last is None else self.last.memory
        passed = self.last is not None and (self.then - MIDNIGHT) // (2 * HOUR) < (self.now - MIDNIGHT) // (2 * HOUR)
        tick = evaluate(self.lake.graph, sight, memory, self.now, self.last)
        told_anew = Memory.from_text(memory.to_text(), self.lake.graph, memory.at)
        anew = evaluate(self.lake.graph, sight, told_anew, self.now)
        assert self.said(tick) == self.said(anew)
        assert tick.memory.to_text() == anew.memory.to_text()
        self.assert_upstreams_come_first(tick)
        self.last, self.then, self.now = tick, self.now, self.now + step
        return self.said(tick), self.oracle.tick(self.in_progress, self.tried, passed=passed)

    def assert_upstreams_come_first(self, tick: ConditionTick) -> None:
        """All that is requested is made from what is there, or from what the same run makes before it."""
        facts = self.story.oracle
        for run in groups(self.lake.graph, tick.requests):
            made: dict[str, set[int]] = {}
            for key, chosen in run.items():
                for each in facts.readings[str(key)]:
                    upstream = facts.numbers[each.upstream]
                    there = {other for other in upstream if facts.status(each.upstream, other) != "missing"}
                    there |= made.get(each.upstream, set())
                    assert not any(each.lacks(number, upstream, there) for number in self.story.numbers(key, chosen))
                    assert each.upstream in made or AssetKey(each.upstream) not in tick.requests
                made[str(key)] = self.story.numbers(key, chosen)

    def said(self, tick: ConditionTick) -> dict[str, Any]:
        found: dict[str, Any] = {name: {each: set() for each in Verdict} for name in self.conditions}
        for each in tick.decisions:
            numbers = self.story.numbers(each.asset, each.partitions)
            assert not numbers & found[str(each.asset)][each.verdict], "decided twice"
            found[str(each.asset)][each.verdict] |= numbers
        return found


def live_through(automation: Automation, data: st.DataObject, ticks: int) -> None:
    for _ in range(data.draw(st.integers(1, ticks), label="ticks")):
        if data.draw(st.integers(0, 2), label="commits") == 0:
            automation.story.happen()
        automation.look()
        if data.draw(st.booleans(), label="runs begin or end"):
            automation.begin_or_end(automation.conditions, "in progress")
            automation.begin_or_end(automation.conditions, "tried")
        found, expected = automation.tick()
        assert found == expected


def live_quietly(automation: Automation, data: st.DataObject, ticks: int) -> None:
    """Live through ticks between which hardly anything happens: what is not looked at again matters then."""
    automation.story.happen()
    automation.look()
    for _ in range(ticks):
        found, expected = automation.tick(data.draw(st.sampled_from([HOUR / 4, HOUR]), label="time"))
        assert found == expected
        automation.one_thing_happens()


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_conditions_ask_for_what_the_oracle_says(
    data: st.DataObject, lake_of: Callable[..., Any], table_of: Callable[..., Any]
) -> None:
    live_through(Automation(data, lake_of, table_of), data, ticks=6)


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_what_is_not_looked_at_again_would_be_decided_as_before(
    data: st.DataObject, lake_of: Callable[..., Any], table_of: Callable[..., Any]
) -> None:
    live_quietly(Automation(data, lake_of, table_of), data, ticks=10)


@pytest.mark.soak
@settings(deadline=None, max_examples=1000, derandomize=False)
@given(data=st.data())
def test_what_is_not_looked_at_again_would_be_decided_as_before_in_more_cases(
    data: st.DataObject, lake_of: Callable[..., Any], table_of: Callable[..., Any]
) -> None:
    live_quietly(Automation(data, lake_of, table_of), data, ticks=12)


@pytest.mark.soak
@settings(deadline=None, max_examples=2000, derandomize=False)
@given(data=st.data())
def test_conditions_ask_for_what_the_oracle_says_in_more_cases(
    data: st.DataObject, lake_of: Callable[..., Any], table_of: Callable[..., Any]
) -> None:
    live_through(Automation(data, lake_of, table_of), data, ticks=8)
