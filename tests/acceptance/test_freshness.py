"""Freshness: how far tables lag behind what their data comes from, told by their records."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest
from deltalake import write_deltalake

import deltaworks as dw
from deltaworks.engine.execution.freshness import lake_freshness
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.planning.freshness import Freshness, Verdict
from deltaworks.errors import InvalidDefinition
from tests.acceptance.conftest import Here
from tests.acceptance.lake import Lake

HOUR = dt.timedelta(hours=1)
FOUR = dt.datetime(2024, 1, 4, 4, tzinfo=dt.UTC)
DAYS = dw.DailyPartitions("2024-01-01", "2024-01-04")


def order(folder: Path, at: dt.datetime, day: int | None = None) -> None:
    """Write an order from outside, at a time."""
    rows = pl.DataFrame({"n": [1]} if day is None else {"n": [1], "day": [dt.date(2024, 1, day)]})
    write_deltalake(folder, rows, mode="append", partition_by=None if day is None else ["day"])
    commit = max((folder / "_delta_log").glob("*.json"))
    actions = [json.loads(line) for line in commit.read_text().splitlines()]
    for action in actions:
        if "commitInfo" in action:
            action["commitInfo"]["timestamp"] = int(at.timestamp() * 1000)
    commit.write_text("\n".join(map(json.dumps, actions)))


def fresh(lake: Lake, name: str, now: dt.datetime) -> Freshness:
    found = lake_freshness(lake.graph, lake.store, observe(lake.graph, lake.store), now)
    return found[lake.graph.node(name).key]


@pytest.fixture
def chain(tmp_path: Path) -> tuple[Lake, Path]:
    """Orders that others write, what is made of them, and what is made of that."""
    folder = tmp_path / "orders"
    orders = dw.external_asset("orders", uri=folder, freshness=dw.FreshnessPolicy(24 * HOUR))

    @dw.asset(freshness=dw.FreshnessPolicy.downstream())
    def cleaned(orders: pl.LazyFrame) -> pl.LazyFrame:
        return orders

    @dw.asset(freshness=dw.FreshnessPolicy(6 * HOUR))
    def total(cleaned: pl.LazyFrame) -> pl.LazyFrame:
        return cleaned.select(pl.col("n").sum())

    @dw.asset(freshness=dw.FreshnessPolicy.cron("0 6 * * *", timezone="America/New_York"))
    def report(total: pl.LazyFrame) -> pl.LazyFrame:
        return total

    return Lake(tmp_path / "lake", orders, cleaned, total, report), folder


def test_the_lag_is_that_of_the_oldest_commit_that_is_not_included_whenever_a_run_was(
    chain: tuple[Lake, Path],
) -> None:
    lake, folder = chain
    order(folder, FOUR - 72 * HOUR)
    lake.run()

    assert fresh(lake, "total", FOUR).lag == dt.timedelta()  # all is included, though nothing has run for days
    order(folder, FOUR - 7 * HOUR)
    order(folder, FOUR)
    lake.run(lake.plan("cleaned"))
    late = fresh(lake, "total", FOUR)

    assert (late.verdict, late.lag, late.due_at) == (Verdict.LATE, 7 * HOUR, FOUR - HOUR)
    assert late.lacking is not None
    assert (str(late.lacking.root), late.lacking.version) == ("orders", 1)
    assert [(str(asset), version) for asset, version in late.lacking.way] == [
        ("total", 1),
        ("cleaned", 1),
        ("orders", 0),
    ]
    assert fresh(lake, "total", FOUR - 2 * HOUR).verdict is Verdict.ON_TIME
    assert fresh(lake, "cleaned", FOUR).since is None
    lake.run(lake.plan("total"))
    assert fresh(lake, "total", FOUR).since is None


def test_a_tick_asks_for_what_was_committed_by_then_and_goes_on_asking(chain: tuple[Lake, Path]) -> None:
    lake, folder = chain
    tick = dt.datetime(2024, 1, 4, 11, tzinfo=dt.UTC)  # six in New York
    order(folder, tick - 24 * HOUR)
    lake.run()
    order(folder, tick - HOUR)

    before, at, later = (fresh(lake, "report", now) for now in (tick - HOUR / 2, tick, tick + 20 * HOUR))

    assert [each.verdict for each in (before, at, later)] == [Verdict.ON_TIME, Verdict.LATE, Verdict.LATE]
    assert {each.due_at for each in (before, at, later)} == {tick}
    lake.run()
    order(folder, tick + HOUR)
    assert fresh(lake, "report", tick + 20 * HOUR).verdict is Verdict.ON_TIME
    assert fresh(lake, "report", tick + 20 * HOUR).lag == 19 * HOUR


def test_an_upstream_takes_the_strictest_policy_below_it(chain: tuple[Lake, Path]) -> None:
    lake, folder = chain
    tick = dt.datetime(2024, 1, 4, 11, tzinfo=dt.UTC)
    order(folder, tick - 24 * HOUR)
    lake.run()
    order(folder, tick - HOUR)

    by_tick = fresh(lake, "cleaned", tick)
    order(folder, tick - HOUR)

    assert (by_tick.verdict, str(by_tick.derived_from), by_tick.due_at) == (Verdict.LATE, "report", tick)
    lake.run()
    order(folder, tick + HOUR)
    by_lag = fresh(lake, "cleaned", tick + 2 * HOUR)
    assert (str(by_lag.derived_from), by_lag.due_at) == ("total", tick + 7 * HOUR)


def test_a_root_is_as_old_as_its_last_commit(chain: tuple[Lake, Path]) -> None:
    lake, folder = chain

    nothing = fresh(lake, "orders", FOUR)
    order(folder, FOUR - 20 * HOUR)

    assert (nothing.verdict, nothing.reason) == (Verdict.UNKNOWN, "nothing has ever been committed to it")
    assert fresh(lake, "orders", FOUR).verdict is Verdict.ON_TIME
    assert fresh(lake, "orders", FOUR + 4 * HOUR).verdict is Verdict.LATE


@pytest.fixture
def daily(tmp_path: Path) -> tuple[Lake, Path]:
    """Orders by day, and a table by day that is made from three days."""
    folder = tmp_path / "orders"
    orders = dw.external_asset(
        "orders", uri=folder, partitions=DAYS, partition_by="day", freshness=dw.FreshnessPolicy(6 * HOUR)
    )

    @dw.asset(partitions=DAYS, partition_by="day", freshness=dw.FreshnessPolicy(2 * HOUR))
    def three_days(
        orders: Annotated[pl.LazyFrame, dw.Input(mapping=dw.TimeWindowMapping(start_offset=-2))],
        partition: dw.Partition,
    ) -> pl.LazyFrame:
        return orders.filter(pl.col("day") == partition.start)

    return Lake(tmp_path / "lake", orders, three_days), folder


def test_of_partitions_of_time_the_latest_window_that_is_over_counts(daily: tuple[Lake, Path]) -> None:
    lake, folder = daily
    midnight = dt.datetime(2024, 1, 4, tzinfo=dt.UTC)
    for day in (1, 2, 3):
        order(folder, midnight - (4 - day) * 24 * HOUR + HOUR, day)
    lake.run()
    order(folder, midnight, 1)

    assert fresh(lake, "three_days", midnight + 5 * HOUR).due_at == midnight + 2 * HOUR  # it is made from day 1, too
    lake.run(lake.plan("three_days", named=("2024-01-03",)))
    assert fresh(lake, "three_days", midnight + 5 * HOUR).since is None
    assert list(fresh(lake, "three_days", midnight).measured) == [2]
    assert list(fresh(lake, "three_days", midnight - HOUR).measured) == [1]


def test_a_window_that_is_not_there_is_asked_for_when_it_is_over(daily: tuple[Lake, Path]) -> None:
    lake, folder = daily
    midnight = dt.datetime(2024, 1, 4, tzinfo=dt.UTC)
    for day in (1, 2):
        order(folder, midnight - (4 - day) * 24 * HOUR + HOUR, day)
    lake.run()

    asked, given = fresh(lake, "three_days", midnight + HOUR), fresh(lake, "orders", midnight + 7 * HOUR)

    assert asked.since == midnight  # not since day 1, of which it is to be made, came two days ago
    assert (given.since, given.due_at, given.verdict) == (midnight, midnight + 6 * HOUR, Verdict.LATE)
    order(folder, midnight + 7 * HOUR, 3)
    assert fresh(lake, "orders", midnight + 24 * HOUR).verdict is Verdict.ON_TIME


def test_a_lookback_takes_more_windows(tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    orders = dw.external_asset("orders", uri=folder, partitions=DAYS, partition_by="day")

    @dw.asset(partitions=DAYS, partition_by="day", freshness=dw.FreshnessPolicy(HOUR, lookback=48 * HOUR))
    def copied(orders: pl.LazyFrame) -> pl.LazyFrame:
        return orders

    lake = Lake(tmp_path / "lake", orders, copied)
    for day in (1, 2, 3):
        order(folder, FOUR - 10 * HOUR, day)
    lake.run()
    order(folder, FOUR, 1)

    assert fresh(lake, "copied", FOUR).since is None
    order(folder, FOUR, 2)
    assert fresh(lake, "copied", FOUR).since == FOUR


def test_what_others_wrote_into_a_made_table_has_to_be_included_below_it(chain: tuple[Lake, Path]) -> None:
    lake, folder = chain
    order(folder, FOUR - 72 * HOUR)
    lake.run()

    order(lake.folder / "cleaned", FOUR - 8 * HOUR)
    found = fresh(lake, "total", FOUR)

    assert (found.since, found.verdict) == (FOUR - 8 * HOUR, Verdict.LATE)
    assert found.lacking is not None
    assert str(found.lacking.root) == "cleaned"
    assert fresh(lake, "cleaned", FOUR).since is None  # somebody chose its content


def test_an_asset_that_reads_itself_includes_what_its_earlier_partitions_include(tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    orders = dw.external_asset("orders", uri=folder, partitions=DAYS, partition_by="day")

    class Row(pa.DataFrameModel):
        n: int
        day: pl.Date

    @dw.asset(partitions=DAYS, partition_by="day", freshness=dw.FreshnessPolicy(HOUR))
    def running(orders: pl.LazyFrame, before: dw.Previous[Row]) -> dw.LazyFrame[Row]:
        return orders

    lake = Lake(tmp_path / "lake", orders, running)
    for day in (1, 2, 3):
        order(folder, FOUR - 10 * HOUR, day)
    lake.run()
    assert fresh(lake, "running", FOUR).since is None

    order(folder, FOUR - 2 * HOUR, 1)

    assert fresh(lake, "running", FOUR).since == FOUR - 2 * HOUR  # day 3 is made from day 2, and that from day 1


PROJECT = """
import datetime as dt
import polars as pl
import deltaworks as dw

