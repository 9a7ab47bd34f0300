"""What conditions ask for, tick by tick, on lakes that exist in commit logs."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

import deltaworks as dw
from deltaworks.engine.automation.conditions.evaluate import ConditionTick, evaluate, groups
from deltaworks.engine.automation.conditions.memory import Memory
from deltaworks.engine.automation.conditions.sight import Sight, Tried
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.state import lake_state
from deltaworks.engine.planning.status import Status, lake_status
from tests.engine.planning.conftest import Lake, days, table

Made = dw.AutomationCondition
MORNING = dt.datetime(2013, 2, 1, 0, 30, tzinfo=dt.UTC)
LakeOf = Callable[..., Lake]


def automated(made: dw.Asset[..., Any], condition: dw.AutomationCondition | None = None, most: int = 100) -> Any:
    return replace(made, automation=Made.eager() if condition is None else condition, max_per_tick=most)


def same(found: dict[AssetKey, Any], before: Mapping[AssetKey, Any]) -> dict[AssetKey, Any]:
    return {key: before[key] if key in before and before[key] == each else each for key, each in found.items()}


class Daemon:
    """Evaluates the conditions of a lake, as often as it is told to; a tick is a quarter of an hour after another."""

    def __init__(self, lake: Lake) -> None:
        self.lake, self.now = lake, MORNING
        self.last: ConditionTick | None = None
        self.in_progress: dict[str, Sequence[int]] = {}
        self.tried: dict[str, Sequence[int]] = {}
        self.tried_at = MORNING

    def tick(self) -> dict[str, list[int]]:
        """Return what is asked for, by days of January."""
        last = self.last
        before = None if last is None else {key: each.state for key, each in last.sight.status.items()}
        state = lake_state(self.lake.graph, self.lake.tables, self.lake.runs, before=before)
        status = lake_status(self.lake.graph, state, None if last is None else last.sight.status)
        in_progress = {AssetKey(name): self.of(name, numbers) for name, numbers in self.in_progress.items() if numbers}
        tried = {
            AssetKey(name): (Tried(self.of(name, each), "it failed", self.tried_at),)
            for name, each in self.tried.items()
        }
        sight = Sight(status, in_progress, tried)
        if last is not None:  # what is as it was is the same object
            sight = Sight(status, same(in_progress, last.sight.in_progress), same(tried, last.sight.tried))
        self.last = evaluate(self.lake.graph, sight, Memory() if last is None else last.memory, self.now, last)
        self.now += dt.timedelta(minutes=15)
        return {str(key): self.numbers(str(key), chosen) for key, chosen in self.last.requests.items()}

    def carry_out(self, *, one_by_one: bool = False) -> dict[str, list[int]]:
        """Tick, and make what is asked for at once, or each partition in a commit of its own."""
        asked = self.tick()
        for name, numbers in asked.items():
            for batch in [[each] for each in numbers] if one_by_one else [numbers]:
                self.lake.make(name, *filter(None, batch))
        return asked

    def sentences(self, name: str) -> dict[str, list[int]]:
        assert self.last is not None
        return {
            each.sentence: self.numbers(name, each.partitions)
            for each in self.last.decisions
            if str(each.asset) == name
        }

    def of(self, name: str, numbers: Sequence[int]) -> PartitionSet:
        partitions = self.lake.graph.nodes[AssetKey(name)].partitions
        keys = (dt.date(2013, 1, number).isoformat() if number else "" for number in numbers)
        return PartitionSet.of((partitions.ordinal(key) or 0 for key in keys), partitions.size)

    def numbers(self, name: str, chosen: PartitionSet) -> list[int]:
        return [self.lake.number(name, ordinal) for ordinal in chosen]


def test_eager_makes_what_is_missing_then_nothing_then_what_changed(lake_of: LakeOf) -> None:
    daemon = Daemon(lake_of(automated(table("a", days(1, 3))), automated(table("b", days(1, 3), a=None))))

    assert daemon.carry_out() == {"a": [1, 2, 3], "b": [1, 2, 3]}
    assert daemon.carry_out() == {}
    daemon.lake.make("a", 2)
    assert daemon.carry_out() == {"b": [2]}
    assert daemon.carry_out() == {}


def test_a_tick_at_which_nothing_changed_evaluates_nothing(lake_of: LakeOf) -> None:
    daemon = Daemon(lake_of(automated(table("a", days(1, 3))), automated(table("b", days(1, 3), a=None))))
    daemon.carry_out(), daemon.tick(), daemon.tick()

    daemon.tick()
    assert daemon.last is not None
    assert daemon.last.evaluated == 0
    daemon.lake.make("b", 1)
    daemon.tick()
    assert daemon.last.evaluated == 1


def test_what_is_made_from_what_is_missing_waits_and_says_for_what(lake_of: LakeOf) -> None:
    daemon = Daemon(lake_of(table("x", days(1, 4)), automated(table("b", days(1, 4), x=None))))
    daemon.lake.make("x", 1, 2)

    assert daemon.tick() == {"b": [1, 2]}
    assert daemon.sentences("b") == {
        "not requested: upstream x missing for 2013-01-03..2013-01-04": [3, 4],
        "requested: eager() asks for it": [1, 2],
    }
    daemon.lake.make("b", 1, 2)
    daemon.lake.make("x", 4)
    assert daemon.tick() == {"b": [4]}


def test_what_others_wrote_stays_and_what_is_made_from_it_follows(lake_of: LakeOf) -> None:
    daemon = Daemon(lake_of(automated(table("a", days(1, 2))), automated(table("b", days(1, 2), a=None))))
    daemon.carry_out()

    daemon.lake.write_outside("a", 1)
    daemon.lake.write_outside("b", 2)
    daemon.lake.make("a", 2)

    assert daemon.tick() == {"b": [1]}
    ask = Made.stale() | Made.missing() | ~Made.failed()
    everything = Daemon(lake_of(automated(table("c", days(1, 2)), ask)))
    everything.lake.write_outside("c", 1)
    assert everything.tick() == {"c": [2]}
    (sentence,) = (each for each in everything.sentences("c") if each.startswith("not requested"))
    assert sentence == "not requested: somebody else wrote it last or rolled it back, so it is left as it is"


def test_so_many_at_a_time_the_newest_first_and_those_in_progress_count(lake_of: LakeOf) -> None:
    daemon = Daemon(lake_of(automated(table("a", days(1, 9)), most=3), automated(table("b", days(1, 9), a=None))))

    assert daemon.tick() == {"a": [7, 8, 9], "b": [7, 8, 9]}
    waits = "waits: 6 wait for their turn, since at most 3 are made at a time (max_per_tick)"
    assert daemon.sentences("a")[waits] == [1, 2, 3, 4, 5, 6]
    daemon.in_progress = {"a": [8, 9], "b": [7, 8, 9]}
    daemon.lake.make("a", 7)
    assert daemon.tick() == {"a": [6], "b": [6]}


def test_switched_on_over_a_hundred_thousand_missing_partitions_it_begins_with_few(lake_of: LakeOf) -> None:
    hours = dw.HourlyPartitions("2000-01-01", "2012-01-01")
    whole = replace(table("a"), partitions=hours, automation=Made.eager())
    graph = build_graph(dw.Definitions([whole]), MORNING)
    status = lake_status(graph, lake_state(graph, {AssetKey("a"): lake_of(table("a")).table("a")}, ()))

    tick = evaluate(graph, Sight(status), Memory(), MORNING)

    (chosen,) = tick.requests.values()
    assert (len(chosen), chosen.ranges()[-1][1]) == (100, hours.size - 1)
    sentences = [each.sentence for each in tick.decisions]
    assert (
        sentences[0]
        == f"waits: {hours.size - 100:,} wait for their turn, since at most 100 are made at a time (max_per_tick)"
    )
    none = {key: PartitionSet.none(hours.size) | chosen for key in graph.nodes}
    assert not evaluate(graph, Sight(status, none), tick.memory, MORNING).requests


def test_nothing_is_made_from_what_is_about_to_be_made_anew(lake_of: LakeOf) -> None:
    lake = lake_of(
        automated(table("a", days(1, 2))), table("x", days(1, 2)), automated(table("b", days(1, 2), a=None, x=None))
    )
    daemon = Daemon(lake)
    daemon.lake.make("x", 1, 2)
    daemon.carry_out()

    daemon.lake.make("x", 1, 2)
    daemon.in_progress = {"a": [1]}

    assert daemon.tick() == {"b": [2]}
    assert daemon.sentences("b")["waits: upstream a 2013-01-01 is made first"] == [1]


def test_what_came_to_nothing_is_not_tried_again_before_something_changes(lake_of: LakeOf) -> None:
    daemon = Daemon(lake_of(automated(table("a", days(1, 2)))))
    daemon.tried = {"a": [1]}

    assert daemon.tick() == {"a": [2]}
    held = "not requested: it failed, and nothing that it is made from has changed since"
    assert daemon.sentences("a")[held] == [1]
    daemon.tried = {}
    assert daemon.tick() == {"a": [1, 2]}


def test_what_came_to_nothing_is_tried_again_at_the_next_tick_of_its_clock(lake_of: LakeOf) -> None:
    daemon = Daemon(lake_of(automated(table("source"), Made.on_cron("0 * * * *"))))  # at half past

    assert [daemon.tick() for _ in range(4)] == [{}, {}, {"source": [0]}, {}]
    daemon.tried = {"source": [0]}
    daemon.tried_at = daemon.now
    assert [daemon.tick() for _ in range(4)] == [{}, {}, {"source": [0]}, {}]


def test_what_failed_after_the_last_tick_of_its_clock_is_left(lake_of: LakeOf) -> None:
    either = Made.missing() | Made.cron_tick_passed("0 * * * *")
    daemon = Daemon(lake_of(automated(table("source"), either)))
    daemon.tried = {"source": [0]}

    assert [daemon.tick(), daemon.tick()] == [{}, {}]
    held = "not requested: it failed, and nothing that it is made from has changed since, nor has its clock ticked"
    assert daemon.sentences("source") == {held: [0]}
    assert daemon.tick() == {"source": [0]}


def test_a_chain_of_own_partitions_is_asked_for_in_order(lake_of: LakeOf) -> None:
    own = table("a", days(1, 5), a=dw.TimeWindowMapping(-1, -1))
    daemon = Daemon(lake_of(automated(own, most=2)))

    asked = [daemon.carry_out(one_by_one=True) for _ in range(3)]
    assert asked == [{"a": [1, 2]}, {"a": [3, 4]}, {"a": [5]}]
    daemon.lake.make("a", 3)
    assert daemon.carry_out(one_by_one=True) == {"a": [4, 5]}
    assert daemon.tick() == {}


def test_on_cron_asks_once_a_tick_for_the_latest_when_all_upstreams_are_new(lake_of: LakeOf) -> None:
    lake = lake_of(table("x", days(1, 3)), automated(table("b", days(1, 3), x=None), Made.on_cron("0 * * * *")))
    daemon = Daemon(lake)  # at half past
    daemon.lake.make("x", 1, 2, 3)
    daemon.lake.make("b", 1, 2, 3)

    assert [daemon.tick() for _ in range(4)] == [{}] * 4  # the full hour passed; x is older
    daemon.lake.make("x", 2)
    assert daemon.tick() == {}
    daemon.lake.make("x", 3)
    assert daemon.carry_out() == {"b": [3]}
    assert [daemon.tick() for _ in range(4)] == [{}] * 4


def test_a_table_that_was_made_anew_is_updated_whatever_its_version(lake_of: LakeOf) -> None:
    lake = lake_of(table("x"), automated(table("b", x=None), Made.any_upstream_match(Made.newly_updated())))
    daemon = Daemon(lake)
    lake.make("x")
    assert daemon.tick() == {}

    lake.replace("x")
    assert daemon.tick() == {}
    lake.make("x")
    assert daemon.tick() == {"b": [0]}
    lake.replace("x")
    lake.make("x")
    assert daemon.tick() == {"b": [0]}
    assert daemon.tick() == {}


def test_a_request_by_the_clock_takes_along_what_is_eager_below_it(lake_of: LakeOf) -> None:
    hourly = Made.in_latest_window() & Made.cron_tick_passed("0 * * * *")
    daemon = Daemon(lake_of(automated(table("a", days(1, 3)), hourly), automated(table("b", days(1, 3), a=None))))
    daemon.lake.make("a", 1, 2, 3)
    daemon.lake.make("b", 1, 2, 3)

    asked = [daemon.carry_out() for _ in range(8)]

    assert asked == [{}, {}, {"a": [3], "b": [3]}, {}, {}, {}, {"a": [3], "b": [3]}, {}]


def test_memory_of_another_condition_and_of_days_that_were_not_there_is_forgotten(lake_of: LakeOf) -> None:
    condition = Made.missing().newly_true()
    short, long = (lake_of(automated(table("a", days(1, size)), condition)) for size in (2, 4))
    daemon = Daemon(short)
    assert daemon.tick() == {"a": [1, 2]}
    assert daemon.last is not None

    text = daemon.last.memory.to_text()

    grown = Daemon(long)
    status = long.status()
    told = evaluate(long.graph, Sight(status), Memory.from_text(text, long.graph, MORNING), MORNING)
    assert grown.numbers("a", told.requests[AssetKey("a")]) == [3, 4]
    other = lake_of(automated(table("a", days(1, 2)), condition & ~Made.failed()))
    told = evaluate(other.graph, Sight(other.status()), Memory.from_text(text, other.graph, MORNING), MORNING)
    assert len(told.requests[AssetKey("a")]) == 2


def test_requests_part_into_runs_by_what_is_made_from_each_other(lake_of: LakeOf) -> None:
    tables = (table("a"), table("b", a=None), table("x"), table("y", x=None), table("z", y=None, b=None), table("lone"))
    graph = lake_of(*tables).graph
    whole = {key: PartitionSet.all(1) for key in graph.nodes}

    assert sorted(sorted(map(str, each)) for each in groups(graph, whole)) == [["a", "b", "x", "y", "z"], ["lone"]]
    without = {key: chosen for key, chosen in whole.items() if str(key) != "z"}
    assert sorted(sorted(map(str, each)) for each in groups(graph, without)) == [["a", "b"], ["lone"], ["x", "y"]]
    assert all(list(each) == [key for key in graph.nodes if key in each] for each in groups(graph, whole))


def interleave(lake_of: LakeOf, seed: int) -> None:
    """Let an upstream change while runs of its downstream begin and finish, at any moment between ticks."""
    drawn = random.Random(seed)
    daemon = Daemon(lake_of(table("u", days(1, 2)), automated(table("d", days(1, 2), u=None))))
    lake, running = daemon.lake, list[tuple[list[int], int]]()
    lake.make("u", 1, 2)
    for _ in range(12):
        match drawn.choice(["change", "write", "finish", "finish", "tick"]):
            case "change":
                lake.make("u", drawn.choice([1, 2]))
            case "write":
                lake.write_outside("u", drawn.choice([1, 2]))
            case "finish" if running:
                numbers, pin = running.pop(0)
                lake.make("d", *numbers, pins={"u": pin})
            case _:
                daemon.in_progress = {"d": [number for numbers, _ in running for number in numbers]}
                for numbers in daemon.tick().values():
                    running.append((numbers, lake.table("u").version))
    for numbers, pin in running:
        lake.make("d", *numbers, pins={"u": pin})
    daemon.in_progress = {}
    behind = lake.having("d", Status.STALE) + lake.having("d", Status.MISSING)
    assert sorted(daemon.carry_out().get("d", [])) == sorted(behind), seed
    assert lake.having("d", Status.FRESH) == [1, 2], seed
    assert daemon.tick() == {}


def test_no_update_is_lost_however_runs_and_changes_fall_between_ticks(lake_of: LakeOf) -> None:
    for seed in range(60):
        interleave(lake_of, seed)


@pytest.mark.soak
def test_no_update_is_lost_in_a_thousand_interleavings(lake_of: LakeOf) -> None:
    for seed in range(1000):
        interleave(lake_of, seed)
