"""Partitions: how an asset's rows are cut into pieces that are made, checked and replaced one by one.

A definition orders its partitions and gives each an ordinal, from 0. Keys are what people and tables see; everything
that decides works on ordinals.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from deltaworks.errors import InvalidDefinition

WHOLE = ""
"""The key of the single partition of an unpartitioned asset. No definition can have it: an empty key is refused."""

_DAY = "%Y-%m-%d"


class Partitions(Protocol):
    """What every kind of partitions offers. Ordinals outside `range(size)` are the caller's mistake."""

    @property
    def size(self) -> int:
        """How many partitions there are."""
        ...

    @property
    def scheme(self) -> str:
        """What makes a partition mean the same: the kind and its parameters, without start and end."""
        ...

    def until(self, now: dt.datetime) -> Partitions:
        """Return the definition as it stands at `now`: open ends become the last partition that is over."""
        ...

    def key(self, ordinal: int) -> str:
        """Return the key of one partition."""
        ...

    def keys(self, ordinals: pl.Series) -> pl.Series:
        """Return the keys (String) of many ordinals."""
        ...

    def ordinal(self, key: str) -> int | None:
        """Return the ordinal of a key, or none if it is not one of these partitions."""
        ...

    def ordinals(self, keys: pl.Series) -> pl.Series:
        """Return the ordinals (Int64) of many keys; null where a key is not one of these partitions."""
        ...

    def between(self, first: str, last: str) -> range:
        """Return the ordinals from one key to another, both included, cut to this definition.

        Both must be keys of its kind, inside the definition or beyond it.
        """
        ...

    def column_problem(self, dtype: pl.DataType) -> str | None:
        """Say which dtype a partition column must have, if it cannot have this one."""
        ...

    def __str__(self) -> str:
        """Describe the partitions for a message, with first and last key."""
        ...


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
    def size(self) -> int:  # noqa: D102 - see Partitions
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

    def between(self, first: str, last: str) -> range:  # noqa: D102
        start, stop = ((dt.date.fromisoformat(key) - self.start).days for key in (first, last))
        return range(max(0, start), max(0, min(self.size, stop + 1)))

    def column_problem(self, dtype: pl.DataType) -> str | None:  # noqa: D102
        return None if dtype == pl.Date else f"has dtype {dtype}, but daily partitions need a Date column"

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


@dataclass(frozen=True, slots=True)
class Unpartitioned:
    """A single partition that is the whole table."""

    size: int = 1
    scheme: str = "whole"

    def until(self, now: dt.datetime) -> Unpartitioned:  # noqa: ARG002, D102
        return self

    def key(self, ordinal: int) -> str:  # noqa: ARG002, D102
        return WHOLE

    def keys(self, ordinals: pl.Series) -> pl.Series:  # noqa: D102
        return pl.repeat(WHOLE, ordinals.len(), dtype=pl.String, eager=True)

    def ordinal(self, key: str) -> int | None:  # noqa: D102
        return 0 if key == WHOLE else None

    def ordinals(self, keys: pl.Series) -> pl.Series:  # noqa: D102
        ordinals = pl.repeat(0, keys.len(), dtype=pl.Int64, eager=True)
        return ordinals.set(keys.fill_null("null") != WHOLE, None)

    def between(self, first: str, last: str) -> range:  # noqa: ARG002, D102
        return range(1)

    def column_problem(self, dtype: pl.DataType) -> str | None:  # noqa: ARG002, D102
        return None

    def __str__(self) -> str:
        return "the whole table"


@dataclass(frozen=True, slots=True)
class Partition:
    """What one call of an asset's function is asked to make: one partition, or consecutive ones in a range call."""

    partitions: DailyPartitions
    first: int
    last: int

    @property
    def key(self) -> str:
        """The key, where the call makes one partition.

        Raises:
            ValueError: the call makes several; use `keys`, `start` and `end`.
        """
        if self.first != self.last:
            raise ValueError(f"this call makes {self.last - self.first + 1} partitions; use .keys, .start or .end")
        return self.partitions.key(self.first)

    @property
    def keys(self) -> list[str]:
        """The keys of all partitions of the call, ascending."""
        return [self.partitions.key(ordinal) for ordinal in range(self.first, self.last + 1)]

    @property
    def start(self) -> dt.date:
        """The first day."""
        return self.partitions.date(self.first)

    @property
    def end(self) -> dt.date:
        """The day after the last one."""
        return self.partitions.date(self.last + 1)

    def contains(self, column: str | pl.Expr) -> pl.Expr:
        """Return the claim that a Date or Datetime column lies in this call's partitions.

        A Datetime is read by its own clock: `convert_time_zone` an instant to the time zone of the partitions first.
        """
        value = pl.col(column) if isinstance(column, str) else column
        return (value >= self.start) & (value < self.end)


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
