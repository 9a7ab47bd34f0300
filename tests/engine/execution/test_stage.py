"""Staging in memory and streaming must give the same files, counts and verdicts."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.execution.asset_resources import NO_RESOURCES
from deltaworks.engine.execution.keep import KEPT_BYTES, Keep
from deltaworks.engine.execution.stage import Stager
from deltaworks.engine.execution.task import Outcome, Task
from deltaworks.engine.planning.graph import build_graph
from deltaworks.io.store import Store

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-11")


class Row(pa.DataFrameModel):
    day: pl.Date
    n: int = pa.Field(ge=0, unique=True)
    text: str = pa.Field(nullable=True)

    @pa.check("n")
    def even(cls, data: pa.PolarsData) -> pl.LazyFrame:
        # group_by cannot be compiled, so pandera runs this one on the rows
        return data.lazyframe.with_columns(pl.col("n") % 2 == 0).select("n")


def rows(of: dt.date, count: int = 3, **columns: pl.Expr) -> pl.DataFrame:
    """Rows of a day; numbers are even and unique within it."""
    df = pl.DataFrame({"n": pl.int_range(count, eager=True) * 2}).with_columns(day=pl.lit(of), text=pl.lit("x"))
    return df.with_columns(**columns).select("day", "n", "text")


def stage(
    tmp_path: Path, asset: Asset[..., Any], first: int, last: int, *, is_small: bool, kept_bytes: int | None = None
) -> Outcome:
    graph = build_graph(dw.Definitions([asset]), dt.datetime(2024, 2, 1, tzinfo=dt.UTC))
    store = Store.at(str(tmp_path))
    keep = None if kept_bytes is None else Keep(store, kept_bytes)
    stager = Stager(store, {str(key): node for key, node in graph.nodes.items()}, NO_RESOURCES, keep=keep)
    return stager.stage(Task("run", 1, asset.key, first, last, {}, is_small))


def written(tmp_path: Path, asset: Asset[..., Any]) -> list[str]:
    return sorted(path.parent.name for path in (tmp_path / str(asset.key)).rglob("*.parquet"))


@pytest.fixture(params=[True, False], ids=["in memory", "streaming"])
def is_small(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def make(df: pl.DataFrame) -> Asset[..., Any]:
    @dw.asset(name="table", partitions=days, partition_by="day")
    def table(partition: dw.Partition) -> LazyFrame[Row]:
        return df.lazy()

    return table


def test_a_partition_is_staged_without_its_partition_column_and_with_statistics(tmp_path: Path, is_small: bool) -> None:
    asset = make(rows(dt.date(2024, 1, 2)))

    outcome = stage(tmp_path, asset, 1, 1, is_small=is_small)

    (staged,) = outcome.staged
    (file,) = staged.partition.files
    assert (staged.partition.key, staged.partition.rows) == ("2024-01-02", 3)
    assert file.path == "day=2024-01-02/run-1.parquet"
    stored = pl.read_parquet(tmp_path / "table" / file.path, hive_partitioning=False)
    assert_frame_equal(stored, rows(dt.date(2024, 1, 2)).drop("day"), check_row_order=False)
    assert json.loads(file.statistics) == {
        "numRecords": 3,
        "minValues": {"n": 0, "text": "x"},
        "maxValues": {"n": 4, "text": "x"},
        "nullCount": {"n": 0, "text": 0},
    }
    assert file.size_bytes == (tmp_path / "table" / file.path).stat().st_size


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"n": pl.lit(-2, dtype=pl.Int64)}, "n: ge(0) failed for 3 rows"),
        ({"n": pl.lit(2, dtype=pl.Int64)}, "n: unique failed for 2 rows"),
        ({"n": pl.lit(None, dtype=pl.Int64)}, "n: not_null failed for 3 rows"),
        ({"n": pl.col("n") + 1}, "n: even failed for 3 rows"),
        ({"day": pl.lit(dt.date(2024, 1, 5))}, "3 rows lie outside the requested partition"),
        ({"day": pl.lit(None, dtype=pl.Date)}, "3 rows lie outside the requested partition"),
        ({"n": pl.lit(1.5)}, "column 'n' is Float64"),
    ],
)
def test_what_breaks_the_contract_is_not_staged(
    tmp_path: Path, is_small: bool, change: dict[str, pl.Expr], told: str
) -> None:
    asset = make(rows(dt.date(2024, 1, 2), **change))

    outcome = stage(tmp_path, asset, 1, 1, is_small=is_small)

    assert outcome.staged == ()
    assert told in outcome.failures[1]
    assert written(tmp_path, asset) == []


def test_the_rows_that_break_it_are_kept_elsewhere_with_their_partition_column(tmp_path: Path, is_small: bool) -> None:
    bad = rows(dt.date(2024, 1, 2), n=pl.col("n") - 2)

    outcome = stage(tmp_path, make(bad), 1, 1, is_small=is_small, kept_bytes=KEPT_BYTES)

    assert outcome.broken[1].kept.path == "_deltaworks/kept/table/run/1-1.parquet"
    kept = pl.read_parquet(tmp_path / "_deltaworks/kept/table/run/1-1.parquet", hive_partitioning=False)
    assert_frame_equal(kept, bad, check_row_order=False)
    (rule,) = outcome.broken[1].rules
    assert (str(rule.result), rule.rows) == ("n: ge(0) failed for 1 row", 3)
    assert rule.samples == ({"n": -2, "day": "2024-01-02", "text": "x"},)
    assert written(tmp_path, make(bad)) == []


def test_a_run_keeps_so_much_and_says_what_it_did_not_keep(tmp_path: Path) -> None:
    bad = [rows(dt.date(2024, 1, day), n=pl.col("n") - 2) for day in (1, 2, 3)]
    one = stage(tmp_path / "one", make(bad[0]), 0, 0, is_small=False, kept_bytes=KEPT_BYTES).broken[0].kept.path
    size_bytes = (tmp_path / "one" / str(one)).stat().st_size

    outcome = stage(tmp_path, make(pl.concat(bad)), 0, 2, is_small=False, kept_bytes=size_bytes)

    kept = [outcome.broken[ordinal].kept for ordinal in (0, 1, 2)]
    assert [each.path for each in kept] == ["_deltaworks/kept/table/run/1-0.parquet", None, None]
    assert all((each.why_not or "").startswith("a run keeps at most") for each in kept[1:])
    assert [path.name for path in (tmp_path / "_deltaworks" / "kept").rglob("*.parquet")] == ["1-0.parquet"]
    assert set(outcome.failures) == {0, 1, 2}


def test_rows_that_cannot_be_kept_change_nothing_else(tmp_path: Path, is_small: bool) -> None:
    (tmp_path / "_deltaworks").mkdir()
    (tmp_path / "_deltaworks" / "kept").write_text("somebody's file")

    outcome = stage(
        tmp_path, make(rows(dt.date(2024, 1, 2), n=pl.col("n") - 2)), 1, 1, is_small=is_small, kept_bytes=KEPT_BYTES
    )

    assert "n: ge(0) failed for 1 row" in outcome.failures[1]
    assert outcome.broken[1].kept.path is None
    assert (outcome.broken[1].kept.why_not or "").startswith("they cannot be written (")


def test_a_partition_without_rows_that_fails_has_nothing_to_keep(tmp_path: Path, is_small: bool) -> None:
    class Some(pa.DataFrameModel):
        day: pl.Date

        @pa.dataframe_check
        def some(cls, data: pa.PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.len() > 0)

    @dw.asset(name="table", partitions=days, partition_by="day")
    def table(partition: dw.Partition) -> LazyFrame[Some]:
        return pl.LazyFrame(schema={"day": pl.Date, "n": pl.Int64})

    outcome = stage(tmp_path, table, 1, 1, is_small=is_small, kept_bytes=KEPT_BYTES)

    assert "table: some failed" in outcome.failures[1]
    assert [(rule.result.rule, rule.rows) for rule in outcome.broken[1].rules] == [("some", 0)]
    assert outcome.broken[1].kept.path is None


def test_a_partition_without_rows_is_staged_without_a_file(tmp_path: Path, is_small: bool) -> None:
    asset = make(rows(dt.date(2024, 1, 2), count=0))

    outcome = stage(tmp_path, asset, 1, 1, is_small=is_small)

    (staged,) = outcome.staged
    assert (staged.partition.rows, staged.partition.files) == (0, ())
    assert written(tmp_path, asset) == []


def test_a_range_is_cut_to_its_partitions_and_judged_one_by_one(tmp_path: Path) -> None:
    bad = rows(dt.date(2024, 1, 4), n=pl.lit(-2, dtype=pl.Int64))
    good = [rows(dt.date(2024, 1, day), count=day) for day in (1, 2, 3, 6)]
    asset = make(pl.concat([*good, bad]))

    outcome = stage(tmp_path, asset, 1, 4, is_small=False)

    counts = {staged.partition.key: staged.partition.rows for staged in outcome.staged}
    assert counts == {"2024-01-02": 2, "2024-01-03": 3, "2024-01-05": 0}
    assert set(outcome.failures) == {3}
    assert "n: ge(0) failed for 3 rows" in outcome.failures[3]
    assert written(tmp_path, asset) == ["day=2024-01-02", "day=2024-01-03"]


def test_numbers_may_repeat_in_another_partition_of_a_range(tmp_path: Path) -> None:
    asset = make(pl.concat([rows(dt.date(2024, 1, day)) for day in range(1, 11)]))

    ranged = stage(tmp_path / "range", asset, 0, 9, is_small=False)
    single = [stage(tmp_path / "single", replaced(asset, day), day - 1, day - 1, is_small=True) for day in range(1, 11)]

    assert not ranged.failures
    assert [each.partition.rows for each in ranged.staged] == [3] * 10
    assert [one.staged[0].passed for one in single] == [each.passed for each in ranged.staged]


class Numbered(pa.DataFrameModel):
    day: pl.Date
    text: str = pa.Field(metadata={"on_fail": "warn"})

    @pa.check("text")
    def positive(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(data.key).cast(pl.Int64) > 0)


def test_a_rule_that_raises_on_the_rows_of_one_partition_fails_that_one(tmp_path: Path) -> None:
    texts = pl.DataFrame({"day": [dt.date(2024, 1, day) for day in (1, 2, 2, 3)], "text": ["1", "2", "two", "-3"]})

    @dw.asset(partitions=days, partition_by="day")
    def table(partition: dw.Partition) -> LazyFrame[Numbered]:
        return texts.lazy()

    outcome = stage(tmp_path, table, 0, 2, is_small=False)

    assert [staged.partition.key for staged in outcome.staged] == ["2024-01-01", "2024-01-03"]
    assert [str(each) for each in outcome.staged[1].not_passed] == ["text: positive failed for 1 row"]
    assert list(outcome.failures) == [1]
    assert "table 2024-01-02: text: positive could not be checked: InvalidOperationError" in outcome.failures[1]
    assert written(tmp_path, table) == ["day=2024-01-01", "day=2024-01-03"]


def test_a_rule_that_raises_fails_its_partition_in_either_way(tmp_path: Path, is_small: bool) -> None:
    @dw.asset(partitions=days, partition_by="day")
    def table(partition: dw.Partition) -> LazyFrame[Numbered]:
        return pl.LazyFrame({"day": [partition.start], "text": ["two"]})

    outcome = stage(tmp_path, table, 1, 1, is_small=is_small)

    assert "text: positive could not be checked: InvalidOperationError" in outcome.failures[1]
    assert written(tmp_path, table) == []


def replaced(asset: Asset[..., Any], day: int) -> Asset[..., Any]:
    return replace(asset, function=make(rows(dt.date(2024, 1, day))).function)


def test_an_unpartitioned_table_is_one_file(tmp_path: Path, is_small: bool) -> None:
    @dw.asset
    def whole() -> LazyFrame[Row]:
        return rows(dt.date(2024, 1, 2)).lazy()

    outcome = stage(tmp_path, whole, 0, 0, is_small=is_small)

    (file,) = outcome.staged[0].partition.files
    assert file.path == "run-1.parquet"
    assert pl.read_parquet(tmp_path / "whole" / file.path).columns == ["day", "n", "text"]


@pytest.mark.parametrize("raised", [ValueError("no such thing"), KeyError("x")])
def test_a_function_that_raises_fails_with_its_line(tmp_path: Path, raised: Exception) -> None:
    @dw.asset(partitions=days, partition_by="day")
    def broken(partition: dw.Partition) -> LazyFrame[Row]:
        raise raised

    outcome = stage(tmp_path, broken, 1, 1, is_small=True)

    assert outcome.failures[1].startswith(f"broken 2024-01-02: {type(raised).__name__}: ")
    assert "test_stage.py:" in outcome.failures[1]


def test_a_plan_that_fails_when_it_is_computed_leaves_nothing(tmp_path: Path, is_small: bool) -> None:
    asset = make(rows(dt.date(2024, 1, 2)).with_columns(text=pl.lit("no number")))
    strict = replace(
        asset, function=lambda partition: asset.function(partition).with_columns(n=pl.col("text").cast(pl.Int64))
    )

    outcome = stage(tmp_path, strict, 1, 1, is_small=is_small)

    assert "InvalidOperationError" in outcome.failures[1]
    assert written(tmp_path, asset) == []


def test_what_is_judged_and_counted_is_what_was_written(tmp_path: Path, is_small: bool) -> None:
    calls: list[int] = []

    def source() -> pl.DataFrame:
        # Another frame at each call: three rows at first, then more and worse ones.
        calls.append(1)
        worse = pl.concat([rows(dt.date(2024, 1, 2)), rows(dt.date(2024, 1, 2)).with_columns(n=pl.lit(-1, pl.Int64))])
        return rows(dt.date(2024, 1, 2)) if len(calls) == 1 else worse

    @dw.asset(name="table", partitions=days, partition_by="day")
    def table(partition: dw.Partition) -> LazyFrame[Row]:
        return pl.defer(source, schema=rows(dt.date(2024, 1, 2)).schema)

    outcome = stage(tmp_path, table, 1, 1, is_small=is_small)

    (staged,) = outcome.staged
    (file,) = staged.partition.files
    stored = pl.read_parquet(tmp_path / "table" / file.path, hive_partitioning=False)
    assert len(calls) == 1
    assert staged.partition.rows == stored.height == json.loads(file.statistics)["numRecords"] == 3


def test_a_time_of_day_in_the_partition_column_is_refused_not_cut(tmp_path: Path, is_small: bool) -> None:
    @dw.asset(partitions=days, partition_by="day")
    def moments(partition: dw.Partition) -> pl.LazyFrame:
        return pl.LazyFrame({"day": [dt.datetime(2024, 1, 2, 13, tzinfo=dt.UTC)], "n": [1]})

    outcome = stage(tmp_path, moments, 1, 1, is_small=is_small)

    assert "partition column 'day' of the result has dtype Datetime" in outcome.failures[1]


class Cast(pa.DataFrameModel):
    day: pl.Date
    n: int = pa.Field(coerce=True)


def test_a_column_that_the_model_casts_is_cast(tmp_path: Path, is_small: bool) -> None:
    @dw.asset(partitions=days, partition_by="day")
    def cast(partition: dw.Partition) -> LazyFrame[Cast]:
        return pl.LazyFrame({"day": [partition.start], "n": ["7"]})

    outcome = stage(tmp_path, cast, 1, 1, is_small=is_small)

    (file,) = outcome.staged[0].partition.files
    assert pl.read_parquet(tmp_path / "cast" / file.path)["n"].to_list() == [7]


class Sifted(pa.DataFrameModel):
    day: pl.Date
    n: int = pa.Field(ge=0, le=4, metadata={"on_fail": {"ge": "drop", "*": "fail"}})
    text: str = pa.Field(ne="odd", metadata={"on_fail": "warn"})


def test_rules_that_only_left_rows_out_or_warned_are_told_beside_those_that_failed(
    tmp_path: Path, is_small: bool
) -> None:
    table = pl.DataFrame(
        {"day": [dt.date(2024, 1, 2)] * 4, "n": [-1, 0, 9, 4], "text": ["a", "b", "c", "odd"]},
    )

    @dw.asset(name="table", partitions=days, partition_by="day")
    def sifted(partition: dw.Partition) -> LazyFrame[Sifted]:
        return table.lazy()

    outcome = stage(tmp_path, sifted, 1, 1, is_small=is_small, kept_bytes=KEPT_BYTES)

    told = [(each.result.rule, each.result.severity.value, each.samples[0]["text"]) for each in outcome.broken[1].rules]
    assert told == [("le(4)", "fail", "c"), ("ge(0)", "drop", "a"), ("ne('odd')", "warn", "odd")]
    kept = pl.read_parquet(tmp_path / str(outcome.broken[1].kept.path), hive_partitioning=False)
    assert_frame_equal(kept, table, check_row_order=False)
    assert written(tmp_path, sifted) == []
