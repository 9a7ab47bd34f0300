"""The example as a newcomer runs it: a year of real flights, from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, QueryBuilder
from polars.testing import assert_frame_equal

from tests.acceptance.conftest import EXAMPLE, Here, Project, Result, copy_example


@pytest.fixture(scope="module")
def backfilled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Result]:
    project = copy_example(tmp_path_factory.mktemp("year") / "flights")
    return project, project.run("backfill", "--json")


@pytest.fixture(scope="module")
def year(backfilled: tuple[Project, Result]) -> Project:
    return Here(backfilled[0].folder)


def source() -> pl.LazyFrame:
    return pl.scan_parquet(EXAMPLE / "flights.parquet")


def expected_daily_carrier() -> pl.LazyFrame:
    return (
        source()
        .group_by("flight_date", "carrier")
        .agg(
            flights=pl.len().cast(pl.Int64),
            mean_dep_delay=pl.col("dep_delay").mean(),
            cancelled_share=pl.col("dep_time").is_null().mean(),
        )
    )


def expected_trailing_week() -> pl.LazyFrame:
    """For each day, the rows of the seven days up to it: one join instead of 365 calls."""
    days = source().select(day="flight_date").unique()
    week = pl.col("flight_date").is_between(pl.col("day") - pl.duration(days=6), pl.col("day"))
    return (
        days.join(expected_daily_carrier(), how="cross")
        .filter(week)
        .group_by(flight_date="day", carrier="carrier")
        .agg(
            days=pl.len().cast(pl.Int64),
            flights_7d=pl.col("flights").sum(),
            mean_dep_delay_7d=pl.col("mean_dep_delay").mean(),
            cancelled_share_7d=pl.col("cancelled_share").mean(),
        )
    )


def test_every_partition_of_the_year_is_made_in_few_commits(backfilled: tuple[Project, Result]) -> None:
    _, result = backfilled

    assert result.code == 0, result.err
    assert result.json["status"] == "success"
    totals = result.json["totals"]
    assert (totals["materialized"], totals["failed"], totals["skipped"]) == (3 * 365 + 2, 0, 0)
    assert totals["commits"] * 10 <= totals["materialized"]


def test_afterwards_everything_is_fresh(year: Project) -> None:
    for asset, found in year.status().items():
        partitions = found["partitions"]
        assert partitions["fresh"] == partitions["total"], (asset, partitions)


def test_a_second_backfill_has_nothing_to_do(year: Project) -> None:
    before = year.status()

    result = year.run("backfill", "--json")

    assert result.code == 0
    assert result.json["totals"] == {"materialized": 0, "failed": 0, "skipped": 0, "commits": 0}
    assert year.status() == before


@pytest.mark.parametrize(
    ("asset", "expected"), [("daily_carrier", expected_daily_carrier), ("trailing_week", expected_trailing_week)]
)
def test_tables_equal_one_query_over_the_source(year: Project, asset: str, expected: Any) -> None:
    found = pl.read_delta(str(year.lake / asset))

    assert_frame_equal(found, expected().collect(), check_row_order=False, check_column_order=False, rel_tol=1e-9)


def test_flights_equal_the_source(year: Project) -> None:
    found = pl.read_delta(str(year.lake / "flights"))

    assert_frame_equal(found, source().select(found.columns).collect(), check_row_order=False)


def test_delta_rs_reads_what_polars_reads(year: Project) -> None:
    path = str(year.lake / "trailing_week")
    counted = (
        QueryBuilder()
        .register("t", DeltaTable(path))
        .execute("select count(*) as n, sum(flights_7d) as flights from t")
    )

    found = pl.DataFrame(counted.read_all())

    read = pl.read_delta(path)
    assert found.row(0) == (read.height, read["flights_7d"].sum())
    assert read.height == 5562


def test_the_record_names_partitions_and_the_versions_they_were_made_from(year: Project) -> None:
    latest = DeltaTable(str(year.lake / "daily_carrier")).history(1)[0]["deltaworks"]
    flights = DeltaTable(str(year.lake / "flights"))

    (read,) = latest["groups"][0]["inputs"].items()
    last = latest["groups"][0]["keys"][-1]
    records = {each["version"]: each["deltaworks"] for each in flights.history() if "deltaworks" in each}
    written = [version for version, record in records.items() if last in record["groups"][0]["keys"]]
    assert read[0] == flights.metadata().id
    assert read[1]["asset"] == "flights"
    assert written[0] <= read[1]["version"] <= flights.version()
    assert latest["checks"]["not_passed"] == []


def test_show_answers_sql_and_old_versions(year: Project) -> None:
    counted = year.run("show", "flights", "--sql", "select count(*) as n from flights", "--json")
    older = year.run("show", "flights@v1", "-n", "0", "--json")
    created = year.run("show", "flights@v0", "--json")

    assert counted.json["rows"] == [{"n": 336_776}]
    assert [column["name"] for column in older.json["columns"]][:2] == ["flight_date", "carrier"]
    assert created.json["rows"] == []


def test_a_comment_makes_nothing_stale_and_an_expression_everything_below(year: Project, tmp_path: Path) -> None:
    edited = Here(copy_example(tmp_path / "edited").folder)
    (edited.lake).symlink_to(year.lake)
    edited.edit("flights.py", '    """Flights, mean', '    # a comment\n    """Other words: flights, mean')
    after_comment = edited.status()
    edited.edit("flights.py", 'pl.col("dep_delay").mean()', 'pl.col("dep_delay").median()')
    after_change = edited.status("--partitions")

    assert {found["partitions"]["stale"] for found in after_comment.values()} == {0}
    stale = {asset: found["partitions"]["stale"] for asset, found in after_change.items()}
    assert stale == {"flights": 0, "carriers": 0, "daily_carrier": 365, "trailing_week": 365, "carrier_year": 1}
    (changed,) = after_change["daily_carrier"]["ranges"]
    assert changed["partitions"] == {"count": 365, "ranges": [["2013-01-01", "2013-12-31"]]}
    assert changed["causes"][0].startswith("code: ")
    assert after_change["carrier_year"]["ranges"][0]["causes"][0].startswith("upstream: daily_carrier")
