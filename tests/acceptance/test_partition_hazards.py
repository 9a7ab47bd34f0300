"""What others may do to a partitioned table, and what definitions may do to each other: one partition is one place."""

from __future__ import annotations

import datetime as dt
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.planning.selection import select
from deltaworks.errors import RequestError, TableMismatch
from tests.acceptance.lake import Lake

hours = dw.HourlyPartitions("2013-11-01", "2013-11-01T04:00", timezone="America/New_York")
days = dw.DailyPartitions("2013-11-01", "2013-12-01")


class Row(pa.DataFrameModel):
    day: pl.Date
    v: int


@dw.asset(partitions=hours, partition_by="hour")
def spelled(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"hour": [partition.key], "v": [1]})


@dw.asset(name="spelled", partitions=hours, partition_by="hour")
def timed(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame(
        {"hour": [partition.start_at], "v": [1]}, schema={"hour": pl.Datetime("us", "UTC"), "v": pl.Int64}
    )


def test_an_hour_that_others_spell_otherwise_is_another_place(tmp_path: Path) -> None:
    lake = Lake(tmp_path, spelled)
    lake.run()

    other = pl.DataFrame({"hour": ["2013-11-01T05:00Z"], "v": [2]})
    write_deltalake(str(tmp_path / "spelled"), other, mode="append")

    assert lake.status("spelled") == ("ffff", 1)
    dw.materialize([spelled], lake=tmp_path)
    assert sorted(pl.read_delta(str(tmp_path / "spelled"))["v"]) == [1, 1, 1, 1, 2]


def test_a_column_that_others_turn_into_instants_leaves_no_old_places(tmp_path: Path) -> None:
    Lake(tmp_path, spelled).run()
    df = pl.read_delta(str(tmp_path / "spelled"))
    df = df.with_columns(pl.col("hour").str.to_datetime("%Y-%m-%dT%H:%M%:z", time_unit="us", time_zone="UTC"))

    write_deltalake(str(tmp_path / "spelled"), df, mode="overwrite", schema_mode="overwrite", partition_by=["hour"])

    assert Lake(tmp_path, timed).status("spelled") == ("eeee", 0)
    dw.materialize([timed], lake=tmp_path)
    assert Lake(tmp_path, timed).status("spelled") == ("ffff", 0)
    assert pl.read_delta(str(tmp_path / "spelled")).height == 4


@pytest.mark.parametrize(
    ("value", "status", "rows"),
    [
        ("2013-11-01T05:00:00+00:00", "feff", 5),
        ("2013-11-01T05:00Z", "feff", 5),
        ("2013-11-01 05:00:00.000000000", "feff", 5),
        ("0001-01-01T00:00:00+05:00", "ffff", None),
        ("not a time", "ffff", None),
    ],
)
def test_instants_are_read_as_others_spell_them(tmp_path: Path, value: str, status: str, rows: int | None) -> None:
    lake = Lake(tmp_path, timed)
    lake.run()
    _append(tmp_path / "spelled", {"hour": value})

    assert lake.status("spelled")[0] == status
    if rows is None:
        with pytest.raises(TableMismatch, match=r"table spelled: a value of partition column 'hour' cannot be read as"):
            dw.read("spelled", lake=tmp_path)
    else:
        assert dw.read("spelled", lake=tmp_path).collect().height == rows


@dw.asset(partitions=days, partition_by="day")
def source(partition: dw.Partition) -> LazyFrame[Row]:
    return pl.LazyFrame([{"day": partition.start, "v": 1}], schema_overrides={"v": pl.Int64})


@pytest.mark.parametrize(
    ("partitions", "key"),
    [
        (dw.WeeklyPartitions("2013-11-01", "2013-12-01"), "2013-11-10"),
        (dw.MonthlyPartitions("2013-11-01", "2013-12-01"), "2013-11-01"),
        (dw.HourlyPartitions("2013-11-03", "2013-11-05", timezone="America/New_York"), "2013-11-03T01:00-05:00"),
    ],
)
def test_the_command_for_a_coarser_or_finer_table_makes_all_that_it_lacks(
    tmp_path: Path, partitions: dw.DailyPartitions, key: str
) -> None:
    @dw.asset(name="other", partitions=partitions, partition_by="at", code_version="1")
    def other(source: LazyFrame[Row], partition: dw.Partition) -> pl.LazyFrame:
        return pl.LazyFrame({"at": [partition.key], "v": [1]})

    lake = Lake(tmp_path, source, other)
    with pytest.raises(RequestError, match="Make both") as refused:
        lake.plan("other", named=(key,))

    _, _, selected, _, first, _, last = shlex.split(str(refused.value).split("`")[1])
    report = lake.run(lake.plan(selected, ends=(first, last)))
    assert report.entry.failed == report.entry.skipped == 0
    assert lake.plan("other", named=(key,)).partition_count == 0


def test_a_day_that_lacks_its_source_is_not_planned_for_the_day_before_it(tmp_path: Path) -> None:
    few = dw.DailyPartitions("2013-11-01", "2013-11-05")

    @dw.asset(partitions=few, partition_by="day")
    def kept(source: LazyFrame[Row], before: dw.Previous[Row]) -> LazyFrame[Row]:
        return source

    lake = Lake(tmp_path, source, kept)
    lake.run()
    DeltaTable(str(tmp_path / "source")).delete("day = '2013-11-02'")
    write_deltalake(
        str(tmp_path / "source"),
        pl.DataFrame({"day": [dt.date(2013, 11, 1)], "v": [5]}),
        mode="overwrite",
        predicate="day = '2013-11-01'",
    )

    decided = lake.plan("kept")

    assert {str(key): list(part) for key, part in decided.planned.items()} == {"kept": [0, 2, 3]}
    assert [(str(left.upstream), list(left.partitions)) for left in decided.left_out] == [("source", [1])]
    assert lake.run(decided).blocked == ()


def test_a_table_whose_names_are_words_of_the_selection_can_be_asked_for(tmp_path: Path) -> None:
    @dw.asset(name="and", partitions=days, partition_by="day")
    def joined(source: LazyFrame[Row]) -> LazyFrame[Row]:
        return source

    lake = Lake(tmp_path, source, joined)
    with pytest.raises(RequestError) as refused:
        lake.plan('"and"', named=("2013-11-02",))

    _, _, selected, *_ = shlex.split(str(refused.value).split("`")[1])
    assert set(map(str, select(lake.graph, [selected]))) == {"source", "and"}


def test_more_keys_and_days_upstream_are_no_change_of_code(tmp_path: Path) -> None:
    down = dw.MultiPartitions(
        {"day": dw.DailyPartitions("2013-11-01", "2013-11-04"), "region": dw.StaticPartitions(["us"])}
    )

    def assets(start: str, regions: list[str]) -> tuple[dw.Asset[..., Any], dw.Asset[..., Any]]:
        up = dw.MultiPartitions(
            {"day": dw.DailyPartitions(start, "2013-11-04"), "region": dw.StaticPartitions(regions)}
        )

        @dw.asset(partitions=up)
        def sales(partition: dw.Partition) -> pl.LazyFrame:
            region = partition.dimension("region").key
            return pl.LazyFrame({"day": [partition.start], "region": [region], "v": [1]})

        @dw.asset(partitions=down)
        def report(sales: pl.LazyFrame) -> pl.LazyFrame:
            return sales

        return sales, report

    Lake(tmp_path, *assets("2013-11-01", ["us"])).run()

    assert Lake(tmp_path, *assets("2013-11-01", ["us", "asia"])).status("report") == ("fff", 0)
    assert Lake(tmp_path, *assets("2013-10-31", ["us"])).status("report") == ("fff", 0)


def test_a_combination_may_follow_a_column_in_one_of_its_dimensions(tmp_path: Path) -> None:
    @dw.asset(partitions=dw.StaticPartitions(["us", "eu"]), partition_by="region")
    def shops(partition: dw.Partition) -> pl.LazyFrame:
        return pl.LazyFrame({"region": [partition.key], "v": [1]})

    by_day = dw.MultiPartitions(
        {
            "day": dw.DailyPartitions("2013-11-01", "2013-11-03"),
            "region": dw.DynamicPartitions.from_column(shops, "region"),
        }
    )

    @dw.asset(partitions=by_day)
    def opened(shops: pl.LazyFrame, partition: dw.Partition) -> pl.LazyFrame:
        return shops.with_columns(day=pl.lit(partition.start)).select("day", "region", "v")

    dw.materialize([shops], lake=tmp_path)
    report = dw.materialize([shops, opened], lake=tmp_path)

    assert report.entry.materialized == 6
    assert sorted(dw.read("opened", lake=tmp_path).collect()["region"]) == ["eu", "eu", "us", "us"]


def _append(table: Path, values: dict[str, str]) -> None:
    """Add a file as somebody does who spells partition values in a way of their own."""
    file = next(table.glob("*/*.parquet"))
    (table / "x").mkdir()
    shutil.copy(file, table / "x" / "y.parquet")
    version = len(list((table / "_delta_log").glob("*.json")))
    size = file.stat().st_size
    add = {"path": "x/y.parquet", "partitionValues": values, "size": size, "modificationTime": 0, "dataChange": True}
    (table / "_delta_log" / f"{version:020d}.json").write_text(json.dumps({"add": add}) + "\n", encoding="utf-8")
