"""A project whose rows tell which run made them: each run is one generation, and multiplies by its number."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

START = dt.date(2024, 1, 1)
DAYS = 6
ASSETS = ("source", "child", "whole")
MOST = 6
"""Up to which generation the unpartitioned asset has one column more each time, so that it asks for a checkpoint."""

MODULE = """
import os

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="{start}", end="{end}")


def generation() -> int:
    return int(os.environ["GENERATION"])


class Row(pa.DataFrameModel):
    day: pl.Date
    n: int


@dw.asset(partitions=days, partition_by="day")
def source(partition: dw.Partition) -> LazyFrame[Row]:
    n = pl.int_range(1, 2 + partition.start.day, dtype=pl.Int64, eager=True)
    return pl.LazyFrame({{"n": n * generation()}}).select(day=pl.lit(partition.start), n="n")


@dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.ranges(2))
def child(source: LazyFrame[Row]) -> LazyFrame[Row]:
    return source.with_columns(n=-pl.col("n"))


@dw.asset
def whole() -> pl.LazyFrame:
    more = range(1, 1 + min(generation(), {most}))
    return pl.LazyFrame({{"n": [generation()]}}).with_columns(pl.lit(1, pl.Int64).alias(f"g{{each}}") for each in more)
"""

Rows = list[tuple[object, ...]]


@dataclass(frozen=True)
class Generations:
    """The project in a folder."""

    folder: Path

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    def write(self) -> Generations:
        """Write the project, without a lake."""
        self.folder.mkdir(parents=True)
        (self.folder / "deltaworks.toml").write_text('lake = "./lake"\nmodules = ["generations_"]\n', "utf-8")
        end = START + dt.timedelta(days=DAYS)
        (self.folder / "generations_.py").write_text(MODULE.format(start=START, end=end, most=MOST), "utf-8")
        return self


def keys(asset: str) -> list[str]:
    """The partition keys of an asset."""
    if asset == "whole":
        return [""]
    return [(START + dt.timedelta(days=number)).isoformat() for number in range(DAYS)]


def made(asset: str, key: str, generation: int) -> Rows:
    """The rows that a generation makes of a partition."""
    if asset == "whole":
        return [(generation,)]
    sign = -1 if asset == "child" else 1
    day = dt.date.fromisoformat(key)
    return sorted((sign * n * generation,) for n in range(1, 2 + day.day))
