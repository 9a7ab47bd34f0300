"""Freshness of what is no plain asset: sources, tables that one call makes, tables that ops make."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.execution.sources import observe_sources
from deltaworks.engine.planning.freshness import Verdict
from tests.acceptance.lake import NOW, Lake
from tests.acceptance.test_freshness import FOUR, HOUR, fresh, order


class Order(pa.DataFrameModel):
    n: int


def late_and_lag(lake: Lake, name: str, now: dt.datetime) -> tuple[bool, dt.timedelta | None]:
    found = fresh(lake, name, now)
    assert found.verdict is not Verdict.UNKNOWN
    return found.is_late, found.lag


def observed(lake: Lake, at: dt.datetime) -> None:
    sources = lake.graph.sources_above(lake.graph.nodes)
    seen = observe_sources(
        lake.definitions,
        lake.graph,
        lake.store,
        sources,
        command="a test",
        environ={},
        now=lambda: at,
        tell=lambda _: None,
    )
    assert not seen.faults


def test_a_source_is_as_old_as_its_last_change_and_what_is_made_from_it_lags_behind_that(tmp_path: Path) -> None:
    versions = {"api": 1}

    @dw.observable_source(freshness=dw.FreshnessPolicy(6 * HOUR))
    def api() -> int:
        return versions["api"]

    @dw.asset(freshness=dw.FreshnessPolicy(2 * HOUR))
    def table(api: pl.LazyFrame) -> pl.LazyFrame:
        return api.select("version")

    lake = Lake(tmp_path / "lake", api, table)
    observed(lake, FOUR)
    lake.run()
    observed(lake, FOUR + 5 * HOUR)
    assert late_and_lag(lake, "api", FOUR + 5 * HOUR) == (False, 5 * HOUR)
    assert late_and_lag(lake, "api", FOUR + 7 * HOUR) == (True, 7 * HOUR), (
        "a look that finds nothing makes it no fresher"
    )
    assert late_and_lag(lake, "table", FOUR + 7 * HOUR) == (False, 0 * HOUR)

    versions["api"] = 2
    observed(lake, FOUR + 8 * HOUR)

    assert late_and_lag(lake, "api", FOUR + 9 * HOUR) == (False, HOUR)
    assert late_and_lag(lake, "table", FOUR + 9 * HOUR) == (False, HOUR)
    assert late_and_lag(lake, "table", FOUR + 11 * HOUR) == (True, 3 * HOUR)
    lake.run()
    assert late_and_lag(lake, "table", FOUR + 11 * HOUR) == (False, 0 * HOUR)


def test_a_window_of_a_source_is_asked_for_when_it_is_over(tmp_path: Path) -> None:
    days = dw.DailyPartitions("2024-01-01", "2024-01-05")
    there = {"2024-01-01": 1, "2024-01-02": 1}

    @dw.observable_source(partitions=days, freshness=dw.FreshnessPolicy(6 * HOUR))
    def files() -> dict[str, int]:
        return there

    lake, third = Lake(tmp_path / "lake", files), dt.datetime(2024, 1, 3, tzinfo=dt.UTC)
    observed(lake, third)
    assert late_and_lag(lake, "files", third + 20 * HOUR) == (False, 0 * HOUR)
    assert late_and_lag(lake, "files", third + 31 * HOUR) == (True, 7 * HOUR)

    there["2024-01-03"] = 1
    observed(lake, third + 31 * HOUR)

    assert late_and_lag(lake, "files", third + 31 * HOUR) == (False, 0 * HOUR)


def by_one_call(orders: dw.Asset[..., Any]) -> tuple[Any, ...]:
    @dw.multi_asset(
        outs={
            "first": dw.AssetSpec(Order, freshness=dw.FreshnessPolicy(6 * HOUR)),
            "second": dw.AssetSpec(Order, freshness=dw.FreshnessPolicy.downstream()),
        },
    )
    def both(orders: pl.LazyFrame) -> Mapping[str, pl.LazyFrame]:
        return {"first": orders.select("n"), "second": orders.select("n")}

    @dw.asset(freshness=dw.FreshnessPolicy(3 * HOUR))
    def below(second: LazyFrame[Order]) -> LazyFrame[Order]:
        return second

    return orders, both, below


def by_ops(orders: dw.Asset[..., Any]) -> tuple[Any, ...]:
    @dw.op
    def same(orders: pl.LazyFrame) -> LazyFrame[Order]:
        return orders.select("n")

    @dw.graph_asset(freshness=dw.FreshnessPolicy(6 * HOUR))
    def first(orders: pl.LazyFrame) -> LazyFrame[Order]:
        return same(orders)

    @dw.graph_asset(freshness=dw.FreshnessPolicy.downstream())
    def second(orders: pl.LazyFrame) -> LazyFrame[Order]:
        return same(orders)

    @dw.asset(freshness=dw.FreshnessPolicy(3 * HOUR))
    def below(second: LazyFrame[Order]) -> LazyFrame[Order]:
        return second

    return orders, first, second, below


@pytest.mark.parametrize("define", [by_one_call, by_ops])
def test_tables_that_one_call_or_ops_make_lag_as_all_others(tmp_path: Path, define: Any) -> None:
    lake = Lake(tmp_path / "lake", *define(dw.external_asset("orders", uri=tmp_path / "orders")))
    order(tmp_path / "orders", NOW)
    lake.run()
    assert late_and_lag(lake, "first", FOUR) == (False, 0 * HOUR)

    order(tmp_path / "orders", FOUR)

    assert late_and_lag(lake, "first", FOUR + 5 * HOUR) == (False, 5 * HOUR)
    assert late_and_lag(lake, "first", FOUR + 7 * HOUR) == (True, 7 * HOUR)
    assert late_and_lag(lake, "second", FOUR + 2 * HOUR) == (False, 2 * HOUR)
    assert late_and_lag(lake, "second", FOUR + 5 * HOUR) == (True, 5 * HOUR), "what is made from it may lag 3 hours"
    lake.run()
    assert late_and_lag(lake, "first", FOUR + 7 * HOUR) == (False, 0 * HOUR)
    assert late_and_lag(lake, "second", FOUR + 7 * HOUR) == (False, 0 * HOUR)
