"""Rows that are counted on their way into files, few or many, come to the same as rows that are read back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution import tally as tallies
from deltaworks.engine.execution.asset_resources import NO_RESOURCES
from deltaworks.engine.execution.call import Call, Result, guard
from deltaworks.engine.execution.sift import aggregates
from deltaworks.engine.execution.stage import Stager
from deltaworks.engine.execution.tally import Tally
from deltaworks.engine.execution.task import Task
from deltaworks.engine.planning.graph import build_graph
from deltaworks.io.store import Store

DAYS = dw.DailyPartitions(start="2024-01-01", end="2024-01-11")
NOW = dt.datetime(2024, 2, 1, tzinfo=dt.UTC)


class Row(pa.DataFrameModel):
    day: pl.Date
    n: int = pa.Field(ge=3, unique=True, nullable=True)
    x: float = pa.Field(nullable=True)
    at: pl.Datetime
    text: str = pa.Field(isin=["a", "b"])

    @pa.check("n")
    def above_the_mean(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(data.key) >= pl.col(data.key).mean())

    @pa.dataframe_check
    def some(cls, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.len() > 2)


def some_rows(count: int = 400) -> pl.DataFrame:
    """Rows of four days and one of none; no numbers, nulls, an instant beyond the years of ISO 8601, texts of many."""
    i = pl.int_range(count)
    return pl.select(
        day=pl.when(i > 1).then(pl.date(2024, 1, 1) + pl.duration(days=i % 4)),
        n=pl.when(i % 17 > 0).then(i % 90),
        x=pl.when(i % 4 == 1).then(float("nan")).when(i % 5 > 0).then(i / 7),
        at=pl.when(i == 6).then(pl.datetime(2000, 1, 1).dt.offset_by("9000y")).otherwise(pl.datetime(2024, 1, 1)),
        text=pl.when(i % 3 == 0).then(pl.lit("a")).when(i % 4 == 0).then(pl.lit("c")).otherwise(pl.lit("b")),
    )


def asset_of(df: pl.DataFrame | pl.LazyFrame) -> Asset[..., pl.LazyFrame]:
    @dw.asset(name="table", partitions=DAYS, partition_by="day")
    def table(partition: dw.Partition) -> LazyFrame[Row]:
        return df.lazy()

    return table


def result_of(df: pl.DataFrame, first: int = 0, last: int = 9) -> Result:
    node = build_graph(dw.Definitions([asset_of(df)]), NOW).nodes[AssetKey("table")]
    task = Task("run", 1, AssetKey("table"), first, last, {}, is_small=False)
    return guard(Call(node, task), df.lazy(), {})


@pytest.mark.parametrize(("last", "most_parts"), [(0, 10_000), (9, 10_000), (9, 3)])
def test_parts_add_up_to_what_is_measured_of_all_rows(
    last: int, most_parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallies, "_MOST_PARTS", most_parts)
    monkeypatch.setattr(tallies, "HELD_BYTES", 500)
    df = some_rows()
    result = result_of(df, last=last)
    by = ["day"] if last else []
    whole = df.group_by(by).agg(aggregates(result)) if by else df.select(aggregates(result))
    tally = Tally(result)

    passed = tally.on(pl.concat([part.lazy() for part in df.iter_slices(23)])).collect(engine="streaming")
    found = tally.measured()

    assert passed.sort(passed.columns).equals(df.sort(df.columns))
    assert found is not None
    left = df.group_by(by).agg(tally.left) if by else df.select(tally.left)
    names = {expr.meta.output_name() for expr in tally.left}
    assert len(names) == 3, "unique, and what authors ask: those have to see all rows"
    both = found.join(left, on=by, nulls_equal=True) if by else pl.concat([found, left], how="horizontal")
    assert _rows(both.select(whole.columns)) == _rows(whole)


def test_few_rows_are_judged_together() -> None:
    df = some_rows(40)
    result = result_of(df)
    tally = Tally(result)

    tally.on(df.lazy()).collect(engine="streaming")
    found = tally.measured()

    assert tally.left == []
    assert found is not None
    assert _rows(found) == _rows(df.group_by("day").agg(aggregates(result)))


def test_many_rows_are_staged_as_few_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = some_rows(40).filter(pl.col("day").is_not_null()).with_columns(text=pl.lit("a"), n=pl.lit(5, pl.Int64))
    asset = asset_of(good.with_columns(n=pl.col("n").cum_sum()).drop_nulls())

    few = stage(tmp_path / "few", asset)
    monkeypatch.setattr(tallies, "HELD_BYTES", 0)
    many = stage(tmp_path / "many", asset)

    assert few == many
    assert len(few[0]) + len(few[1]) == 10


def test_rows_that_are_not_what_their_plan_promises_are_refused(tmp_path: Path) -> None:
    df = some_rows(4)
    lying = df.lazy().map_batches(
        lambda df: df.with_columns(n=pl.lit("x")), schema=df.schema, validate_output_schema=False
    )

    _, failures = stage(tmp_path, asset_of(lying))

    assert "column 'n' of the rows is String, the plan has promised Int64" in failures[0]
    assert not list(tmp_path.rglob("*.parquet"))


def stage(folder: Path, asset: Asset[..., pl.LazyFrame]) -> tuple[list[tuple[str, str]], dict[int, str]]:
    graph = build_graph(dw.Definitions([asset]), NOW)
    stager = Stager(Store.at(str(folder)), {"table": graph.nodes[AssetKey("table")]}, NO_RESOURCES)
    outcome = stager.stage(Task("run", 1, AssetKey("table"), 0, 9, {}, is_small=False))
    staged = [(each.partition.key, file.statistics) for each in outcome.staged for file in each.partition.files]
    empty = [(each.partition.key, "") for each in outcome.staged if not each.partition.files]
    return staged + empty, dict(outcome.failures)


def _rows(df: pl.DataFrame) -> list[str]:
    return sorted(str({name: row[name] for name in sorted(row)}) for row in df.iter_rows(named=True))
