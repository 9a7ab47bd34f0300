"""SmallProject: a few assets with all that an oracle must know of them, said a second time in plain Python.

Which keys there are, which upstream keys a partition is made from and which rows come of it is told here without the
engine: what the two agree on was found twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame

Row: TypeAlias = tuple[int, int]
"""The columns `i` and `n`, which every table has."""

Keys: TypeAlias = Mapping[str, Sequence[str]]
"""The partition keys of each asset, in their order; those of an unpartitioned asset are one empty text."""


class Needs(Enum):
    """Without which of the mapped upstream partitions a partition cannot be made."""

    EACH = 1
    ONE = 2
    NONE = 3


@dataclass(frozen=True)
class Read:
    """An argument of an asset's function."""

    asset: str
    keys: Callable[[str, Keys], Sequence[str]]
    """The keys that a partition is made from, be they partitions or not."""
    needs: Needs = Needs.EACH


@dataclass(frozen=True)
class Column:
    """A partition column."""

    name: str
    dtype: pl.DataType
    value: Callable[[str], Any]
    """What it holds in the partition of a key."""
    key: Callable[[Any], str]
    read: Callable[[str], Any]
    """What a text in the log means."""


@dataclass(frozen=True)
class Added:
    """The keys that were added under a name."""

    name: str


@dataclass(frozen=True)
class Found:
    """The keys of which another asset's table has content."""

    asset: str


@dataclass(frozen=True)
class SmallAsset:
    """What is known of an asset."""

    keys: tuple[str, ...] | Added | Found
    columns: tuple[Column, ...]
    """Those that it is partitioned by; none: it is one table."""
    made: Callable[[int, str, Mapping[str, Sequence[Row]]], list[Row]]
    """The rows that the function makes with a constant of a key from what each argument reads."""
    reads: Mapping[str, Read] = field(default_factory=dict[str, Read])
    """By argument."""
    beyond: str = ""
    """A key that the definition does not have."""
    dimensions: tuple[str, ...] = ()
    """Their names, where there are several."""
    others: Mapping[str, Callable[[str], Any]] = field(default_factory=dict[str, Callable[[str], Any]])
    """What a row of a key may hold in columns beside those."""

    def values(self, key: str) -> dict[str, Any]:
        """Return what the partition columns hold in the partition of a key."""
        return {name: column.value(part) for name, column, part in self._parts(key)}

    def key(self, values: Mapping[str, Any]) -> str:
        """Return the key of the partition in which a row with these values lies."""
        return self._joined([column.key(values[column.name]) for column in self.columns])

    def key_in_log(self, values: Mapping[str, str | None]) -> str:
        """Return the key of the partition that a file belongs to by its partition values."""
        return self._joined([column.key(column.read(values[column.name] or "")) for column in self.columns])

    def claim(self, key: str) -> str | None:
        """Return the SQL predicate for the rows of a partition; none: all of them."""
        values = self.values(key).items()
        texts = {name: value.isoformat() if isinstance(value, dt.date) else value for name, value in values}
        escaped = {name: text.replace("'", "''") for name, text in texts.items()}
        return " and ".join(f"{name} = '{text}'" for name, text in escaped.items()) or None

    def frame(self, key: str, rows: Sequence[Row]) -> pl.DataFrame:
        """Return rows of a partition as its table has them."""
        schema = {column.name: column.dtype for column in self.columns}
        fixed = [pl.lit(value, schema[name]).alias(name) for name, value in self.values(key).items()]
        more = [pl.lit(value(key)).alias(name) for name, value in self.others.items()]
        df = pl.DataFrame(rows, schema={"i": pl.Int64, "n": pl.Int64}, orient="row")
        return df.select(*fixed, *more, "i", "n")

    def _parts(self, key: str) -> list[tuple[str, Column, str]]:
        if not self.dimensions:
            return [(column.name, column, key) for column in self.columns]
        texts = [unquote(part.partition("=")[2]) for part in key.split(",")]
        return [(column.name, column, text) for column, text in zip(self.columns, texts, strict=True)]

    def _joined(self, parts: Sequence[str]) -> str:
        if not self.dimensions:
            return "".join(parts)
        return multi_key(dict(zip(self.dimensions, parts, strict=True)))


