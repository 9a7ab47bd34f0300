"""Partition columns: several dimensions, computed columns, and what every outside reader makes of them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import pandera.polars as pa
import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.planning.graph import build_graph
from deltaworks.errors import InvalidDefinition, RunError, TableMismatch
from deltaworks.io.store import Store

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
days = dw.DailyPartitions("2024-01-01", "2024-01-04")
regions = dw.StaticPartitions(["us", "eu", "a/b, c=d ü"])
models = dw.StaticPartitions(["small", "large"])
cube = dw.MultiPartitions({"day": days, "region": regions, "model": models})


class Score(pa.DataFrameModel):
    day: pl.Date
    region: str
    model: str
    score: int


class Event(pa.DataFrameModel):
    event_time: Annotated[pl.Datetime, "us", None]
    n: int

    class Config:
        strict = True


@dw.asset(partitions=cube)
def scores(partition: dw.Partition) -> LazyFrame[Score]:
    region, model = partition.dimension("region").key, partition.dimension("model").key
    return pl.LazyFrame({"score": [len(region), len(model)]}).select(
        day=pl.lit(partition.dimension("day").start),
        region=pl.lit(region),
        model=pl.lit(model),
        score=pl.col("score").cast(pl.Int64),
    )


@dw.asset(partitions=days, partition_by="day")
def by_day(scores: LazyFrame[Score]) -> LazyFrame[Score]:
    return scores


def statuses(lake: Path, *assets: dw.Asset[..., object]) -> dict[str, dict[str, set[str]]]:
    """The partition keys of each asset by their status."""
    status = observe(build_graph(dw.Definitions(list(assets)), NOW), Store(lake)).status
    found: dict[str, dict[str, set[str]]] = {}
    for key, each in status.items():
        for ordinal, value in enumerate(each.status):
            word = ("missing", "fresh", "stale", "external")[value]
            found.setdefault(str(key), {}).setdefault(word, set()).add(each.node.partitions.key(ordinal))
    return found


def test_three_dimensions_are_three_columns_that_any_reader_prunes_by(tmp_path: Path) -> None:
    report = dw.materialize([scores], lake=tmp_path)
    assert (report.entry.materialized, report.entry.failed) == (18, 0)

    table = DeltaTable(str(tmp_path / "scores"))
    assert table.metadata().partition_columns == ["day", "region", "model"]
    rows = pl.read_delta(str(tmp_path / "scores"))
    assert rows.height == 36
    assert set(rows["region"]) == {"us", "eu", "a/b, c=d ü"}
    for claim in (
        pl.col("day") == dt.date(2024, 1, 2),
        pl.col("region") == "us",
        pl.col("model") == "large",
        (pl.col("day") > dt.date(2024, 1, 1)) & (pl.col("region") == "eu"),
    ):
        wanted = rows.filter(claim)
        kept = {uri for uri in table.file_uris() if _read_alone(uri, rows.schema).filter(claim).height}
        moved = [Path(uri) for uri in table.file_uris() if uri not in kept]
        for file in moved:
            file.rename(file.with_suffix(".away"))

        found = pl.scan_delta(str(tmp_path / "scores")).filter(claim).collect()

        for file in moved:
            file.with_suffix(".away").rename(file)
        assert found.sort(pl.all()).equals(wanted.sort(pl.all())), "it needs no other files"


def test_what_is_made_from_one_cell_is_stale_when_that_cell_changes(tmp_path: Path) -> None:
    dw.materialize([scores, by_day], lake=tmp_path)
    assert statuses(tmp_path, scores, by_day) == {
        "scores": {"fresh": {cube.key(number) for number in range(18)}},
        "by_day": {"fresh": {"2024-01-01", "2024-01-02", "2024-01-03"}},
    }

    cell = pl.DataFrame({"day": [dt.date(2024, 1, 2)], "region": ["us"], "model": ["small"], "score": [7]})
    write_deltalake(
        str(tmp_path / "scores"),
        cell,
        mode="overwrite",
        predicate="day = '2024-01-02' and region = 'us' and model = 'small'",
    )

    found = statuses(tmp_path, scores, by_day)
    assert found["scores"]["external"] == {"day=2024-01-02,region=us,model=small"}
    assert found["by_day"] == {"fresh": {"2024-01-01", "2024-01-03"}, "stale": {"2024-01-02"}}


def test_one_cell_can_be_made_and_read_alone(tmp_path: Path) -> None:
    key = "day=2024-01-03,region=a%2Fb%2C c%3Dd %C3%BC,model=large"
    assert cube.ordinal(key) is not None

    dw.materialize([scores], lake=tmp_path, partition=key)

    found = dw.read("scores", lake=tmp_path, partition=key).collect()
    assert found.select("day", "region", "model").unique().rows() == [(dt.date(2024, 1, 3), "a/b, c=d ü", "large")]
    (latest,) = DeltaTable(str(tmp_path / "scores")).history(1)
    assert latest["deltaworks"]["groups"][0]["keys"] == [key]


def test_a_range_call_makes_the_cells_of_its_last_dimension(tmp_path: Path) -> None:
    calls: list[list[str]] = []

    @dw.asset(name="scores", partitions=cube, backfill=dw.BackfillPolicy.ranges(100), code_version="1")
    def in_ranges(partition: dw.Partition) -> LazyFrame[Score]:
        calls.append(partition.keys)
        both = [{"day": dt.date(2024, 1, 1), "region": "us", "model": each, "score": 1} for each in ("small", "large")]
        rows = pl.LazyFrame(both, schema_overrides={"score": pl.Int64})
        return rows.filter(partition.contains("day"), partition.contains("region"), partition.contains("model"))

    dw.materialize([in_ranges], lake=tmp_path)

    assert sorted(map(len, calls)) == [2] * 9
    assert dw.read("scores", lake=tmp_path).collect().height == 2
    assert statuses(tmp_path, in_ranges)["scores"].keys() == {"fresh"}


def test_an_expression_is_stored_as_a_column_that_functions_do_not_see(tmp_path: Path) -> None:
    @dw.asset(partitions=days, partition_by=pl.col("event_time").dt.date())
    def events(partition: dw.Partition) -> LazyFrame[Event]:
        times = pl.datetime_range(partition.start, partition.start, "6h", time_unit="us", eager=True)
        return pl.LazyFrame({"event_time": times, "n": [1] * times.len()}, schema_overrides={"n": pl.Int64})

    @dw.asset(partitions=days, partition_by=pl.col("event_time").dt.date().alias("on"))
    def copied(events: LazyFrame[Event]) -> LazyFrame[Event]:
        return events

    dw.materialize([events, copied], lake=tmp_path)

    for name, column in (("events", "event_time_day"), ("copied", "on")):
        assert DeltaTable(str(tmp_path / name)).metadata().partition_columns == [column]
        rows = pl.read_delta(str(tmp_path / name))
        assert rows[column].to_list() == rows["event_time"].dt.date().to_list()
        assert rows.height == 3
    assert statuses(tmp_path, events, copied)["copied"].keys() == {"fresh"}


def test_an_asset_may_follow_one_column_of_another(tmp_path: Path) -> None:
    @dw.asset(partitions=dw.DynamicPartitions.from_column(scores, "region"), partition_by="region")
    def by_region(scores: LazyFrame[Score]) -> LazyFrame[Score]:
        return scores

    dw.materialize([scores], lake=tmp_path, partition=["day=2024-01-01,region=us,model=small"])
    dw.materialize([scores, by_region], lake=tmp_path, partition="us")

    assert dw.read("by_region", lake=tmp_path).collect()["region"].to_list() == ["us", "us"]


@pytest.mark.parametrize("is_first", [True, False], ids=["streaming", "in memory"])
def test_rows_whose_column_is_not_the_key_are_refused_with_one_of_them(tmp_path: Path, is_first: bool) -> None:
    value = "us"

    @dw.asset(partitions=regions, partition_by="region")
    def regional(partition: dw.Partition) -> LazyFrame[Score]:
        row = {"day": dt.date(2024, 1, 1), "region": value, "model": "m", "score": 1}
        return pl.LazyFrame([row], schema_overrides={"score": pl.Int64})

    if not is_first:
        dw.materialize([regional], lake=tmp_path, partition="us")
        value = "eu"

    wrong = "1 row lies outside the requested partition by its 'region', which is us, expected eu"
    with pytest.raises(RunError, match=wrong if is_first else "which is eu, expected us"):
        dw.materialize([regional], lake=tmp_path, partition="eu" if is_first else "us")


@pytest.mark.parametrize(
    ("partitions", "partition_by", "problem"),
    [
        (cube, "day", "1 column, but the partitions have 3 dimensions"),
        (cube, {"days": "day"}, "names the dimension 'days'; there are day, region, model"),
        (cube, ["day", "day", "model"], "column 'day' for several dimensions"),
        (days, None, "but not partition_by"),
        (None, "day", "but no partitions"),
        (days, pl.all(), "several columns"),
        (days, 7, "must be a column or a Polars expression, not 7"),
        (days, pl.col("region").list.first(), "cannot be computed"),
        (days, pl.col("none").dt.date(), "no required column 'none'"),
        (days, pl.col("region").str.to_date().alias("day"), "has already"),
        (regions, pl.col("score") / 2, "score_key"),
    ],
)
def test_partition_columns_that_make_no_sense_are_refused(
    partitions: dw.DailyPartitions | None, partition_by: object, problem: str
) -> None:
    with pytest.raises(InvalidDefinition, match=problem):

        @dw.asset(partitions=partitions, partition_by=partition_by)  # type: ignore[arg-type]
        def wrong() -> LazyFrame[Score]:
            return pl.LazyFrame()


def test_a_table_of_another_kind_of_partitions_is_left_as_it_is(tmp_path: Path) -> None:
    def made(partitions: dw.DailyPartitions) -> dw.Asset[..., LazyFrame[Score]]:
        @dw.asset(partitions=partitions, partition_by="day")
        def daily(partition: dw.Partition) -> LazyFrame[Score]:
            row = {"day": partition.start, "region": "us", "model": "m", "score": 1}
            return pl.LazyFrame([row], schema_overrides={"score": pl.Int64})

        return daily

    dw.materialize([made(days)], lake=tmp_path)

    moved = dw.DailyPartitions("2023-12-31", "2024-01-03")
    assert statuses(tmp_path, made(moved))["daily"] == {
        "missing": {"2023-12-31"},
        "fresh": {"2024-01-01", "2024-01-02"},
    }, "a moved start or end keeps what is there"
    with pytest.raises(TableMismatch, match=r"'daily UTC', but those of its asset are 'daily Europe/Berlin'.*adopt"):
        dw.materialize([made(dw.DailyPartitions("2024-01-01", "2024-01-04", "Europe/Berlin"))], lake=tmp_path)


def _read_alone(uri: str, schema: pl.Schema) -> pl.DataFrame:
    hive = {name: schema[name] for name in ("day", "region", "model")}
    return pl.read_parquet(uri, hive_partitioning=True, hive_schema=hive)
