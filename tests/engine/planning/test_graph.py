"""AssetGraph: what is made from what, and what cannot be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.errors import DefinitionError, InvalidDefinition, UnknownAsset, UnknownUpstream

NOW = dt.datetime(2013, 2, 1, tzinfo=dt.UTC)
DAYS = dw.DailyPartitions("2013-01-01")

TableOf = Callable[..., dw.Asset[..., pl.LazyFrame]]


def graph(*assets: dw.Asset[..., Any], **resources: dw.Resource) -> AssetGraph:
    return build_graph(dw.Definitions(assets, resources), NOW)


def test_upstreams_come_first_and_edges_lead_both_ways(table_of: TableOf) -> None:
    made = graph(table_of("c", b=None, a=None), table_of("b", a=None), table_of("a"))

    assert [str(key) for key in made.nodes] == ["a", "b", "c"]
    assert [str(edge.downstream) for edge in made.downstream[AssetKey("a")]] == ["b", "c"]
    assert [str(edge.upstream) for edge in made.node("c").upstream] == ["b", "a"]


def test_open_partitions_end_at_the_clock(table_of: TableOf) -> None:
    assert graph(table_of("a", DAYS)).node("a").partitions.size == 31


def test_a_name_that_is_not_defined_is_answered_with_a_close_one(table_of: TableOf) -> None:
    made = graph(table_of("flights"))

    with pytest.raises(UnknownAsset, match=r"There is no asset 'fligts'\. Did you mean 'flights'\?"):
        made.node("fligts")
    with pytest.raises(UnknownAsset):
        made.node("no/../key")


def test_an_unknown_upstream_is_refused_with_a_close_name_and_the_place() -> None:
    @dw.asset
    def flights() -> pl.LazyFrame: ...
    @dw.asset
    def daily(fligths: pl.LazyFrame) -> pl.LazyFrame: ...

    with pytest.raises(UnknownUpstream) as refused:
        graph(flights, daily)

    assert str(refused.value) == (
        f"{daily.where}: asset 'daily' reads 'fligths', but no asset has that name. Did you mean 'flights'?"
    )


def test_a_circle_is_printed_in_the_order_of_reading() -> None:
    @dw.asset
    def one(three: pl.LazyFrame) -> pl.LazyFrame: ...
    @dw.asset
    def two(one: pl.LazyFrame, source: pl.LazyFrame) -> pl.LazyFrame: ...
    @dw.asset
    def three(two: pl.LazyFrame) -> pl.LazyFrame: ...
    @dw.asset
    def source() -> pl.LazyFrame: ...

    with pytest.raises(InvalidDefinition) as refused:
        graph(source, two, three, one)

    assert str(refused.value) == (
        f"{two.where}: asset 'two': it is made from itself: two reads one reads three reads two"
    )


def test_an_asset_that_reads_itself_is_told_how_to_read_what_came_before() -> None:
    @dw.asset
    def balance(balance: pl.LazyFrame) -> pl.LazyFrame: ...

    with pytest.raises(InvalidDefinition) as refused:
        graph(balance)

    assert str(refused.value) == (
        f"{balance.where}: asset 'balance': argument 'balance' reads the asset itself; earlier partitions of "
        "its own are read by Previous[Model] or by a TimeWindowMapping whose end_offset is below 0"
    )


def test_a_mapping_that_does_not_fit_is_refused_with_the_argument(table_of: TableOf) -> None:
    year = table_of("year", flights=dw.TimeWindowMapping(start_offset=-6))

    with pytest.raises(DefinitionError) as refused:
        graph(table_of("flights", DAYS), year)

    assert str(refused.value) == (
        f"{year.where}: asset 'year': argument 'flights': TimeWindowMapping joins partitions of time, but here it "
        "is to make the whole table from days 2013-01-01 to 2013-01-31"
    )


def test_a_missing_resource_is_found_when_the_project_is_joined() -> None:
    class Files(dw.Resource):
        path: str

    @dw.asset
    def flights(files: Files) -> pl.LazyFrame: ...

    with pytest.raises(InvalidDefinition, match="asks for a Files as 'files', but there is none"):
        graph(flights)
    assert graph(flights, files=Files(path="x")).node("flights").partition_columns == ()
