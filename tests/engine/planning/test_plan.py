"""Plan: reasons, what is left out, and what is refused, in sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import deltaworks as dw
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only, Plan, plan
from deltaworks.engine.planning.request import request
from deltaworks.engine.planning.selection import select
from deltaworks.errors import RequestError
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus

JANUARY = dw.DailyPartitions("2013-01-01", "2013-02-01")
WEEK = dw.TimeWindowMapping(start_offset=-6)


@pytest.fixture
def lake(lake_of: Callable[..., Any], table_of: Callable[..., Any]) -> Any:
    return lake_of(
        table_of("flights", JANUARY),
        table_of("carriers"),
        table_of("daily", JANUARY, flights=None),
        table_of("week", JANUARY, daily=WEEK, carriers=None),
        table_of("year", daily=None),
    )


def decide(lake: Any, *assets: str, only: frozenset[Only] = DEFAULT_ONLY, **options: Any) -> Plan:
    return plan(lake.graph, lake.status(), request(lake.graph, select(lake.graph, assets), **options), only)


def steps(lake: Any, decided: Plan) -> list[str]:
    """Spell the steps: the asset with its days, and the reasons."""
    nodes = lake.graph.nodes
    return [
        f"{nodes[step.asset].spelled(step.partitions.ranges())}: {'; '.join(step.reasons)}" for step in decided.steps
    ]


def test_an_empty_lake_is_missing_from_end_to_end(lake: Any) -> None:
    decided = decide(lake)

    assert steps(lake, decided) == [
        "flights 2013-01-01..2013-01-31: missing: never materialized",
        "carriers: missing: never materialized",
        "daily 2013-01-01..2013-01-31: missing: never materialized",
        "week 2013-01-01..2013-01-31: missing: never materialized",
        "year: missing: never materialized",
    ]
    assert (decided.partition_count, decided.left_out_count) == (95, 0)


def test_what_a_step_makes_stale_joins_the_plan(lake: Any) -> None:
    for name in ("flights", "daily"):
        lake.make(name, *range(1, 32))
    lake.make("carriers")
    lake.make("week", *range(1, 32))
    lake.make("year")

    decided = decide(lake, named=["2013-01-30"], only=frozenset({Only.ALL}))

    assert steps(lake, decided)[:2] == ["flights 2013-01-30: requested", "carriers: requested"]
    moved = decide(lake, "daily+", from_key="2013-01-28", to_key="2013-01-31", only=frozenset({Only.FAILED}))
    assert moved.steps == ()
    lake.fail("daily", 30)
    moved = decide(lake, "daily+", from_key="2013-01-28", to_key="2013-01-31", only=frozenset({Only.FAILED}))
    assert steps(lake, moved) == [
        "daily 2013-01-30: failed in run f0: it broke",
        "week 2013-01-30..2013-01-31: upstream: daily is planned",
        "year: upstream: daily is planned",
    ]


def test_several_planned_upstreams_are_told_apart_by_what_they_reach(lake: Any) -> None:
    for name in ("flights", "daily", "week"):
        lake.make(name, *range(1, 32))
    lake.make("carriers")
    lake.make("week", *range(1, 32))
    lake.make("carriers", code="override:old")
    lake.make("week", *range(1, 32))
    lake.fail("daily", 20)

    decided = decide(lake, "daily", "week", "carriers", only=frozenset({Only.FAILED}))
    assert steps(lake, decided)[-1] == "week 2013-01-20..2013-01-26: upstream: daily is planned"

    decided = decide(lake, "daily", "week", "carriers", only=frozenset({Only.FAILED, Only.STALE}))
    assert [line for line in steps(lake, decided) if line.startswith("week")] == [
        "week 2013-01-01..2013-01-31: upstream: carriers is stale, since code: carriers changed since it was made"
    ]


def test_nothing_is_made_of_a_table_that_needs_a_migration_nor_of_what_is_made_from_it(lake: Any) -> None:
    asked = request(lake.graph, tuple(lake.graph.nodes), named=["2013-01-30"])

    decided = plan(lake.graph, lake.status(), asked, migrating=[AssetKey("daily")])

    assert [str(step.asset) for step in decided.steps] == ["flights", "carriers"]
    assert {(str(left.asset), left.reason(lake.graph)) for left in decided.left_out} == {
        (name, "the table of daily needs a migration first") for name in ("daily", "week", "year")
    }


def test_partitions_with_the_same_reasons_are_one_step(lake: Any) -> None:
    lake.make("flights", 3, 4, 5, 10, 20)

    decided = decide(lake, "flights")

    assert [len(step.partitions) for step in decided.steps] == [26]
    assert steps(lake, decided)[0].startswith("flights 2013-01-01..2013-01-02, 2013-01-06..2013-01-09")


def test_external_content_is_redone_only_when_it_is_asked_for(lake: Any) -> None:
    lake.make("flights", *range(1, 32))
    lake.write_outside("flights", 7)
    lake.fail("flights", 7)

    assert decide(lake, "flights").steps == ()
    for only in (Only.EXTERNAL, Only.ALL):
        decided = decide(lake, "flights", named=["2013-01-07"], only=frozenset({only}))
        assert steps(lake, decided) == [
            "flights 2013-01-07: failed in run f0: it broke; "
            "external: written at version 1 by an outside writer (WRITE, somebody)"
        ]


def test_external_content_does_not_follow_its_upstream(lake: Any) -> None:
    for name in ("flights", "daily"):
        lake.make(name, *range(1, 32))
    lake.write_outside("daily", 7)

    decided = decide(lake, "flights", "daily", only=frozenset({Only.ALL}), named=["2013-01-08"])
    assert decided.partition_count == 2

    lake.fail("flights", 6, 7)
    decided = decide(lake, "flights", "daily", only=frozenset({Only.FAILED}))
    assert steps(lake, decided)[1:] == ["daily 2013-01-06: upstream: flights is planned"]


def test_what_lacks_an_upstream_is_left_out_with_the_command_that_makes_both(lake: Any) -> None:
    lake.make("flights", *range(1, 31))

    decided = decide(lake, "daily")

    (left,) = decided.left_out
    assert (str(left.asset), list(left.partitions), str(left.upstream), list(left.upstream_partitions)) == (
        "daily",
        [30],
        "flights",
        [30],
    )
    assert left.command == "deltaworks backfill +daily --from 2013-01-31 --to 2013-01-31"
    assert decided.left_out_count == 1


def test_the_command_reaches_as_far_back_as_windows_do(lake: Any) -> None:
    lake.make("carriers")

    with pytest.raises(RequestError) as refused:
        decide(lake, "week", named=["2013-01-20"])

    sentence = str(refused.value)
    assert sentence.startswith("Cannot make week 2013-01-20: it is made from daily 2013-01-14..2013-01-20, which is ")
    assert "`deltaworks backfill +week --from 2013-01-14 --to 2013-01-20`" in sentence


def test_a_request_is_refused_if_nothing_of_it_remains(lake: Any) -> None:
    with pytest.raises(RequestError, match=r"Cannot make daily 2013-01-01\.\.2013-01-31: it is made from flights"):
        decide(lake, "daily")


def test_a_named_partition_is_never_left_out_in_silence(lake: Any) -> None:
    lake.make("flights", 1)

    with pytest.raises(RequestError, match="Cannot make daily 2013-01-02"):
        decide(lake, "daily", named=["2013-01-01", "2013-01-02"])


def test_a_whole_table_that_only_joined_named_partitions_is_left_out(lake: Any) -> None:
    decided = decide(lake, "flights", "year", named=["2013-01-01"])

    assert [str(key) for key in decided.planned] == ["flights"]
    assert [(str(left.asset), left.command) for left in decided.left_out] == [
        ("year", "deltaworks backfill +year --from 2013-01-01 --to 2013-01-31")
    ]


def test_a_table_made_from_whatever_exists_needs_something_to_exist(lake: Any) -> None:
    with pytest.raises(RequestError, match=r"Cannot make year: it is made from daily 2013-01-01\.\.2013-01-31, which"):
        decide(lake, "year")

    lake.make("daily", 5)
    assert steps(lake, decide(lake, "year")) == ["year: missing: never materialized"]


def test_what_is_planned_upstream_is_not_lacking(lake: Any) -> None:
    decided = decide(lake, "+daily", named=["2013-01-03"])

    assert steps(lake, decided) == [
        "flights 2013-01-03: missing: never materialized",
        "daily 2013-01-03: missing: never materialized",
    ]


def test_a_failure_on_a_table_that_was_dropped_since_is_history(lake: Any) -> None:
    for _ in range(3):
        lake.make("carriers")
    lake.fail("carriers")
    lake.replace("carriers")
    for _ in range(5):
        lake.make("carriers")
        assert decide(lake, "carriers").steps == ()


def test_a_failure_before_there_was_a_table_lasts_until_the_partition_is_made(lake: Any) -> None:
    lake.fail("flights", 6, 7)
    lake.make("flights", 6, 8)

    decided = decide(lake, "flights", only=frozenset({Only.FAILED}))

    told = ["flights 2013-01-07: failed in run f0: it broke; missing: never materialized"]
    assert steps(lake, decided) == told


@pytest.mark.parametrize(("version", "planned"), [(1, 0), (2, 1), (3, 0)])
def test_a_failure_that_names_no_table_is_judged_by_its_version_alone(lake: Any, version: int, planned: int) -> None:
    lake.make("carriers")
    lake.make("carriers")
    lake.make("carriers")
    failure = Failure("carriers", None, "it broke", version)
    lake.runs.append(RunEntry("old", RunStatus.FAILURE, "backfill", "2013-02-01T00:00:00Z", failures=(failure,)))

    assert decide(lake, "carriers", only=frozenset({Only.FAILED})).partition_count == planned
