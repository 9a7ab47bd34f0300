"""TimePartitions: partitions of the time line."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from deltaworks.engine.definitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions import Dimension
from deltaworks.errors import InvalidDefinition

_DAY = "%Y-%m-%d"


@dataclass(frozen=True, slots=True, init=False)
class DailyPartitions:
    """One partition a day, keyed by its date: `2013-11-01`.

    `start` is the first day, `end` the day after the last one. Without `end` the last partition is the latest day that
    is over in `timezone`, so the definition grows by itself.
    """

    start: dt.date
    end: dt.date | None
    timezone: str

    def __init__(self, start: str | dt.date, end: str | dt.date | None = None, timezone: str = "UTC") -> None:
        first, after = _day(start, "start"), None if end is None else _day(end, "end")
        if not _is_zone(timezone):
            raise InvalidDefinition(f"DailyPartitions: there is no time zone {timezone!r}")
        if after is not None and after <= first:
            raise InvalidDefinition(
                f"DailyPartitions: end {after} is not after start {first}; end is exclusive, so one day is "
                f"start={first.isoformat()!r}, end={(first + dt.timedelta(days=1)).isoformat()!r}"
            )
        self._set(first, after, timezone)

    @property
    def dimensions(self) -> tuple[Dimension, ...]:  # noqa: D102 - see Partitions
        return (self,)

    @property
    def size(self) -> int:  # noqa: D102
        if self.end is None:
            raise AssertionError("an open definition has no size; call until(now) first")
        return (self.end - self.start).days

    @property
    def scheme(self) -> str:  # noqa: D102
        return f"daily {self.timezone}"

    def until(self, now: dt.datetime) -> DailyPartitions:  # noqa: D102
        if self.end is not None:
            return self
        today = now.astimezone(ZoneInfo(self.timezone)).date()
        bounded = object.__new__(DailyPartitions)  # no day may be over yet: that is no partition, and no mistake
        bounded._set(self.start, max(today, self.start), self.timezone)
        return bounded

    def key(self, ordinal: int) -> str:  # noqa: D102
        return self.date(ordinal).isoformat()

    def keys(self, ordinals: pl.Series) -> pl.Series:  # noqa: D102
        days = ordinals.cast(pl.Int32) + (self.start - dt.date(1970, 1, 1)).days
        return days.cast(pl.Date).dt.to_string(_DAY)

    def ordinal(self, key: str) -> int | None:  # noqa: D102
        try:
            day = dt.date.fromisoformat(key)
        except ValueError:
            return None
        ordinal = (day - self.start).days
        return ordinal if day.isoformat() == key and 0 <= ordinal < self.size else None

    def ordinals(self, keys: pl.Series) -> pl.Series:  # noqa: D102
        days = keys.cast(pl.String).str.to_date(_DAY, strict=False)
        days = days.set(days.dt.to_string(_DAY) != keys, None)
        ordinals = days.cast(pl.Int32).cast(pl.Int64) - (self.start - dt.date(1970, 1, 1)).days
        return ordinals.set((ordinals < 0) | (ordinals >= self.size), None)

    def coordinates(self, ordinal: int) -> tuple[int, ...]:  # noqa: D102
        return (ordinal,)

    def between(self, first: str, last: str) -> PartitionSet | None:  # noqa: D102
        start, stop = ((dt.date.fromisoformat(key) - self.start).days for key in (first, last))
        return PartitionSet.span(start, stop, self.size)

    def run_end(self, ordinal: int) -> int:  # noqa: ARG002, D102
        return self.size - 1

    def column_problem(self, dtype: pl.DataType) -> str | None:  # noqa: D102
        return None if dtype == pl.Date else f"has dtype {dtype}, but daily partitions need a Date column"

    def claim(self, first: int, last: int, column: str | pl.Expr) -> pl.Expr:  # noqa: D102
        value = pl.col(column) if isinstance(column, str) else column
        return (value >= self.start_of(first)) & (value < self.end_of(last))

    def start_of(self, ordinal: int) -> dt.date:
        """Return the first day."""
        return self.date(ordinal)

    def end_of(self, ordinal: int) -> dt.date:
        """Return the day after."""
        return self.date(ordinal + 1)

    def date(self, ordinal: int) -> dt.date:
        """Return the day of one partition."""
        return self.start + dt.timedelta(days=ordinal)

    def __str__(self) -> str:
        if self.end is None:
            return f"days from {self.start}"
        if self.end == self.start:
            return f"days from {self.start}, none of which is over yet"
        return f"days {self.start} to {self.end - dt.timedelta(days=1)}"

    def _set(self, start: dt.date, end: dt.date | None, timezone: str) -> None:
        for name, value in (("start", start), ("end", end), ("timezone", timezone)):
            object.__setattr__(self, name, value)


def _day(value: object, name: str) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError as error:
        raise InvalidDefinition(
            f"DailyPartitions: {name} must be a date such as '2013-01-01', not {value!r}"
        ) from error


def _is_zone(name: object) -> bool:
    try:
        return isinstance(name, str) and bool(ZoneInfo(name).key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


TimePartitions = DailyPartitions
