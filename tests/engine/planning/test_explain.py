"""Explanations lead from a status through the upstreams to the commit, the code or the failure that began it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import deltaworks as dw
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.explain import Explanation, explain
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus

JANUARY = dw.DailyPartitions("2013-01-01", "2013-02-01")
WEEK = dw.TimeWindowMapping(start_offset=-6)
ALL = range(1, 32)


@pytest.fixture
def lake(lake_of: Callable[..., Any], table_of: Callable[..., Any]) -> Any:
    """Return flights, their daily summary and trailing weeks, none of them made."""
    return lake_of(
        table_of("flights", JANUARY), table_of("daily", JANUARY, flights=None), table_of("week", JANUARY, daily=WEEK)
    )


@pytest.fixture
def made(lake: Any) -> Any:
    for name in ("flights", "daily", "week"):
        lake.make(name, *ALL)
    return lake


def why(lake: Any, name: str, *numbers: int) -> tuple[Explanation, ...]:
    size = lake.graph.nodes[AssetKey(name)].partitions.size
    within = PartitionSet.of([number - 1 for number in numbers], size) if numbers else PartitionSet.all(size)
    return explain(lake.status(), AssetKey(name), within, lake.runs)


def tree(explanations: tuple[Explanation, ...]) -> dict[str, Any]:
    """Return explanations by asset, days and status, each with its own causes or those of its upstreams."""
    return {
        f"{each.asset} {_days(each)} {each.status.word}": {
            **dict.fromkeys((cause.partition(":")[0] for cause in each.own_causes), "!"),
            **{f"above {key}": "!" for key in each.above},
            **tree(each.upstream),
        }
        for each in explanations
    }


def _days(each: Explanation) -> str:
    return ",".join(f"{first + 1}-{last + 1}" for first, last in each.partitions.ranges())


def test_what_is_fresh_says_when_by_whom_from_what_and_by_which_code_it_was_made(made: Any) -> None:
    made.make("flights", 3, run="r7")
    made.make("daily", 3, run="r8")

    (daily,) = why(made, "daily")

    assert (daily.causes, daily.upstream, daily.code) == ((), (), None)
    assert [(each.run_id, each.versions, each.partitions, each.inputs, each.code) for each in daily.made] == [
        ("r8", (1, 1), 1, {"flights": (1, 1)}, "override:new"),
        ("r1", (0, 0), 30, {"flights": (0, 0)}, "override:new"),
    ]


def test_commits_of_one_run_are_one_line(lake: Any) -> None:
    lake.make("flights", *range(1, 16))
    lake.make("flights", *range(16, 32))
    lake.make("daily", *range(1, 16), pins={"flights": 0})
    lake.make("daily", *range(16, 32))

    (each,) = why(lake, "daily")[0].made

    assert (each.versions, each.partitions, each.inputs) == ((0, 1), 31, {"flights": (0, 1)})


def test_a_window_is_stale_because_of_a_day_that_an_outsider_wrote_two_tables_up(made: Any) -> None:
    made.write_outside("flights", 10)

    explanations = why(made, "week")

    assert tree(explanations) == {
        "week 1-9,17-31 fresh": {},
        "week 10-16 stale": {"daily 10-10 stale": {"data": "!"}},
    }
    (daily,) = explanations[1].upstream
    assert daily.own_causes == (
        "data: flights 2013-01-10 changed at version 1 by an outside writer (WRITE, somebody), version 0 was read",
    )


def test_only_the_mapped_partitions_of_an_upstream_are_explained(made: Any) -> None:
    made.write_outside("flights", 1, 10, 20)

    assert tree(why(made, "week", 12)) == {"week 12-12 stale": {"daily 10-10 stale": {"data": "!"}}}


def test_code_that_changed_is_named_with_its_place(made: Any) -> None:
    made.make("daily", 5, code="override:old")

    (week,) = why(made, "week", 5)
    (daily,) = week.upstream

    assert week.code is None
    assert daily.code is not None
    assert daily.code.version == "override:new"
    assert daily.code.where == made.graph.nodes[AssetKey("daily")].asset.where
    assert [each.code for each in daily.made] == ["override:old"]


def test_what_is_missing_is_explained_by_the_upstream_that_is_missing(lake: Any) -> None:
    lake.make("flights", *range(1, 31))

    assert tree(why(lake, "daily")) == {"daily 1-31 missing": {"never materialized": "!", "flights 31-31 missing": {
        "never materialized": "!"
    }}}  # fmt: skip
    assert why(lake, "daily")[0].causes == ("never materialized", "upstream: flights 2013-01-31 is missing")
    assert tree(why(lake, "daily", 30)) == {"daily 30-30 missing": {"never materialized": "!"}}


def test_a_failed_attempt_says_its_error(lake: Any) -> None:
    lake.make("flights", *ALL)
    failures = (Failure("daily", "2013-01-04", "ge(0) failed", -1), Failure("daily", "2013-01-05", "no disk", -1))
    lake.runs = [
        RunEntry("r3", RunStatus.FAILURE, "backfill", "2013-02-01T00:00:00+00:00", failures=failures),
        RunEntry("r4", RunStatus.FAILURE, "backfill", "2013-02-02T00:00:00+00:00", failures=failures[:1]),
    ]
    lake.make("daily", 5)

    (daily,) = why(lake, "daily", 4, 6)

    assert [(each.run_id, each.partition, each.error) for each in daily.attempts] == [
        ("r4", "2013-01-04", "ge(0) failed")
    ]
    assert why(lake, "daily", 5)[0].attempts == ()


def test_an_outside_write_is_where_a_chain_ends(made: Any) -> None:
    made.write_outside("daily", 10)
    made.write_outside("flights", 10)

    (daily,) = why(made, "daily", 10)

    assert daily.causes == ("written at version 1 by an outside writer (WRITE, somebody)",)
    assert (daily.made, daily.upstream) == ((), ())


def test_a_table_that_is_gone_is_where_a_chain_ends(made: Any) -> None:
    made.replace("flights")

    assert tree(why(made, "daily")) == {"daily 1-31 stale": {"data": "!"}}


def test_a_table_that_is_another_one_is_where_a_chain_ends_even_if_that_one_is_stale(made: Any) -> None:
    made.replace("daily")
    made.make("daily", *ALL, code="override:old")

    assert tree(why(made, "week")) == {"week 1-31 stale": {"data": "!"}}


def test_an_upstream_of_two_paths_is_explained_once(lake_of: Callable[..., Any], table_of: Callable[..., Any]) -> None:
    lake = lake_of(
        table_of("raw", JANUARY),
        table_of("left", JANUARY, raw=None),
        table_of("right", JANUARY, raw=None),
        table_of("both", JANUARY, left=None, right=None, raw=None),
    )
    for name in ("raw", "left", "right", "both"):
        lake.make(name, *ALL)
    lake.make("raw", 5, code="override:old")

    raw = {"raw 5-5 stale": {"code": "!"}}
    data = {"data": "!"}
    assert tree(why(lake, "both", 5)) == {
        "both 5-5 stale": {
            **data,
            "above raw": "!",
            "left 5-5 stale": {**data, **raw},
            "right 5-5 stale": {**data, "above raw": "!"},
        }
    }


def test_no_partition_asked_for_is_no_explanation(lake: Any) -> None:
    assert explain(lake.status(), AssetKey("daily"), PartitionSet.none(31)) == ()
