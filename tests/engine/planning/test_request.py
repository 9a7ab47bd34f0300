"""Request: which partitions of the selected assets a command means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import deltaworks as dw
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.request import Request, known_keys, request
from deltaworks.engine.planning.selection import select
from deltaworks.errors import RequestError, UnknownPartition

JANUARY = dw.DailyPartitions("2013-01-01", "2013-02-01")
LATE_JANUARY = dw.DailyPartitions("2013-01-20", "2013-02-10")


@pytest.fixture(scope="module")
def lake(lake_of: Callable[..., Any], table_of: Callable[..., Any]) -> Any:
    return lake_of(
        table_of("flights", JANUARY, group="raw"),
        table_of("carriers", group="raw"),
        table_of("daily", JANUARY, flights=None),
        table_of("recent", LATE_JANUARY, daily=None),
        table_of("year", daily=None, carriers=None),
    )


def numbers(lake: Any, asked: Request) -> dict[str, list[int]]:
    return {str(key): [lake.number(str(key), each) for each in part] for key, part in asked.partitions.items()}


def ask(lake: Any, *assets: str, **options: Any) -> Request:
    return request(lake.graph, select(lake.graph, assets), **options)


def test_no_keys_mean_every_partition(lake: Any) -> None:
    asked = ask(lake, "flights", "carriers")

    assert numbers(lake, asked) == {"flights": list(range(1, 32)), "carriers": [0]}
    assert not asked.names_partitions


def test_named_keys_mean_those_of_each_asset_that_has_them_and_whole_tables(lake: Any) -> None:
    asked = ask(lake, "daily", "recent", "carriers", named=["2013-01-25", "2013-01-02"])

    assert numbers(lake, asked) == {"carriers": [0], "daily": [2, 25], "recent": [25]}
    assert asked.names_partitions


def test_a_range_has_both_ends_and_is_cut_to_each_definition(lake: Any) -> None:
    asked = ask(lake, "daily", "recent", "carriers", from_key="2013-01-18", to_key="2013-01-21")

    assert numbers(lake, asked) == {"carriers": [0], "daily": [18, 19, 20, 21], "recent": [20, 21]}
    assert not asked.names_partitions


def test_a_range_may_end_where_only_one_of_the_assets_does(lake: Any) -> None:
    asked = ask(lake, "daily", "recent", from_key="2013-01-30", to_key="2013-02-02")

    assert numbers(lake, asked) == {"daily": [30, 31], "recent": [30, 31, 1, 2]}


@pytest.mark.parametrize("key", ["2013-2-1", "2012-12-31", "2013-02-30", "today", ""])
def test_a_key_of_no_asset_is_refused(lake: Any, key: str) -> None:
    message = f"Asset 'daily' has no partition '{key}': its partitions are days 2013-01-01 to 2013-01-31."
    with pytest.raises(UnknownPartition) as refused:
        ask(lake, "daily", named=[key])
    assert str(refused.value) == message
    with pytest.raises(UnknownPartition):
        ask(lake, "daily", from_key=key, to_key="2013-01-02")


def test_assets_that_have_none_of_the_partitions_are_told(lake: Any) -> None:
    named = ask(lake, "daily", "recent", "carriers", named=["2013-01-02"])
    ranged = ask(lake, "daily", "recent", from_key="2013-02-02", to_key="2013-02-03")

    assert [str(key) for key in named.without(lake.graph)] == ["recent"]
    assert [str(key) for key in ranged.without(lake.graph)] == ["daily"]
    assert ask(lake, "daily", "recent", named=["2013-01-25"]).without(lake.graph) == ()
    assert ask(lake).without(lake.graph) == ()


HOURS = dw.HourlyPartitions("2013-11-03", "2013-11-04", timezone="America/New_York")
DAYS_BY_REGION = dw.MultiPartitions({"day": JANUARY, "region": dw.StaticPartitions(["us", "eu"])})


@pytest.mark.parametrize(
    ("partitions", "key", "hint"),
    [
        (HOURS, "2013-11-03T01:00", "2013-11-03T01:00 is 2013-11-03T01:00-04:00 or 2013-11-03T01:00-05:00."),
        (HOURS, "2013-11-03T05:00", "offset from UTC: 2013-11-03T05:00 is 2013-11-03T05:00-05:00."),
        (HOURS, "2013-11-03", "`deltaworks backfill some --from 2013-11-03 --to 2013-11-03` takes what overlaps it."),
        (HOURS, "2013-11-04", "2013-11-03T23:00-05:00."),
        (HOURS, "2013-11-04T01:00", "2013-11-03T23:00-05:00."),
        (
            DAYS_BY_REGION,
            "2013-01-02",
            "such as 'day=2013-01-01,region=us'. `deltaworks backfill some --from 2013-01-02",
        ),
        (DAYS_BY_REGION, "us", "backfill some --from 2013-01-01 --to 2013-01-01` takes all of 2013-01-01."),
        (dw.MonthlyPartitions("2013-01-01", "2014-01-01"), "2013-02-03", "2013-02-03 --to 2013-02-03` takes what"),
    ],
)
def test_an_unknown_key_is_answered_with_what_it_may_mean(partitions: Any, key: str, hint: str) -> None:
    with pytest.raises(UnknownPartition, match=f"Asset 'some' has no partition '{key}'") as refused:
        known_keys(AssetKey("some"), partitions, [key])

    assert hint in str(refused.value)
    assert str(refused.value).endswith((hint, "takes what overlaps it."))


def test_a_skipped_hour_is_no_key() -> None:
    spring = dw.HourlyPartitions("2013-03-10", "2013-03-11", timezone="America/New_York")

    assert spring.with_offsets("2013-03-10T02:00") == []
    assert spring.with_offsets("2013-03-10T03:00") == ["2013-03-10T03:00-04:00"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"from_key": "2013-01-09", "to_key": "2013-01-08"}, "The range is reversed: --from 2013-01-09 comes after"),
        ({"from_key": "2013-01-09"}, "A range needs both ends"),
        ({"to_key": "2013-01-09"}, "A range needs both ends"),
        ({"named": ["2013-01-09"], "from_key": "2013-01-09"}, "by --partition or by --from and --to, not by both"),
    ],
)
def test_a_contradiction_is_refused(lake: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        ask(lake, "daily", **options)


def test_no_asset_has_no_partitions_whatever_is_named(lake: Any) -> None:
    options: list[dict[str, Any]] = [{}, {"named": ["2013-01-09"]}, {"from_key": "2013-01-01", "to_key": "2013-01-02"}]
    for each in options:
        assert not ask(lake, "flights and carriers", **each).partitions
    with pytest.raises(RequestError, match="A range needs both ends"):
        ask(lake, "flights and carriers", from_key="2013-01-01")


def test_keys_mean_nothing_without_partitions(lake: Any) -> None:
    with pytest.raises(RequestError, match="Of carriers, none has partitions: leave out the partition keys"):
        ask(lake, "carriers", named=["2013-01-09"])
