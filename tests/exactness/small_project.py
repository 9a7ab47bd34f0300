"""Four assets over eight days whose code is edited by changing one constant of each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame
from tests.exactness.project import Keys, Read, Row, SmallAsset, SmallProject, all_of, date_column

START = dt.date(2024, 1, 1)
DAYS = 8
KEYS = tuple((START + dt.timedelta(days=number)).isoformat() for number in range(DAYS))
RAW_ROWS = (2, 1, 0, 3, 1, 2, 0, 1)
"""How many rows the source has on each day; some days have none."""

days = dw.DailyPartitions(start=START, end=START + dt.timedelta(days=DAYS))


class Daily(pa.DataFrameModel):
    day: pl.Date
    i: int
    n: int


class Total(pa.DataFrameModel):
    i: int
    n: int


UPSTREAMS: Mapping[str, Mapping[str, tuple[int, int] | None]] = {
    "raw": {},
    "child": {"raw": (0, 0)},
    "window": {"raw": (0, 0), "child": (-2, 0)},
    "total": {"raw": None, "window": None},
}
"""The offsets in days of what each asset is made from, both included; none: every day. Upstreams first."""


def definitions(constants: Mapping[str, int]) -> dw.Definitions:
    """Define the assets with one constant for the code of each."""
    return dw.Definitions(
        [raw(constants["raw"]), child(constants["child"]), window(constants["window"]), total(constants["total"])]
    )


def raw(by: int) -> dw.Asset[..., LazyFrame[Daily]]:
    @dw.asset(partitions=days, partition_by="day")
    def raw(partition: dw.Partition) -> LazyFrame[Daily]:
        number = (partition.start - START).days
        i = pl.int_range(RAW_ROWS[number], dtype=pl.Int64, eager=True)
        return pl.LazyFrame({"i": i}).select(
            day=pl.lit(partition.start), i="i", n=by * 1000 + number * 10 + pl.col("i")
        )

    return raw


def child(by: int) -> dw.Asset[..., LazyFrame[Daily]]:
    @dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.ranges(3))
    def child(raw: LazyFrame[Daily]) -> LazyFrame[Daily]:
        return raw.with_columns(n=pl.col("n") * by + 1)

    return child


def window(by: int) -> dw.Asset[..., LazyFrame[Daily]]:
    @dw.asset(partitions=days, partition_by="day")
    def window(
        raw: LazyFrame[Daily],
        child: Annotated[LazyFrame[Daily], dw.Input(mapping=dw.TimeWindowMapping(start_offset=-2))],
        partition: dw.Partition,
    ) -> LazyFrame[Daily]:
        today = raw.select(today=pl.col("n").sum())
        summed = child.select(i=pl.len().cast(pl.Int64), n=pl.col("n").sum())
        both = pl.concat([today, summed], how="horizontal")
        return both.select(day=pl.lit(partition.start), i="i", n=by + pl.col("n") + pl.col("today") * 1000)

    return window


def total(by: int) -> dw.Asset[..., LazyFrame[Total]]:
    @dw.asset
    def total(raw: LazyFrame[Daily], window: LazyFrame[Daily]) -> LazyFrame[Total]:
        rows = raw.select(i=pl.len().cast(pl.Int64), raw=pl.col("n").sum())
        both = pl.concat([rows, window.select(window=pl.col("n").sum())], how="horizontal")
        return both.select(i="i", n=by + pl.col("window") + pl.col("raw") * 7)

    return total


def made(asset: str, by: int, key: str, read: Mapping[str, Sequence[Row]]) -> list[Row]:
    """What an asset's function makes of a partition when it reads these rows."""
    match asset:
        case "raw":
            number = KEYS.index(key)
            return [(i, by * 1000 + number * 10 + i) for i in range(RAW_ROWS[number])]
        case "child":
            return [(i, n * by + 1) for i, n in read["raw"]]
        case "window":
            return [(len(read["child"]), by + _sum(read["child"]) + _sum(read["raw"]) * 1000)]
        case _:
            return [(len(read["raw"]), by + _sum(read["window"]) + _sum(read["raw"]) * 7)]


def keys_of(asset: str) -> tuple[str, ...]:
    """The partition keys of an asset."""
    return ("",) if asset == "total" else KEYS


def _sum(rows: Sequence[Row]) -> int:
    return sum(n for _, n in rows)


def _read(upstream: str, offsets: tuple[int, int] | None) -> Read:
    if offsets is None:
        return all_of(upstream)
    first, last = offsets

    def keys(key: str, _: Keys) -> Sequence[str]:
        number = KEYS.index(key)
        return KEYS[max(0, number + first) : number + last + 1]

    return Read(upstream, keys)


def _asset(name: str) -> SmallAsset:
    return SmallAsset(
        keys=keys_of(name),
        columns=() if name == "total" else (date_column("day"),),
        made=lambda by, key, read: made(name, by, key, read),
        reads={upstream: _read(upstream, offsets) for upstream, offsets in UPSTREAMS[name].items()},
        beyond="" if name == "total" else "2024-02-01",
    )


PROJECT = SmallProject("days", {name: _asset(name) for name in UPSTREAMS}, definitions, spans=KEYS)
