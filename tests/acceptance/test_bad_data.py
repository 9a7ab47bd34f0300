"""One day whose data breaks its contract must cost that day and what is made from it, and nothing else."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from tests.acceptance.conftest import Here, Project

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
def sensors(here: Here, request: pytest.FixtureRequest) -> Project:
    here.write("deltaworks.toml", 'modules = ["sensors"]\n')
    here.write("sensors.py", MODULE.replace("BACKFILL", request.param))
    readings(bad_value=-7.25).write_parquet(here.folder / "readings.parquet")
    return here


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


def test_the_report_shows_the_broken_rule_with_the_row_and_where_all_rows_are(sensors: Project) -> None:
    first = sensors.run("backfill", "readings")
    (path,) = kept_files(sensors)

    assert report(first.out)[:7] == [
        "failed: readings 2024-01-10: nothing was committed for it",
        "rule severity failed rows passed rows",
        "value: ge(0) fail 1 1",
        "value day sensor",
        "-7.25 2024-01-10 b",
        "the rows that were made, kept for 7 days:",
        str(path.relative_to(sensors.folder)),
    ]
    kept = pl.read_parquet(path, hive_partitioning=False)
    assert kept.columns == ["day", "sensor", "value"]
    assert kept.sort("sensor").rows() == [(BAD, "a", 1.5), (BAD, "b", -7.25)]


def test_the_rules_stand_in_json_and_no_value_of_a_row_in_any_record(sensors: Project) -> None:
    document = sensors.run("backfill", "--json").json

    (failure,) = document["failures"]
    assert failure["rules"] == [
        {
            "rule": "ge(0)",
            "column": "value",
            "severity": "fail",
            "failed_rows": 1,
            "rows": 2,
            "note": None,
            "samples": [{"value": -7.25, "day": "2024-01-10", "sensor": "b"}],
        }
    ]
    assert failure["kept"] == str(kept_files(sensors)[0])
    logs = [path.read_text() for path in sensors.lake.rglob("_delta_log/*.json")]
    assert logs
    assert not any("7.25" in log for log in logs)
    (entry,) = (sensors.lake / "_deltaworks" / "ledger" / "runs").rglob("*.json")
    (told,) = json.loads(entry.read_text())["failures"]
    assert told["error"] == failure["error"]
    assert told.keys() == {"asset", "partition", "error", "table_version", "table_id"}


def test_days_that_break_the_same_rule_are_one_table(sensors: Project) -> None:
    bad = pl.col("day").is_between(dt.date(2024, 1, 20), dt.date(2024, 1, 24)) & (pl.col("sensor") == "a")
    rows = readings(bad_value=0.0).with_columns(value=pl.when(bad).then(-pl.col("day").dt.day()).otherwise("value"))
    rows.write_parquet(sensors.folder / "readings.parquet")

    told = report(sensors.run("backfill", "readings").out)

    assert told[0] == "failed: readings 2024-01-20..2024-01-24: nothing was committed for them (5 partitions)"
    assert told[2] == "value: ge(0) fail 5 5"
    assert told[4:7] == ["-20.0 2024-01-20 a", "-21.0 2024-01-21 a", "-22.0 2024-01-22 a"]
    assert told[7] == "the rows that were made, kept for 7 days, in 5 files:"
    assert len(kept_files(sensors)) == 5
    assert staged_but_not_live(sensors, "readings") == set()


def test_a_later_look_at_the_run_shows_the_same_until_the_rows_are_swept(sensors: Project) -> None:
    failure = sensors.run("backfill", "readings", "--json").json["failures"][0]

    shown, document = sensors.run("runs", "show"), sensors.run("runs", "show", "--json").json
    young = sensors.run("maintain", "--json").json
    (path,) = kept_files(sensors)
    long_ago = time.time() - 8 * 24 * 3600
    os.utime(path, (long_ago, long_ago))
    maintained = sensors.run("maintain", "--json").json
    afterwards = sensors.run("runs", "show", "--json").json

    told = [" ".join(line.split()) for line in shown.out.splitlines()]
    assert "broken: readings 2024-01-10" in told
    assert "-7.25 2024-01-10 b" in told
    assert str(path.relative_to(sensors.folder)) in told
    assert {name: document["failures"][0][name] for name in failure} == failure
    assert [each["path"] for each in document["kept"]] == [str(path)]
    assert young["totals"]["removed"] == 0
    assert [each["files"] for each in maintained["assets"] if each["asset"] is None] == [
        [str(path.relative_to(sensors.lake))]
    ]
    assert kept_files(sensors) == []
    assert (afterwards["kept"], afterwards["failures"][0]["kept"]) == ([], None)
    assert afterwards["failures"][0]["error"] == failure["error"]


def report(out: str) -> list[str]:
    """The lines of a run's report, without what aligns them."""
    return [" ".join(line.split()) for line in out.splitlines()]


def kept_files(project: Project) -> list[Path]:
    return sorted((project.lake / "_deltaworks" / "kept").rglob("*.parquet"))


def staged_but_not_live(project: Project, *tables: str) -> set[str]:
    """Data files that no version of their table names."""
    left: set[str] = set()
    for table in tables or ("readings", "daily", "window"):
        written = {str(path) for path in (project.lake / table).rglob("*.parquet")}
        left |= written - set(DeltaTable(str(project.lake / table)).file_uris())
    return left
