"""Views as they are called: what they are given, and what is cut off what they return."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks import DataFrame, LazyFrame
from deltaworks.errors import RequestError, RunError

DAYS = dw.DailyPartitions("2013-01-01", "2013-01-05")
TWO_DAYS = dw.Input(mapping=dw.TimeWindowMapping(start_offset=-1))


class Event(pa.DataFrameModel):
    at: Annotated[pl.Datetime, "us", None]
    number: int


class Sale(pa.DataFrameModel):
    day: pl.Date
    region: str
    number: int


class Day(pa.DataFrameModel):
    day: pl.Date
    number: int


class Numbers(dw.Resource):
    most: int


@dw.asset(partitions=DAYS, partition_by=pl.col("at").dt.date())
def events(partition: dw.Partition) -> LazyFrame[Event]:
    noon = dt.datetime.combine(partition.start, dt.time(12))
    return pl.LazyFrame({"at": [noon], "number": [partition.start.day]})


def made(asset: dw.Asset[..., Any], lake: Path, *others: dw.Asset[..., Any], **more: Any) -> pl.DataFrame:
    dw.materialize([asset, *others], lake=lake, **more)
    return dw.read(asset, lake=lake).collect()


def test_a_result_is_cut_by_the_expression_that_cuts_its_upstream(tmp_path: Path) -> None:
    @dw.view
    def recent(events: Annotated[LazyFrame[Event], TWO_DAYS]) -> LazyFrame[Event]:
        return events

    @dw.asset(partitions=DAYS, partition_by="day")
    def counted(recent: LazyFrame[Event], partition: dw.Partition) -> LazyFrame[Day]:
        return recent.select(pl.lit(partition.start).alias("day"), pl.col("number").sum())

    assert made(counted, tmp_path, events, recent).sort("day")["number"].to_list() == [1, 2, 3, 4]


def test_a_result_is_cut_in_each_of_its_dimensions(tmp_path: Path) -> None:
    regions = dw.StaticPartitions(["a", "b"])
    both = dw.MultiPartitions({"day": DAYS, "region": regions})

    @dw.asset(partitions=both)
    def sales(partition: dw.Partition) -> LazyFrame[Sale]:
        day, region = partition.dimension("day").start, partition.dimension("region").key
        return pl.LazyFrame({"day": [day], "region": [region], "number": [day.day]})

    @dw.view
    def recent(
        sales: Annotated[LazyFrame[Sale], dw.Input(mapping=dw.MultiMapping({"day": dw.TimeWindowMapping(-1)}))],
    ) -> LazyFrame[Sale]:
        return sales

    @dw.asset(partitions=dw.DailyPartitions("2013-01-02", "2013-01-05"), partition_by="day")
    def daily(recent: LazyFrame[Sale]) -> LazyFrame[Day]:
        return recent.group_by("day").agg(pl.col("number").sum())

    assert made(daily, tmp_path, sales, recent).sort("day")["number"].to_list() == [4, 6, 8]


def test_a_whole_table_is_cut_into_partitions(tmp_path: Path) -> None:
    @dw.asset
    def table() -> LazyFrame[Day]:
        return pl.LazyFrame({"day": [dt.date(2013, 1, day) for day in range(1, 8)], "number": range(1, 8)})

    @dw.view(partitions=DAYS, partition_by="day")
    def by_day(table: LazyFrame[Day]) -> LazyFrame[Day]:
        return table

    @dw.asset(partitions=DAYS, partition_by="day", backfill=dw.BackfillPolicy.ranges(3))
    def daily(by_day: LazyFrame[Day]) -> LazyFrame[Day]:
        return by_day

    @dw.asset
    def total(by_day: DataFrame[Day]) -> pl.LazyFrame:
        return by_day.lazy().select(pl.col("number").sum())

    assert made(daily, tmp_path, table, by_day).sort("day")["number"].to_list() == [1, 2, 3, 4]
    assert made(total, tmp_path, table, by_day)["number"].to_list() == [10]


def test_a_view_gets_its_own_resources_and_a_logger(tmp_path: Path) -> None:
    @dw.view
    def few(events: DataFrame[Event], numbers: Numbers, log: dw.Logger) -> DataFrame[Event]:
        log.info("keeping %d", numbers.most)
        return events.filter(pl.col("number") <= numbers.most)

    @dw.asset
    def count(few: LazyFrame[Event]) -> pl.LazyFrame:
        return few.select(pl.len().cast(pl.Int64).alias("n"))

    resources = {"numbers": Numbers(most=3)}

    assert made(count, tmp_path, events, few, resources=resources)["n"].to_list() == [3]
    assert dw.read(few, lake=tmp_path, upstream=[events], resources=resources).collect().height == 3


def test_what_may_not_be_stored_may_be_in_a_view(tmp_path: Path) -> None:
    class Lasting(pa.DataFrameModel):
        lasts: pl.Duration

    @dw.view
    def lasting(events: LazyFrame[Event]) -> LazyFrame[Lasting]:
        return events.select(lasts=pl.duration(hours="number", time_unit="us"))

    @dw.asset
    def longest(lasting: LazyFrame[Lasting]) -> pl.LazyFrame:
        return lasting.select(hours=pl.col("lasts").max().dt.total_hours())

    assert made(longest, tmp_path, events, lasting)["hours"].to_list() == [4]


def test_rows_of_a_view_are_not_validated(tmp_path: Path) -> None:
    class Small(pa.DataFrameModel):
        at: Annotated[pl.Datetime, "us", None]
        number: int = pa.Field(lt=3)

    @dw.view
    def small(events: LazyFrame[Event]) -> LazyFrame[Small]:
        return events

    @dw.asset
    def count(small: LazyFrame[Small]) -> pl.LazyFrame:
        return small.select(pl.len().cast(pl.Int64).alias("n"))

    assert made(count, tmp_path, events, small)["n"].to_list() == [4]


def test_a_result_that_cannot_be_cut_is_refused(tmp_path: Path) -> None:
    @dw.view
    def recent(events: Annotated[LazyFrame[Event], TWO_DAYS]) -> pl.LazyFrame:
        return events.drop("at")

    @dw.asset
    def count(recent: pl.LazyFrame) -> pl.LazyFrame:
        return recent.select(pl.len().cast(pl.Int64).alias("n"))

    with pytest.raises(
        RunError, match=r"count: view recent \(.*\): partition column 'at_day' of the result is missing"
    ):
        made(count, tmp_path, events, recent)


def test_what_a_view_is_made_from_must_be_at_hand_to_read_it(tmp_path: Path) -> None:
    @dw.asset
    def local() -> LazyFrame[Day]:
        raise AssertionError("it is never called")

    @dw.view
    def seen(local: LazyFrame[Day]) -> LazyFrame[Day]:
        return local

    with pytest.raises(RequestError, match="View seen is made from local, which its module does not have"):
        dw.read(seen, lake=tmp_path)
    with pytest.raises(RequestError, match="View seen is made from local, of which there is no table in lake"):
        dw.read(seen, lake=tmp_path, upstream=[local])
    with pytest.raises(RequestError, match="View seen has no partitions: leave out the partition keys"):
        dw.read(seen, lake=tmp_path, upstream=[local], partition="2013-01-01")
