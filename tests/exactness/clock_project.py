"""Hours of New York in the night in which its clocks are put back, and days that begin at five, from each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from zoneinfo import ZoneInfo

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame
from tests.exactness.project import (
    Read,
    SmallAsset,
    SmallProject,
    date_column,
    frame_of,
    instant_column,
    same_key,
    some_rows,
    summed,
    summed_frames,
    text_column,
)
from tests.exactness.windows import days, hours, keys_of, overlapping

ZONE = "America/New_York"
NEW_YORK = ZoneInfo(ZONE)

ALL_HOURS = hours("2024-11-01T00:00-04:00", 100, NEW_YORK)
HOURS = hours("2024-11-02T23:00-04:00", 9, NEW_YORK)
NOTED = hours("2024-11-03T00:00-04:00", 9, NEW_YORK)
WATCHED = hours("2024-11-03T03:00-05:00", 4, NEW_YORK)
SHIFTS = days("2024-11-01", 3, NEW_YORK, hour=5)


class Hourly(pa.DataFrameModel):
    hour: Annotated[pl.Datetime, "us", "UTC"]
    i: int
    n: int


class Noted(pa.DataFrameModel):
    key: str
    i: int
    n: int


class Shift(pa.DataFrameModel):
    day: pl.Date
    i: int
    n: int


def definitions(constants: Mapping[str, int]) -> dw.Definitions:
    return dw.Definitions(
        [
            hours_(constants["hours"]),
            shifts(constants["shifts"]),
            notes(constants["notes"]),
            watch(constants["watch"]),
        ]
    )


def hours_(by: int) -> dw.Asset[..., LazyFrame[Hourly]]:
    @dw.asset(partitions=dw.HourlyPartitions("2024-11-02T23:00", "2024-11-03T07:00", ZONE), partition_by="hour")
    def hours(partition: dw.Partition) -> LazyFrame[Hourly]:
        rows = frame_of(some_rows(by, keys_of(HOURS).index(partition.key)))
        return rows.select(pl.lit(partition.start_at).dt.convert_time_zone("UTC").alias("hour"), "i", "n")

    return hours


def shifts(by: int) -> dw.Asset[..., LazyFrame[Shift]]:
    @dw.asset(partitions=dw.DailyPartitions("2024-11-01", "2024-11-04T05:00", ZONE, hour_offset=5), partition_by="day")
    def shifts(hours: LazyFrame[Hourly], partition: dw.Partition) -> LazyFrame[Shift]:
        return summed_frames(by, hours).select(pl.lit(partition.key).str.to_date().alias("day"), "i", "n")

    return shifts


def notes(by: int) -> dw.Asset[..., LazyFrame[Noted]]:
    @dw.asset(
        partitions=dw.HourlyPartitions("2024-11-03", "2024-11-03T08:00", ZONE),
        partition_by="key",
        backfill=dw.BackfillPolicy.ranges(3),
    )
    def notes(hours: LazyFrame[Hourly]) -> LazyFrame[Noted]:
        shown = pl.col("hour").dt.convert_time_zone(ZONE).dt.to_string("%Y-%m-%dT%H:%M%:z")
        return hours.select(shown.alias("key"), "i", n=pl.col("n") * by + 1)

    return notes


def watch(by: int) -> dw.Asset[..., LazyFrame[Hourly]]:
    @dw.asset(partitions=dw.HourlyPartitions("2024-11-03T03:00", "2024-11-03T07:00", ZONE), partition_by="hour")
    def watch(
        shifts: LazyFrame[Shift],
        notes: Annotated[LazyFrame[Noted], dw.Input(mapping=dw.TimeWindowMapping(-3, -1))],
        partition: dw.Partition,
    ) -> LazyFrame[Hourly]:
        hour = pl.lit(partition.start_at).dt.convert_time_zone("UTC").alias("hour")
        return summed_frames(by, notes, shifts).select(hour, "i", "n")

    return watch


PROJECT = SmallProject(
    name="clock",
    assets={
        "hours": SmallAsset(
            keys=keys_of(HOURS),
            columns=(instant_column("hour", NEW_YORK),),
            made=lambda by, key, _: some_rows(by, keys_of(HOURS).index(key)),
            beyond="2024-11-04T01:00-05:00",
        ),
        "shifts": SmallAsset(
            keys=keys_of(SHIFTS),
            columns=(date_column("day"),),
            reads={"hours": overlapping(SHIFTS, "hours", ALL_HOURS)},
            made=lambda by, _, read: summed(by, read["hours"]),
            beyond="2024-11-04",
        ),
        "notes": SmallAsset(
            keys=keys_of(NOTED),
            columns=(text_column("key"),),
            reads={"hours": Read("hours", same_key)},
            made=lambda by, _, read: [(i, n * by + 1) for i, n in read["hours"]],
            beyond="a note",
        ),
        "watch": SmallAsset(
            keys=keys_of(WATCHED),
            columns=(instant_column("hour", NEW_YORK),),
            reads={
                "shifts": overlapping(WATCHED, "shifts", SHIFTS),
                "notes": overlapping(WATCHED, "notes", ALL_HOURS, -3, -1),
            },
            made=lambda by, _, read: summed(by, read["notes"], read["shifts"]),
            beyond="2024-11-04T01:00-05:00",
        ),
    },
    define=definitions,
    spans=keys_of(HOURS),
)
