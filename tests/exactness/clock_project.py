"""Hours of New York in the nights in which its clocks change, and days that begin at five, from each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
from tests.exactness.windows import Window, days, hours, keys_of, overlapping

ZONE = "America/New_York"
NEW_YORK = ZoneInfo(ZONE)


@dataclass(frozen=True)
class Night:
    """A night in which clocks are changed, and what is cut out of the days around it."""

    name: str
    before: str
    """A midnight two days before, from which on hours are enumerated."""
    hours: tuple[str, str]
    """First, and what the clock shows at the end of the ninth."""
    notes: tuple[str, str]
    watch: tuple[str, str]
    """The same of four hours."""
    beyond: tuple[str, str]
    """A day and an hour that no asset has."""

    @property
    def all_hours(self) -> list[Window]:
        return hours(self.before, 100, NEW_YORK)

    @property
    def nine(self) -> list[Window]:
        return hours(self.hours[0], 9, NEW_YORK)

    @property
    def noted(self) -> list[Window]:
        return hours(self.notes[0], 9, NEW_YORK)

    @property
    def watched(self) -> list[Window]:
        return hours(self.watch[0], 4, NEW_YORK)

    @property
    def shifts(self) -> list[Window]:
        return days(self.before[:10], 3, NEW_YORK, hour=5)


PUT_BACK = Night(
    "clock",
    before="2024-11-01T00:00-04:00",
    hours=("2024-11-02T23:00-04:00", "2024-11-03T07:00"),
    notes=("2024-11-03T00:00-04:00", "2024-11-03T08:00"),
    watch=("2024-11-03T03:00-05:00", "2024-11-03T07:00"),
    beyond=("2024-11-04", "2024-11-04T01:00-05:00"),
)
PUT_FORWARD = Night(
    "spring",
    before="2024-03-08T00:00-05:00",
    hours=("2024-03-09T23:00-05:00", "2024-03-10T09:00"),
    notes=("2024-03-10T00:00-05:00", "2024-03-10T10:00"),
    watch=("2024-03-10T04:00-04:00", "2024-03-10T08:00"),
    beyond=("2024-03-11", "2024-03-11T01:00-04:00"),
)


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


def cut(of: tuple[str, str]) -> dw.HourlyPartitions:
    return dw.HourlyPartitions(of[0][:16], of[1], ZONE)


def hours_(night: Night, by: int) -> dw.Asset[..., LazyFrame[Hourly]]:
    keys = keys_of(night.nine)

    @dw.asset(partitions=cut(night.hours), partition_by="hour")
    def hours(partition: dw.Partition) -> LazyFrame[Hourly]:
        rows = frame_of(some_rows(by, keys.index(partition.key)))
        return rows.select(pl.lit(partition.start_at).dt.convert_time_zone("UTC").alias("hour"), "i", "n")

    return hours


def shifts(night: Night, by: int) -> dw.Asset[..., LazyFrame[Shift]]:
    days = dw.DailyPartitions(night.before[:10], f"{night.beyond[0]}T05:00", ZONE, hour_offset=5)

    @dw.asset(partitions=days, partition_by="day")
    def shifts(hours: LazyFrame[Hourly], partition: dw.Partition) -> LazyFrame[Shift]:
        return summed_frames(by, hours).select(pl.lit(partition.key).str.to_date().alias("day"), "i", "n")

    return shifts


def notes(night: Night, by: int) -> dw.Asset[..., LazyFrame[Noted]]:
    @dw.asset(partitions=cut(night.notes), partition_by="key", backfill=dw.BackfillPolicy.ranges(3))
    def notes(hours: LazyFrame[Hourly]) -> LazyFrame[Noted]:
        shown = pl.col("hour").dt.convert_time_zone(ZONE).dt.to_string("%Y-%m-%dT%H:%M%:z")
        return hours.select(shown.alias("key"), "i", n=pl.col("n") * by + 1)

    return notes


def watch(night: Night, by: int) -> dw.Asset[..., LazyFrame[Hourly]]:
    @dw.asset(partitions=cut(night.watch), partition_by="hour")
    def watch(
        shifts: LazyFrame[Shift],
        notes: Annotated[LazyFrame[Noted], dw.Input(mapping=dw.TimeWindowMapping(-3, -1))],
        partition: dw.Partition,
    ) -> LazyFrame[Hourly]:
        hour = pl.lit(partition.start_at).dt.convert_time_zone("UTC").alias("hour")
        return summed_frames(by, notes, shifts).select(hour, "i", "n")

    return watch


def project(night: Night) -> SmallProject:
    """Return the project of a night."""

    def definitions(constants: Mapping[str, int]) -> dw.Definitions:
        makers = {"hours": hours_, "shifts": shifts, "notes": notes, "watch": watch}
        return dw.Definitions([make(night, constants[name]) for name, make in makers.items()])

    keys = keys_of(night.nine)
    day, hour = night.beyond
    return SmallProject(
        name=night.name,
        assets={
            "hours": SmallAsset(
                keys=keys,
                columns=(instant_column("hour", NEW_YORK),),
                made=lambda by, key, _: some_rows(by, keys.index(key)),
                beyond=hour,
            ),
            "shifts": SmallAsset(
                keys=keys_of(night.shifts),
                columns=(date_column("day"),),
                reads={"hours": overlapping(night.shifts, "hours", night.all_hours)},
                made=lambda by, _, read: summed(by, read["hours"]),
                beyond=day,
            ),
            "notes": SmallAsset(
                keys=keys_of(night.noted),
                columns=(text_column("key"),),
                reads={"hours": Read("hours", same_key)},
                made=lambda by, _, read: [(i, n * by + 1) for i, n in read["hours"]],
                beyond="a note",
            ),
            "watch": SmallAsset(
                keys=keys_of(night.watched),
                columns=(instant_column("hour", NEW_YORK),),
                reads={
                    "shifts": overlapping(night.watched, "shifts", night.shifts),
                    "notes": overlapping(night.watched, "notes", night.all_hours, -3, -1),
                },
                made=lambda by, _, read: summed(by, read["notes"], read["shifts"]),
                beyond=hour,
            ),
        },
        define=definitions,
        spans=keys,
    )


PROJECTS = (project(PUT_BACK), project(PUT_FORWARD))
