"""A renamed asset keeps its table where it lies, and everything that is recorded about it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from deltalake import DeltaTable

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.status import Status
from deltaworks.errors import InvalidDefinition
from deltaworks.io.store import Store

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")


class Row(pa.DataFrameModel):
    day: pl.Date
    n: int


def source(name: str, location: str | None = None) -> dw.Asset[..., Any]:
    @dw.asset(name=name, location=location, partitions=days, partition_by="day")
    def rows(partition: dw.Partition) -> LazyFrame[Row]:
        return pl.LazyFrame({"day": [partition.start], "n": [1]})

    return rows


@dw.asset(partitions=days, partition_by="day")
def doubled(rows: LazyFrame[Row]) -> LazyFrame[Row]:
    return rows.with_columns(pl.col("n") * 2)


def fresh(lake: Path, *assets: dw.Asset[..., Any]) -> dict[str, int]:
    graph = build_graph(Definitions(assets), dt.datetime(2024, 6, 1, tzinfo=dt.UTC))
    found = observe(graph, Store.at(str(lake))).status
    return {str(key): found[key].count(Status.FRESH) for key in graph.nodes}


def record(lake: Path, table: str) -> dict[str, Any]:
    return DeltaTable(str(lake / table)).history(1)[0]["deltaworks"]


def test_a_renamed_asset_is_fresh_where_it_lies_and_is_written_there(tmp_path: Path) -> None:
    dw.materialize([source("raw/counts")], lake=tmp_path)
    renamed = source("rows", "raw/counts")

    assert fresh(tmp_path, renamed) == {"rows": 3}
    assert dw.read(renamed, lake=tmp_path).collect().height == 3
    dw.materialize([renamed], lake=tmp_path, partition="2024-01-02")

    assert not (tmp_path / "rows").exists()
    assert record(tmp_path, "raw/counts")["asset"] == "rows"
    assert record(tmp_path, "raw/counts")["groups"][0]["keys"] == ["2024-01-02"]


def test_what_is_made_from_it_names_the_asset_and_stays_fresh_when_the_name_changes(tmp_path: Path) -> None:
    moved = source("rows", "old/place")

    dw.materialize([moved, doubled], lake=tmp_path)

    (pin,) = record(tmp_path, "doubled")["groups"][0]["inputs"].values()
    assert pin == {"asset": "rows", "version": 1}
    (tmp_path / "old" / "place").rename(tmp_path / "rows")
    assert fresh(tmp_path, source("rows"), doubled) == {"rows": 3, "doubled": 3}


@pytest.mark.parametrize("location", ["/srv/lake/t", "~/t", "file:///srv/t", "s3://bucket/t"])
def test_only_folders_of_the_lake_are_supported(location: str) -> None:
    with pytest.raises(InvalidDefinition, match=r"test_location\.py:\d+: asset 'rows': location=.* below the lake"):
        source("rows", location)


@pytest.mark.parametrize("location", ["", "a//b", "../t", "a/./b", "_deltaworks/t", ".hidden", "a/_delta_log", "a%41"])
def test_a_location_that_cannot_be_a_table_is_refused(location: str) -> None:
    with pytest.raises(InvalidDefinition, match="has the part"):
        source("rows", location)


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (("a", None), ("b", "a"), "asset 'b' would lie in the same folder, 'a', as 'a'"),
        (("a", "x"), ("b", "x"), "asset 'b' would lie in the same folder, 'x', as 'a'"),
        (("a", "x/y"), ("b", "x"), "asset 'a' would lie inside the table of 'b'"),
        (("a", None), ("b", "a/inner"), "asset 'b' would lie inside the table of 'a'"),
        (("a/b", None), ("c", "a"), "asset 'a/b' would lie inside the table of 'c'"),
        (("a", "x"), ("a", "y"), "asset 'a' is defined twice"),
    ],
)
def test_folders_are_not_shared(one: tuple[str, str], other: tuple[str, str], told: str) -> None:
    with pytest.raises(InvalidDefinition, match=told):
        Definitions([source(*one), source(*other)])


def test_a_key_may_lie_inside_another_where_the_tables_do_not() -> None:
    Definitions([source("a", "old"), source("a/b")])
