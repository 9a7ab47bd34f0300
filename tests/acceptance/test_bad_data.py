"""One day whose data breaks its contract must cost that day and what is made from it, and nothing else."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from deltalake import DeltaTable

from tests.acceptance.conftest import Project

MODULE = """
from typing import Annotated
from pathlib import Path

import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2024-01-01", end="2024-02-01")


class Reading(pa.DataFrameModel):
    day: pl.Date
    sensor: str = pa.Field(isin=["a", "b"])
    value: float = pa.Field(ge=0)


class Week(pa.DataFrameModel):
    day: pl.Date
    total: float


@dw.asset(partitions=days, partition_by="day"BACKFILL)
def readings(partition: dw.Partition) -> LazyFrame[Reading]:
    return pl.scan_parquet(Path(__file__).parent / "readings.parquet").filter(partition.contains("day"))


@dw.asset(partitions=days, partition_by="day")
def daily(readings: LazyFrame[Reading]) -> LazyFrame[Reading]:
    return readings.filter(pl.col("sensor") == "a")


@dw.asset(partitions=days, partition_by="day")
def window(
    readings: Annotated[LazyFrame[Reading], dw.Input(mapping=dw.TimeWindowMapping(start_offset=-2))],
    partition: dw.Partition,
) -> LazyFrame[Week]:
    return readings.select(day=pl.lit(partition.start), total=pl.col("value").sum())
"""

BAD = dt.date(2024, 1, 10)


def readings(bad_value: float) -> pl.DataFrame:
    days = pl.date_range(dt.date(2024, 1, 1), dt.date(2024, 1, 31), eager=True)
    return (
        pl.DataFrame({"day": days})
        .join(pl.DataFrame({"sensor": ["a", "b"]}), how="cross")
        .with_columns(value=pl.when((pl.col("day") == BAD) & (pl.col("sensor") == "b")).then(bad_value).otherwise(1.5))
    )


@pytest.fixture(params=["", ", backfill=dw.BackfillPolicy.ranges(max_partitions=20)"], ids=["one by one", "in ranges"])
def sensors(project: Project, request: pytest.FixtureRequest) -> Project:
    project.write("deltaworks.toml", 'modules = ["sensors"]\n')
    project.write("sensors.py", MODULE.replace("BACKFILL", request.param))
    readings(bad_value=-7.25).write_parquet(project.folder / "readings.parquet")
    return project


def test_a_bad_day_costs_that_day_and_what_is_made_from_it(sensors: Project) -> None:
    first = sensors.run("backfill", "--json")
    status = sensors.status("--partitions")
    shown = sensors.run("show", "readings", "--sql", "select min(value) as least from readings", "--json")

    assert first.code == 1
    assert first.json["status"] == "failure"
    # readings and daily lose the 10th, window the 10th to the 12th
    assert first.json["totals"]["materialized"] == 30 + 30 + 28
    assert (first.json["totals"]["failed"], first.json["totals"]["skipped"]) == (1, 4)
    (failure,) = first.json["failures"]
    assert (failure["asset"], failure["partition"]) == ("readings", "2024-01-10")
    for told in ("readings 2024-01-10", "value", "ge", "1 row", "-7.25"):
        assert told in failure["error"]
    assert status["readings"]["partitions"]["missing"] == 1
    assert status["readings"]["partitions"]["failed"] == 1
    assert [each["partitions"]["ranges"] for each in status["window"]["ranges"] if each["status"] == "missing"] == [
        [["2024-01-10", "2024-01-12"]]
    ]
    assert shown.json["rows"] == [{"least": 1.5}]
    assert staged_but_not_live(sensors) == set()


def test_after_the_data_is_mended_only_that_day_and_its_downstream_are_made(sensors: Project) -> None:
    sensors.run("backfill")
    readings(bad_value=0.5).write_parquet(sensors.folder / "readings.parquet")

    second = sensors.run("backfill", "--json")

    assert second.code == 0
    assert second.json["totals"]["materialized"] == 1 + 1 + 3
    partitions = [found["partitions"] for found in sensors.status().values()]
    assert all(counts["fresh"] == counts["total"] and counts["failed"] == 0 for counts in partitions)
    assert pl.read_delta(str(sensors.lake / "readings"))["value"].sum() == pytest.approx(61 * 1.5 + 0.5)


def test_a_warning_is_told_and_recorded_and_lets_the_day_pass(sensors: Project) -> None:
    sensors.edit(
        "sensors.py", "value: float = pa.Field(ge=0)", 'value: float = pa.Field(ge=0, metadata={"on_fail": "warn"})'
    )

    result = sensors.run("backfill", "readings", "--json")

    assert result.code == 0
    assert "warning: readings 2024-01-10" in result.err
    assert result.json["totals"]["materialized"] == 31


def staged_but_not_live(project: Project) -> set[str]:
    """Data files that no version of their table names."""
    left: set[str] = set()
    for table in ("readings", "daily", "window"):
        written = {str(path) for path in (project.lake / table).rglob("*.parquet")}
        left |= written - set(DeltaTable(str(project.lake / table)).file_uris())
    return left
