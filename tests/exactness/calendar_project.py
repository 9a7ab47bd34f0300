"""Days that an expression tells, weeks and months of them, and what goes from one tick of a cron expression on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated
from zoneinfo import ZoneInfo

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame
from tests.exactness.project import (
    Needs,
    SmallAsset,
    SmallProject,
    date_column,
    frame_of,
    instant_column,
    some_rows,
    summed,
    summed_frames,
)
from tests.exactness.windows import between, days, keys_of, overlapping, ticks

UTC, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")

ALL_DAYS = days("2023-12-01", 150, UTC)
DAYS = days("2024-01-27", 10, UTC)
ALL_WEEKS = days("2024-01-01", 8, UTC, each=7)
WEEKS = days("2024-01-22", 3, UTC, each=7)
MONTHS = between([dt.date(2024, month, 1) for month in (1, 2, 3, 4)], UTC)
BELLS = ticks(
    [
        dt.datetime.combine(day, dt.time(6), BERLIN)
        for day in (dt.date(2024, 1, 25) + dt.timedelta(days=number) for number in range(19))
        if day.strftime("%a") in ("Mon", "Thu")
    ],
    BERLIN,
)


class Event(pa.DataFrameModel):
    at: Annotated[pl.Datetime, "us", None]
    i: int
    n: int

    class Config:
        strict = True


class Count(pa.DataFrameModel):
    day: pl.Date
    i: int
    n: int


class Bell(pa.DataFrameModel):
    rung_at: Annotated[pl.Datetime, "us", "UTC"]
    i: int
    n: int


def definitions(constants: Mapping[str, int]) -> dw.Definitions:
    return dw.Definitions(
        [
            events(constants["events"]),
            weeks(constants["weeks"]),
            months(constants["months"]),
            bells(constants["bells"]),
        ]
    )


def events(by: int) -> dw.Asset[..., LazyFrame[Event]]:
    @dw.asset(partitions=dw.DailyPartitions("2024-01-27", "2024-02-06"), partition_by=pl.col("at").dt.date())
    def events(partition: dw.Partition) -> LazyFrame[Event]:
        midnight = pl.lit(partition.start).cast(pl.Datetime("us"))
        rows = frame_of(some_rows(by, keys_of(DAYS).index(partition.key)))
        return rows.select((midnight + pl.duration(hours=pl.col("i") * 7)).alias("at"), "i", "n")

    return events


def weeks(by: int) -> dw.Asset[..., LazyFrame[Count]]:
    @dw.asset(partitions=dw.WeeklyPartitions("2024-01-22", "2024-02-12", day_offset=1), partition_by="day")
    def weeks(events: LazyFrame[Event], partition: dw.Partition) -> LazyFrame[Count]:
        return summed_frames(by, events).select(pl.lit(partition.start).alias("day"), "i", "n")

    return weeks


def months(by: int) -> dw.Asset[..., LazyFrame[Count]]:
    @dw.asset(partitions=dw.MonthlyPartitions("2024-01-01", "2024-04-01"), partition_by="day")
    def months(
        events: Annotated[LazyFrame[Event], dw.Input(mapping=dw.TimeWindowMapping(-1, 0), allow_missing=True)],
        partition: dw.Partition,
    ) -> LazyFrame[Count]:
        return summed_frames(by, events).select(pl.lit(partition.start).alias("day"), "i", "n")

    return months


def bells(by: int) -> dw.Asset[..., LazyFrame[Bell]]:
    @dw.asset(
        partitions=dw.CronPartitions("0 6 * * 1,4", "2024-01-25", "2024-02-12T07:00", "Europe/Berlin"),
        partition_by="rung_at",
    )
    def bells(
        events: LazyFrame[Event],
        weeks: Annotated[LazyFrame[Count], dw.Input(mapping=dw.TimeWindowMapping(-1, 0))],
        partition: dw.Partition,
    ) -> LazyFrame[Bell]:
        rung_at = pl.lit(partition.start_at).dt.convert_time_zone("UTC").alias("rung_at")
        return summed_frames(by, events, weeks).select(rung_at, "i", "n")

    return bells


PROJECT = SmallProject(
    name="calendar",
    assets={
        "events": SmallAsset(
            keys=keys_of(DAYS),
            columns=(date_column("at_day"),),
            made=lambda by, key, _: some_rows(by, keys_of(DAYS).index(key)),
            beyond="2024-02-20",
            others={"at": dt.datetime.fromisoformat},
        ),
        "weeks": SmallAsset(
            keys=keys_of(WEEKS),
            columns=(date_column("day"),),
            reads={"events": overlapping(WEEKS, "events", ALL_DAYS)},
            made=lambda by, _, read: summed(by, read["events"]),
            beyond="2024-01-30",
        ),
        "months": SmallAsset(
            keys=keys_of(MONTHS),
            columns=(date_column("day"),),
            reads={"events": overlapping(MONTHS, "events", ALL_DAYS, -1, 0, Needs.NONE)},
            made=lambda by, _, read: summed(by, read["events"]),
            beyond="2024-01-02",
        ),
        "bells": SmallAsset(
            keys=keys_of(BELLS),
            columns=(instant_column("rung_at", BERLIN),),
            reads={
                "events": overlapping(BELLS, "events", ALL_DAYS),
                "weeks": overlapping(BELLS, "weeks", ALL_WEEKS, -1, 0),
            },
            made=lambda by, _, read: summed(by, read["events"], read["weeks"]),
            beyond="2024-01-30T06:00+01:00",
        ),
    },
    define=definitions,
    spans=keys_of(DAYS),
)