orders = dw.external_asset("orders", uri="../orders")

@dw.asset(freshness=dw.FreshnessPolicy(dt.timedelta(hours=6)))
def total(orders: pl.LazyFrame) -> pl.LazyFrame:
    return orders.select(pl.col("n").sum())

@dw.asset
def unasked(total: pl.LazyFrame) -> pl.LazyFrame:
    return total
"""


def test_status_and_why_say_which_commit_is_not_included(here: Here) -> None:
    folder, at = here.folder.parent / "orders", dt.datetime(2024, 1, 4, 4, tzinfo=dt.UTC)
    here.write("tables.py", PROJECT)
    order(folder, at - 24 * HOUR)
    assert here.run("backfill").code == 0
    assert here.status()["total"]["freshness"]["verdict"] == "on time"
    order(folder, at)

    document, told = here.status(), here.run("why", "total")

    assert "freshness" not in document["unasked"]
    found = document["total"]["freshness"]
    assert (found["verdict"], found["since"], found["due_at"]) == (
        "late",
        "2024-01-04T04:00:00Z",
        "2024-01-04T10:00:00Z",
    )
    assert (found["policy"], found["target_lag_s"], found["cron"]) == ("at most 6 h behind", 21_600, None)
    assert found["lacking"]["way"] == [{"asset": "total", "version": 1}, {"asset": "orders", "version": 0}]
    assert here.run("why", "total", "--json").json["freshness"]["lacking"] == found["lacking"]
    assert told.code == 0
    line = next(line for line in told.out.splitlines() if line.startswith("total is late"))
    assert "orders, committed as version 1 at 2024-01-04 04:00:00 UTC by an outside writer" in line
    assert line.endswith("is not included: total has read version 0 of orders")
    assert line in here.run("status").out


@pytest.mark.parametrize(
    ("define", "problem"),
    [
        (lambda: dw.FreshnessPolicy(6), "target_lag must be a timedelta"),  # type: ignore[arg-type]
        (lambda: dw.FreshnessPolicy(-HOUR), "target_lag must be a timedelta"),
        (lambda: dw.FreshnessPolicy(HOUR, lookback=0 * HOUR), "lookback must be a timedelta"),
        (lambda: dw.FreshnessPolicy.cron("0 25 * * *"), "0 25 * * *"),
        (lambda: dw.FreshnessPolicy.cron("0 6 * * *", timezone="Mars"), "Mars"),
        (
            lambda: dw.external_asset("a", uri="a", freshness=dw.FreshnessPolicy.cron("0 6 * * *")),
            "a tick can only ask how old its last commit may be",
        ),
        (lambda: dw.external_asset("a", uri="a", freshness=HOUR), "freshness must be a FreshnessPolicy"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_policy_is_refused(define: Any, problem: str) -> None:
    with pytest.raises(InvalidDefinition, match=problem.replace("*", r"\*")):
        define()