@dataclass(frozen=True)
class SmallProject:
    """Assets, upstreams first."""

    name: str
    assets: Mapping[str, SmallAsset]
    define: Callable[[Mapping[str, int]], dw.Definitions]
    """Define them with one constant for the code of each."""
    spans: tuple[str, ...]
    """Keys that ranges go from and to, ascending."""
    pool: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Keys that may be added under each name."""


class DayRow(pa.DataFrameModel):
    day: pl.Date
    i: int
    n: int


class WholeRow(pa.DataFrameModel):
    i: int
    n: int


def source_of_days(
    name: str, partitions: dw.DailyPartitions, keys: Sequence[str], by: int
) -> dw.Asset[..., LazyFrame[DayRow]]:
    """Return an asset that makes the rows of each day out of nothing, by the day's place among some keys."""

    @dw.asset(name=name, partitions=partitions, partition_by="day")
    def source(partition: dw.Partition) -> LazyFrame[DayRow]:
        rows = frame_of(some_rows(by, keys.index(partition.key)))
        return rows.select(pl.lit(partition.start).alias("day"), "i", "n")

    return source


def date_column(name: str) -> Column:
    """Return a column with the first day of its partition."""
    return Column(name, pl.Date(), dt.date.fromisoformat, dt.date.isoformat, dt.date.fromisoformat)


def text_column(name: str) -> Column:
    """Return a column with the key itself."""
    return Column(name, pl.String(), str, str, str)


def instant_column(name: str, zone: ZoneInfo) -> Column:
    """Return a column with the instant at which its partition begins, whose key is what the clock shows."""

    def key(instant: dt.datetime) -> str:
        return instant.astimezone(zone).isoformat(timespec="minutes")

    def value(key: str) -> dt.datetime:
        return dt.datetime.fromisoformat(key).astimezone(dt.UTC)

    def read(text: str) -> dt.datetime:
        return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)

    return Column(name, pl.Datetime("us", "UTC"), value, key, read)


def multi_key(values: Mapping[str, str]) -> str:
    """Return the key of a partition of several dimensions."""
    return ",".join(f"{name}={quote(value, safe=' ')}" for name, value in values.items())


def same_key(key: str, _: Keys) -> Sequence[str]:
    """Map by identity."""
    return [key]


def all_of(asset: str) -> Read:
    """Read whatever there is of an asset."""
    return Read(asset, lambda _, keys: keys[asset], Needs.ONE)


def some_rows(by: int, number: int) -> list[Row]:
    """Return what a source has in its partition of a number: in some none."""
    return [(i, by * 1000 + number * 10 + i) for i in range((2, 1, 0, 3, 1, 2, 0, 1)[number % 8])]


def frame_of(rows: Sequence[Row]) -> pl.LazyFrame:
    """Return rows as a frame."""
    return pl.LazyFrame(rows, schema={"i": pl.Int64, "n": pl.Int64}, orient="row")


def summed(by: int, *read: Sequence[Row]) -> list[Row]:
    """Return one row: how many rows were read first, and what all of them add up to."""
    return [(len(read[0]), by + sum(7**place * sum(n for _, n in rows) for place, rows in enumerate(read)))]


def summed_frames(by: int, *read: pl.LazyFrame) -> pl.LazyFrame:
    """Return the same of frames."""
    count = read[0].select(i=pl.len().cast(pl.Int64))
    sums = [frame.select((pl.col("n").sum() * 7**place).alias(str(place))) for place, frame in enumerate(read)]
    return pl.concat([count, *sums], how="horizontal").select("i", n=by + pl.sum_horizontal(pl.exclude("i")))
