"""What a call reads of tables that others delete from meanwhile; and what it costs to look, by counting."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import pytest
from deltalake import write_deltalake

import deltaworks as dw
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.agenda import Blocked
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.pin import lacking, pin
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.io.store import Store
from deltaworks.io.table import Table

DAYS = 90
days = dw.DailyPartitions("2024-01-01", "2024-03-31")
regions = dw.StaticPartitions(["us", "eu"])


@dw.asset(partitions=days, partition_by="day")
def flows() -> pl.LazyFrame: ...  # type: ignore[empty-body]


@dw.asset(partitions=dw.MultiPartitions({"day": days, "region": regions}))
def sales() -> pl.LazyFrame: ...  # type: ignore[empty-body]


@dw.asset(partitions=days, partition_by="day")
def season(
    flows: Annotated[pl.LazyFrame, dw.Input(mapping=dw.TimeWindowMapping(start_offset=-59))],
) -> pl.LazyFrame: ...  # type: ignore[empty-body]


@dw.asset(partitions=days, partition_by="day")
def patchy(
    flows: Annotated[pl.LazyFrame, dw.Input(mapping=dw.TimeWindowMapping(start_offset=-59), allow_missing=True)],
) -> pl.LazyFrame: ...  # type: ignore[empty-body]


@dw.asset(partitions=days, partition_by="day")
def sums(sales: pl.LazyFrame) -> pl.LazyFrame: ...  # type: ignore[empty-body]


Look = Callable[[], tuple[AssetGraph, Mapping[AssetKey, Table]]]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Return how to look at a lake where two days of flows, a region and a day of sales are not there."""
    all_days = pl.date_range(dt.date(2024, 1, 1), dt.date(2024, 3, 30), eager=True).alias("day").to_frame()
    by_region = all_days.join(pl.DataFrame({"region": ["us", "eu"]}), how="cross")
    some = all_days.filter(~pl.col("day").is_in([dt.date(2024, 1, 10), dt.date(2024, 1, 12)]))
    some_sales = by_region.filter(
        (pl.col("day") != dt.date(2024, 1, 5)) & ~((pl.col("day") == dt.date(2024, 1, 6)) & (pl.col("region") == "us"))
    )
    write_deltalake(str(tmp_path / "flows"), some.with_columns(n=1), partition_by=["day"])
    write_deltalake(str(tmp_path / "sales"), some_sales.with_columns(n=1), partition_by=["day", "region"])

    def observed() -> tuple[AssetGraph, Mapping[AssetKey, Table]]:
        assets: list[dw.Asset[..., Any]] = [flows, sales, season, patchy, sums]
        graph = build_graph(dw.Definitions(assets), dt.datetime(2024, 6, 1, tzinfo=dt.UTC))
        return graph, observe(graph, Store(tmp_path, durable=False)).tables

    return observed


def test_a_partition_lacks_what_is_not_there_of_what_it_needs(look: Look) -> None:
    graph, tables = look()

    def lacks(asset: dw.Asset[..., Any], first: int, last: int) -> dict[int, Blocked]:
        return lacking(graph, tables, asset.key, first, last)

    assert lacks(season, 8, 12) == {
        **{each: Blocked(season.key, each, flows.key, 9) for each in (9, 10, 11, 12)},
    }, "it needs each day"
    assert lacks(season, 70, 89) == {70: Blocked(season.key, 70, flows.key, 11)}
    assert not lacks(season, 71, 89)
    assert not lacks(patchy, 0, 89), "it needs none"
    assert lacks(sums, 0, 89) == {4: Blocked(sums.key, 4, sales.key, 8)}, "it needs one region of its day"
    assert not lacks(flows, 0, 89)


def test_each_upstream_partition_is_looked_at_once_and_many_are_spelled_together(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, tables = look()
    calls: Counter[str] = Counter()
    for owner, name in ((Table, "has_content"), (dw.DailyPartitions, "key"), (dw.DailyPartitions, "keys")):
        monkeypatch.setattr(owner, name, _counted(getattr(owner, name), name, calls))

    assert not lacking(graph, tables, season.key, 75, 84)
    (edge,) = graph.nodes[season.key].upstream
    pinned = pin(graph, tables[flows.key], edge, 75, 84)

    assert len(pinned.files) == 69
    assert calls == {"has_content": 69, "keys": 2}


def _counted(method: Callable[..., Any], name: str, calls: Counter[str]) -> Callable[..., Any]:
    def counted(*args: Any) -> Any:
        calls[name] += 1
        return method(*args)

    return counted
