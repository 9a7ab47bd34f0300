"""Causes: why a partition has its status, in sentences that name what changed, when, and by whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import deltaworks as dw
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.causes import status_ranges

JANUARY = dw.DailyPartitions("2013-01-01", "2013-02-01")
WEEK = dw.TimeWindowMapping(start_offset=-6)
CHAIN: dict[str, dict[str, Any]] = {"a": {}, "b": {"a": None}, "c": {"b": None}, "d": {"c": None}}
OUTSIDE = "an outside writer (WRITE, somebody)"


@pytest.fixture
def lake(lake_of: Callable[..., Any], table_of: Callable[..., Any]) -> Any:
    """Return flights, their daily summary and trailing weeks, all made for January in two commits each."""
    lake = lake_of(
        table_of("flights", JANUARY), table_of("daily", JANUARY, flights=None), table_of("week", JANUARY, daily=WEEK)
    )
    for name in ("flights", "daily", "week"):
        lake.make(name, *range(1, 16))
        lake.make(name, *range(16, 32))
    return lake


def causes(lake: Any, name: str) -> dict[str, tuple[str, ...]]:
    """Return the causes of every range that is not fresh."""
    status = lake.status()
    found = status[AssetKey(name)]
    return {
        f"{lake.number(name, each.first)}-{lake.number(name, each.last)} {each.status.word}": each.causes
        for each in status_ranges(found, status)
        if each.causes
    }


def test_what_is_fresh_needs_no_cause(lake: Any) -> None:
    assert causes(lake, "flights") == causes(lake, "daily") == causes(lake, "week") == {}


def test_nothing_was_ever_materialized(lake: Any) -> None:
    lake.replace("flights")

    assert causes(lake, "flights") == {"1-31 missing": ("never materialized",)}


def test_code(lake: Any) -> None:
    lake.make("flights", 3, 4, code="override:old")

    assert causes(lake, "flights") == {"3-4 stale": ("code: flights changed since it was made",)}


def test_data_by_a_run(lake: Any) -> None:
    lake.make("flights", 10, run="r7")

    assert causes(lake, "daily") == {
        "10-10 stale": ("data: flights 2013-01-10 changed at version 2 by run r7, version 1 was read",)
    }
    changed = "data: flights 2013-01-10 changed at version 2 by run r7, version 1 was read"
    assert causes(lake, "week") == {"10-16 stale": (f"upstream: daily 2013-01-10 is stale, since {changed}",)}


def test_far_below_the_first_cause_is_told_and_not_the_way_to_it(lake_of: Callable[..., Any], table_of: Any) -> None:
    lake = lake_of(*(table_of(name, JANUARY, **reads) for name, reads in CHAIN.items()))
    for name in CHAIN:
        lake.make(name, *range(1, 32))
    lake.write_outside("a", 5)

    (sentence,) = causes(lake, "d")["5-5 stale"]

    changed = f"data: a 2013-01-05 changed at version 1 by {OUTSIDE}, version 0 was read"
    assert sentence == f"upstream: c 2013-01-05 is stale, since {changed}"


def test_data_by_one_run_in_several_commits_is_one_cause(lake: Any) -> None:
    lake.make("flights", *range(1, 11), run="r7")
    lake.make("flights", *range(11, 32), run="r7")

    assert causes(lake, "daily") == {
        "1-31 stale": ("data: flights 2013-01-01..2013-01-31 changed at versions 2 to 3 by run r7, version 1 was read",)
    }


def test_a_window_names_every_partition_that_changed_and_the_last_writer(lake: Any) -> None:
    lake.make("daily", 8, run="r7")
    lake.write_outside("daily", 10)

    assert causes(lake, "week") == {
        "8-9 stale": ("data: daily 2013-01-08 changed at version 2 by run r7, version 1 was read",),
        "10-16 stale": (
            f"data: daily 2013-01-08, 2013-01-10 changed at versions 2 to 3 last by {OUTSIDE}, version 1 was read",
        ),
    }


def test_what_changed_before_a_partition_was_made_is_not_named(lake: Any) -> None:
    lake.make("daily", 8, run="r7")
    lake.make("week", *range(8, 15))
    lake.make("daily", 9, run="r8")

    (sentence,) = causes(lake, "week")["9-15 stale"]

    assert sentence == "data: daily 2013-01-09 changed at version 3 by run r8, versions 1 to 2 were read"


def test_data_from_outside(lake: Any) -> None:
    lake.write_outside("flights", 10)

    assert causes(lake, "flights") == {"10-10 external": (f"written at version 2 by {OUTSIDE}",)}
    assert causes(lake, "daily") == {
        "10-10 stale": (f"data: flights 2013-01-10 changed at version 2 by {OUTSIDE}, version 1 was read",)
    }


def test_outside_writes_at_several_versions_are_one_range(lake: Any) -> None:
    lake.write_outside("flights", 10)
    lake.write_outside("flights", 11, 12)

    assert causes(lake, "flights") == {"10-12 external": (f"written at versions 2 to 3 by {OUTSIDE}",)}


def test_a_wiped_upstream(lake: Any) -> None:
    lake.empty("flights", 10)

    assert causes(lake, "flights") == {"10-10 missing": (f"emptied at version 2 by {OUTSIDE}",)}
    assert causes(lake, "daily") == {
        "10-10 stale": (f"data: flights 2013-01-10 was emptied at version 2 by {OUTSIDE}, version 1 was read",)
    }


def test_a_table_that_is_gone_or_another_one(lake: Any) -> None:
    lake.replace("flights")
    assert causes(lake, "daily") == {"1-31 stale": ("data: the table of flights is gone",)}

    lake.make("flights", 1)
    assert causes(lake, "daily") == {"1-31 stale": ("data: the table of flights is not the one that was read",)}


def test_an_upstream_that_was_not_there_when_it_was_read(lake: Any) -> None:
    lake.replace("week")
    lake.replace("daily")
    lake.make("week", 5)

    lake.make("daily", 5, run="r7")

    assert causes(lake, "week")["5-5 stale"] == (
        "data: daily 2013-01-05 changed at version 0 by run r7, it was not read before",
    )


def test_several_causes_come_with_the_most_telling_first(lake: Any) -> None:
    lake.make("daily", 10, code="override:old", pins={"flights": 0})

    (found,) = (text for name, text in causes(lake, "daily").items() if name.startswith("10"))

    assert [each.partition(":")[0] for each in found] == ["code"]
    lake.make("flights", 10)
    assert [each.partition(":")[0] for each in causes(lake, "daily")["10-10 stale"]] == ["code", "data"]


def test_a_whole_table_is_named_without_a_key(lake_of: Callable[..., Any], table_of: Callable[..., Any]) -> None:
    lake = lake_of(table_of("carriers"), table_of("names", carriers=None))
    lake.make("carriers")
    lake.make("names")
    lake.make("carriers", run="r7")

    assert causes(lake, "names") == {
        "0-0 stale": ("data: carriers changed at version 1 by run r7, version 0 was read",)
    }


def test_many_ranges_are_counted(lake_of: Callable[..., Any], table_of: Callable[..., Any]) -> None:
    lake = lake_of(table_of("flights", JANUARY), table_of("year", flights=None))
    lake.make("flights", *range(1, 32))
    lake.make("year")
    lake.make("flights", *range(1, 32, 2), run="r7")

    ((sentence,),) = causes(lake, "year").values()

    assert sentence.startswith("data: flights 2013-01-01, 2013-01-03, 2013-01-05 and 13 more ranges changed at")


def test_ranges_can_be_asked_for_some_partitions_only(lake: Any) -> None:
    lake.write_outside("flights", 10)
    status = lake.status()
    within = PartitionSet.of([8, 9, 20], 31)

    ranges = [
        (each.first, each.last, each.status.word) for each in status_ranges(status[AssetKey("flights")], status, within)
    ]

    assert ranges == [(8, 8, "fresh"), (9, 9, "external"), (20, 20, "fresh")]
