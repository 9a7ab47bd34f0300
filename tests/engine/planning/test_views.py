"""Views in a graph: the edges that they become, the partitions that they have, and what makes no sense."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.mappings.correspondence import Window
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import AssetGraph, Needs, build_graph
from deltaworks.engine.planning.members import common_members
from deltaworks.errors import InvalidDefinition, RequestError

NOW = dt.datetime(2013, 2, 1, tzinfo=dt.UTC)
DAYS = dw.DailyPartitions("2013-01-01", "2013-01-11")
WEEK = dw.TimeWindowMapping(start_offset=-6)


class Flight(pa.DataFrameModel):
    day: pl.Date
    delay: int


class Delay(pa.DataFrameModel):
    delay: int


@dw.asset(partitions=DAYS, partition_by="day")
def flights() -> LazyFrame[Flight]:
    raise AssertionError("it is never called")


@dw.asset
def names() -> LazyFrame[Delay]:
    raise AssertionError("it is never called")


@dw.view
def late(flights: LazyFrame[Flight]) -> LazyFrame[Flight]:
    return flights.filter(pl.col("delay") > 0)


@dw.view
def week(late: Annotated[LazyFrame[Flight], dw.Input(mapping=WEEK)]) -> LazyFrame[Flight]:
    return late


def graph(*assets: dw.Asset[..., Any]) -> AssetGraph:
    return build_graph(dw.Definitions([flights, names, *assets]), NOW)


def reader(annotation: Any, **partitioned: Any) -> dw.Asset[..., Any]:
    """Return an asset `table` that reads what is annotated as `read`."""

    def table(read: Any) -> Any:
        raise AssertionError("it is never called")

    table.__annotations__ = {"read": annotation, "return": pl.LazyFrame}
    return dw.asset(**partitioned)(table)


DAILY = {"partitions": DAYS, "partition_by": "day"}


def reads(name: str, mapping: Any = None, model: Any = Flight, allow_missing: bool = False) -> Any:
    return Annotated[LazyFrame[model], dw.Input(asset=name, mapping=mapping, allow_missing=allow_missing)]


def test_an_edge_through_views_leads_to_the_table_by_all_of_their_mappings() -> None:
    made = graph(late, week, reader(reads("week", WEEK), **DAILY))

    assert list(map(str, made.nodes)) == ["flights", "names", "table"]
    assert list(map(str, made.views)) == ["late", "week"]
    assert [str(key) for key in made.every] == ["flights", "names", "late", "week", "table"]
    (edge,) = made.node("table").upstream
    assert (str(edge.upstream), str(edge.downstream), edge.argument.argument) == (
        "flights",
        "table",
        "read.late.flights",
    )
    assert edge.correspondence == Window(-12, 0, 10, 10)
    assert [str(each.downstream) for each in made.downstream[AssetKey("flights")]] == ["table"]
    assert [str(each.upstream) for each in made.node("table").reads] == ["week"]


def test_an_identity_view_costs_what_none_costs() -> None:
    made = graph(late, reader(reads("late"), **DAILY))

    assert made.node("table").upstream[0].correspondence == Window(0, 0, 10, 10)
    assert not made.views[AssetKey("late")].is_cut


def test_a_view_that_reads_a_table_twice_has_an_edge_for_each_way() -> None:
    @dw.view
    def both(late: LazyFrame[Flight], flights: LazyFrame[Flight], names: LazyFrame[Delay]) -> LazyFrame[Flight]:
        raise AssertionError("it is never called")

    made = graph(late, both, reader(reads("both"), **DAILY)).node("table")

    assert [each.argument.argument for each in made.upstream] == ["read.late.flights", "read.flights", "read.names"]


@pytest.mark.parametrize(
    ("outer", "inner", "needs_each"), [(False, False, True), (True, False, False), (False, True, False)]
)
def test_what_may_be_missing_on_the_way_may_be_missing(outer: bool, inner: bool, needs_each: bool) -> None:
    @dw.view
    def some(
        flights: Annotated[LazyFrame[Flight], dw.Input(allow_missing=inner)],
    ) -> LazyFrame[Flight]:
        raise AssertionError("it is never called")

    (edge,) = graph(some, reader(reads("some", allow_missing=outer), **DAILY)).node("table").upstream

    assert (edge.needs is Needs.EACH) == needs_each
    assert edge.may_read_nothing != needs_each


def test_a_view_has_the_partitions_of_what_it_reads() -> None:
    other_days = dw.DailyPartitions("2013-01-02", "2013-01-11")

    @dw.asset(partitions=other_days, partition_by="day")
    def others() -> LazyFrame[Flight]:
        raise AssertionError("it is never called")

    @dw.view
    def without_column(flights: LazyFrame[Flight], names: LazyFrame[Delay]) -> LazyFrame[Delay]:
        raise AssertionError("it is never called")

    @dw.view
    def of_two(flights: LazyFrame[Flight], others: LazyFrame[Flight]) -> LazyFrame[Flight]:
        raise AssertionError("it is never called")

    @dw.view(partitions=other_days, partition_by="day")
    def declared(flights: LazyFrame[Flight]) -> LazyFrame[Flight]:
        raise AssertionError("it is never called")

    views = graph(others, late, without_column, of_two, declared).views.values()

    found = {str(each.key): (each.partitions.size, each.partition_columns) for each in views}
    assert found == {
        "late": (10, ("day",)),
        "without_column": (10, ()),
        "of_two": (1, ()),
        "declared": (9, ("day",)),
    }


def test_the_partitions_of_a_view_that_are_read_count_where_the_table_does_not_tell_them() -> None:
    def edge(regions: list[str]) -> Any:
        class Region(pa.DataFrameModel):
            region: str

        @dw.view(partitions=dw.StaticPartitions(regions), partition_by="region")
        def by_region(names: LazyFrame[Delay]) -> LazyFrame[Region]:
            raise AssertionError("it is never called")

        made = graph(by_region, reader(reads("by_region", model=Region)))
        (found,) = made.node("table").upstream
        return common_members(found, made.node("names").partitions, PartitionSet.all(1))

    assert edge(["a", "b"]) == edge(["b", "a"][::-1]) != edge(["a", "b", "c"])
    assert edge(["a", "b"]) is not None


def test_only_tables_are_nodes() -> None:
    made = graph(late)

    with pytest.raises(RequestError, match="late is a view: it is computed when it is read, so it has no table"):
        made.node("late")
    assert made.view("late") is made.views[AssetKey("late")]
    assert made.view("flights") is None


def test_a_view_takes_no_part_in_the_code_of_who_does_not_read_it() -> None:
    plain = reader(reads("flights"), **DAILY)

    assert graph(plain).node("table").code == graph(late, week, plain).node("table").code


def test_a_view_is_made_known_by_its_version_of_the_authors_own() -> None:
    def code(version: str | None, delay: int) -> str | None:
        @dw.view(code_version=version)
        def late(flights: LazyFrame[Flight]) -> LazyFrame[Flight]:
            return flights.filter(pl.col("delay") > delay)

        return graph(late, reader(reads("late"), **DAILY)).node("table").code

    assert code("1", 0) == code("1", 5) != code("2", 0)
    assert code(None, 0) != code(None, 5)


def test_a_reader_with_a_version_of_its_own_still_follows_its_views() -> None:
    def code(delay: int) -> str | None:
        @dw.view
        def late(flights: LazyFrame[Flight]) -> LazyFrame[Flight]:
            return flights.filter(pl.col("delay") > delay)

        return graph(late, reader(reads("late"), code_version="7", **DAILY)).node("table").code

    assert code(0) == code(0) != code(5)
    assert str(code(0)).startswith("override:7+late:")


def _partition(flights: LazyFrame[Flight], partition: dw.Partition) -> LazyFrame[Flight]:
    raise AssertionError


def _previous(flights: LazyFrame[Flight], before: dw.Previous[Flight]) -> LazyFrame[Flight]:
    raise AssertionError


def _nothing() -> LazyFrame[Flight]:
    raise AssertionError


def _itself(read: LazyFrame[Flight]) -> LazyFrame[Flight]:
    raise AssertionError


def _circle(table: LazyFrame[Flight]) -> LazyFrame[Flight]:
    raise AssertionError


def _uncut(week: LazyFrame[Flight]) -> LazyFrame[Delay]:
    raise AssertionError


def _uncut_itself(late: Annotated[LazyFrame[Flight], dw.Input(mapping=WEEK)]) -> LazyFrame[Delay]:
    raise AssertionError


def _number(late: LazyFrame[Flight], number: int) -> LazyFrame[Flight]:
    raise AssertionError


REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "a Partition": (_partition, "'partition' is a Partition, but a view is called for whatever its readers ask for"),
    "Previous": (_previous, "'before' is Previous, but a view is not stored"),
    "a number": (_number, "view 'read': argument 'number' is an int"),
    "no asset": (_nothing, "it reads no asset, so nothing would tell when its rows change"),
    "itself": (_itself, "it reads itself, but a view is not stored"),
    "a circle": (_circle, "it is made from itself: read reads table reads read"),
    "no column to cut by": (_uncut_itself, "several of its partitions are made from the same partition of late"),
}


@pytest.mark.parametrize(("function", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused_with_its_place(function: Callable[..., Any], problem: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        graph(late, week, dw.view(name="read")(function), reader(reads("read"), **DAILY))

    assert problem in str(refused.value)
    assert refused.value.where is not None
    assert refused.value.where.file == __file__


def test_a_result_without_the_column_need_not_be_cut_if_it_goes_one_to_one() -> None:
    made = graph(late, week, dw.view(name="read")(_uncut), reader(reads("read", model=Delay), **DAILY))

    assert not made.views[AssetKey("read")].is_cut
    assert made.views[AssetKey("week")].is_cut


def test_a_key_is_a_views_or_an_assets() -> None:
    @dw.asset(name="late")
    def other() -> LazyFrame[Flight]:
        raise AssertionError("it is never called")

    with pytest.raises(InvalidDefinition, match="asset 'late' is defined twice"):
        dw.Definitions([late, other])


def test_a_view_has_no_folder_that_another_could_lie_in() -> None:
    inside = dw.asset(name="late/too")(flights.function)

    assert len(dw.Definitions([late, inside]).assets) == 2


def test_dynamic_partitions_do_not_follow_a_view() -> None:
    followed = dw.DynamicPartitions.from_column(late, "day")

    with pytest.raises(InvalidDefinition, match="that is a view, which is not stored; follow the table"):
        graph(late, reader(reads("flights"), partitions=followed, partition_by="code"))
