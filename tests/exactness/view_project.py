"""Tables that are read through views: the oracle knows of none, and is told which tables' partitions are meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from zoneinfo import ZoneInfo

import polars as pl

import deltaworks as dw
from deltaworks import DataFrame, LazyFrame
from tests.exactness.project import (
    DayRow,
    Read,
    Row,
    SmallAsset,
    SmallProject,
    WholeRow,
    all_of,
    date_column,
    same_key,
    some_rows,
    source_of_days,
    summed,
    summed_frames,
)
from tests.exactness.windows import days, keys_of, overlapping

UTC = ZoneInfo("UTC")
DAYS = days("2024-01-01", 9, UTC)
ALL_DAYS = days("2023-12-20", 40, UTC)
WEEKS = days("2024-01-01", 1, UTC, each=7)


Frame = LazyFrame[DayRow]


def definitions(constants: Mapping[str, int]) -> dw.Definitions:
    return dw.Definitions(
        [
            source_of_days("raw", dw.DailyPartitions("2024-01-01", "2024-01-10"), keys_of(DAYS), constants["raw"]),
            plain,
            daily(constants["daily"]),
            recent("recent", 1),
            recent("weighed", constants["window"]),
            window,
            weeks(constants["weeks"]),
            total(constants["total"]),
            mixed,
            final(constants["final"]),
        ]
    )


@dw.view
def plain(raw: Frame) -> Frame:
    return raw.with_columns(n=pl.col("n") * 2 + 1)


def daily(by: int) -> dw.Asset[..., Frame]:
    partitions = dw.DailyPartitions("2024-01-01", "2024-01-10")

    @dw.asset(partitions=partitions, partition_by="day", backfill=dw.BackfillPolicy.ranges(3))
    def daily(plain: Frame) -> Frame:
        return plain.with_columns(n=pl.col("n") * by)

    return daily


def recent(name: str, by: int) -> dw.Asset[..., Frame]:
    """Return a view whose days are made from two days of another, and have the rows of one."""

    @dw.view(name=name)
    def recent(plain: Annotated[DataFrame[DayRow], dw.Input(mapping=dw.TimeWindowMapping(-1, 0))]) -> Frame:
        return plain.lazy().with_columns(n=pl.col("n") + by)

    return recent


@dw.asset(partitions=dw.DailyPartitions("2024-01-01", "2024-01-10"), partition_by="day")
def window(weighed: Annotated[Frame, dw.Input(mapping=dw.TimeWindowMapping(-1, 0))], partition: dw.Partition) -> Frame:
    return summed_frames(0, weighed).select(pl.lit(partition.start).alias("day"), "i", "n")


def weeks(by: int) -> dw.Asset[..., Frame]:
    @dw.asset(partitions=dw.WeeklyPartitions("2024-01-01", "2024-01-08", day_offset=1), partition_by="day")
    def weeks(recent: Frame, partition: dw.Partition) -> Frame:
        return summed_frames(by, recent).select(pl.lit(partition.start).alias("day"), "i", "n")

    return weeks


def total(by: int) -> dw.Asset[..., LazyFrame[WholeRow]]:
    @dw.asset
    def total(plain: Frame, daily: Frame) -> LazyFrame[WholeRow]:
        return summed_frames(by, plain, daily)

    return total


@dw.view
def mixed(plain: Frame, total: LazyFrame[WholeRow]) -> Frame:
    return plain.join(total.select(n_total="n"), how="cross").select("day", "i", n=pl.col("n") + pl.col("n_total"))


def final(by: int) -> dw.Asset[..., Frame]:
    @dw.asset(partitions=dw.DailyPartitions("2024-01-01", "2024-01-10"), partition_by="day")
    def final(mixed: Frame) -> Frame:
        return mixed.with_columns(n=pl.col("n") + by)

    return final


def _plain(rows: list[Row], more: int = 0) -> list[Row]:
    return [(i, n * 2 + 1 + more) for i, n in rows]


def _daily(reads: Mapping[str, Read], made: object) -> SmallAsset:
    return SmallAsset(keys_of(DAYS), (date_column("day"),), made, reads, beyond="2024-02-01")  # type: ignore[arg-type]


PROJECT = SmallProject(
    name="views",
    assets={
        "raw": _daily({}, lambda by, key, _: some_rows(by, keys_of(DAYS).index(key))),
        "daily": _daily(
            {"plain.raw": Read("raw", same_key)},
            lambda by, _, read: [(i, n * by) for i, n in _plain(read["plain.raw"])],
        ),
        "window": _daily(
            # What the view is made from reaches further back than what is read of it.
            {
                "weighed.plain.raw": overlapping(DAYS, "raw", ALL_DAYS, -2),
                "read": overlapping(DAYS, "raw", ALL_DAYS, -1),
            },
            lambda by, _, read: summed(0, _plain(read["read"], by)),
        ),
        "weeks": SmallAsset(
            keys_of(WEEKS),
            (date_column("day"),),
            lambda by, _, read: summed(by, _plain(read["read"], 1)),
            {
                "recent.plain.raw": overlapping(WEEKS, "raw", ALL_DAYS, -1),
                "read": overlapping(WEEKS, "raw", ALL_DAYS),
            },
            beyond="2024-01-30",
        ),
        "total": SmallAsset(
            ("",),
            (),
            lambda by, _, read: summed(by, _plain(read["plain.raw"]), read["daily"]),
            {"plain.raw": all_of("raw"), "daily": all_of("daily")},
        ),
        "final": _daily(
            {"mixed.plain.raw": Read("raw", same_key), "mixed.total": Read("total", lambda *_: [""])},
            lambda by, _, read: [
                (i, n + by + total) for i, n in _plain(read["mixed.plain.raw"]) for _, total in read["mixed.total"]
            ],
        ),
    },
    define=definitions,
    spans=keys_of(DAYS),
)
