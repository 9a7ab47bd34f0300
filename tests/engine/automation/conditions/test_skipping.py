"""What happens to one asset is seen by all whose conditions it matters to, and by nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

import deltaworks as dw
from deltaworks.engine.automation.conditions.evaluate import evaluate
from deltaworks.engine.automation.conditions.memory import Memory
from tests.engine.automation.conditions.test_evaluate import Daemon, LakeOf, automated
from tests.engine.planning.conftest import days, table

Made = dw.AutomationCondition
Story = Callable[[LakeOf], Iterator[Daemon]]


def a_failure_that_is_forgiven(lake_of: LakeOf) -> Iterator[Daemon]:
    daemon = Daemon(lake_of(automated(table("a", days(1, 2)))))
    daemon.tried = {"a": [1, 2]}
    yield daemon
    yield daemon
    daemon.tried = {"a": [2]}
    yield daemon


def a_run_that_begins_and_ends(lake_of: LakeOf) -> Iterator[Daemon]:
    daemon = Daemon(lake_of(automated(table("a", days(1, 2)), Made.in_progress().since(Made.missing()))))
    daemon.lake.make("a", 1, 2)
    yield daemon
    daemon.in_progress = {"a": [1]}
    yield daemon
    yield daemon
    daemon.in_progress = {}
    yield daemon


def a_run_above_that_ends_without_making_anything(lake_of: LakeOf) -> Iterator[Daemon]:
    above, between, below = table("a", days(1, 2)), table("b", days(1, 2), a=None), table("c", days(1, 2), b=None)
    daemon = Daemon(lake_of(above, automated(between, Made.on_missing()), automated(below, Made.on_missing())))
    daemon.in_progress = {"a": [1, 2]}
    yield daemon
    yield daemon
    daemon.in_progress = {}
    yield daemon


def a_run_two_levels_above(lake_of: LakeOf) -> Iterator[Daemon]:
    busy = Made.any_upstream_match(Made.any_upstream_match(Made.in_progress()))
    daemon = Daemon(lake_of(table("a"), table("b", a=None), automated(table("c", b=None), busy)))
    yield daemon
    yield daemon
    daemon.in_progress = {"a": [0]}
    yield daemon


def a_request_above_that_is_made_no_more(lake_of: LakeOf) -> Iterator[Daemon]:
    above = automated(table("a", days(1, 2)), Made.missing() & Made.cron_tick_passed("0 * * * *"))
    daemon = Daemon(lake_of(above, automated(table("b", days(1, 2), a=None), Made.on_missing(), most=1)))
    daemon.in_progress = {"b": [1]}
    for _ in range(5):
        yield daemon


def a_tick_of_the_clock(lake_of: LakeOf) -> Iterator[Daemon]:
    hourly = Made.cron_tick_passed("0 * * * *").since(Made.newly_updated())
    daemon = Daemon(lake_of(automated(table("a", days(1, 2)), hourly), table("b", days(1, 2))))
    for _ in range(7):
        yield daemon
    daemon.lake.make("a", 1)
    yield daemon


def a_commit_from_outside_in_an_otherwise_quiet_lake(lake_of: LakeOf) -> Iterator[Daemon]:
    daemon = Daemon(lake_of(table("a", days(1, 2)), automated(table("b", days(1, 2), a=None)), automated(table("z"))))
    for name in ("a", "b", "z"):
        daemon.lake.make(name, *((1, 2) if name != "z" else ()))
    yield daemon
    yield daemon
    daemon.lake.write_outside("a", 2)
    yield daemon
    daemon.lake.make("b", 2)
    yield daemon
    daemon.lake.make("b", 1, code="override:old")
    yield daemon
    daemon.lake.fail("b", 1)
    yield daemon


def a_truth_that_is_new_once(lake_of: LakeOf) -> Iterator[Daemon]:
    newly = Made.missing().newly_true()
    daemon = Daemon(lake_of(table("a", days(1, 2)), automated(table("b", days(1, 2), a=None), newly)))
    yield daemon
    yield daemon


def a_commit_two_levels_above_that_moves_nothing_between(lake_of: LakeOf) -> Iterator[Daemon]:
    newly = Made.any_upstream_match(Made.any_upstream_match(Made.newly_updated()))
    daemon = Daemon(lake_of(table("a"), table("b", a=None), automated(table("c", b=None), newly)))
    for name in ("a", "b", "c"):
        daemon.lake.make(name)
    daemon.lake.make("a")  # so `b` is stale, and stays so
    yield daemon
    yield daemon
    daemon.lake.make("a")
    yield daemon


STORIES: list[Story] = [
    a_commit_two_levels_above_that_moves_nothing_between,
    a_truth_that_is_new_once,
    a_failure_that_is_forgiven,
    a_run_that_begins_and_ends,
    a_run_above_that_ends_without_making_anything,
    a_run_two_levels_above,
    a_request_above_that_is_made_no_more,
    a_tick_of_the_clock,
    a_commit_from_outside_in_an_otherwise_quiet_lake,
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_what_is_decided_is_what_a_look_at_everything_would_decide(story: Story, lake_of: LakeOf) -> None:
    told: list[Any] = []
    for daemon in story(lake_of):
        memory, now = Memory() if daemon.last is None else daemon.last.memory, daemon.now
        daemon.tick()
        assert daemon.last is not None
        anew = evaluate(daemon.lake.graph, daemon.last.sight, memory, now)
        told.append([(each.asset, list(each.partitions), each.sentence) for each in daemon.last.decisions])
        assert told[-1] == [(each.asset, list(each.partitions), each.sentence) for each in anew.decisions]
        assert daemon.last.memory.to_text() == anew.memory.to_text()
    assert any(one != other for one, other in pairwise(told)), "the story has a turn"


def test_what_another_memory_asks_for_is_looked_at_anew(lake_of: LakeOf) -> None:
    newly = Made.missing().newly_true()
    daemon = Daemon(lake_of(table("a", days(1, 2)), automated(table("b", days(1, 2), a=None), newly)))
    for _ in range(3):
        daemon.tick()
    last = daemon.last
    assert last is not None

    told_another = evaluate(daemon.lake.graph, last.sight, Memory(), daemon.now, last)

    assert not list(last.decisions)
    assert [each.sentence for each in told_another.decisions] == [
        "not requested: upstream a missing for 2013-01-01..2013-01-02"
    ]
