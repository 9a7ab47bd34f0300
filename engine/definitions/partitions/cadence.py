"""Cadence: at which times of the wall clock windows of time begin.

It knows no zone: what a wall means where the clock is changed, the timeline decides.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import polars as pl

from deltaworks.engine.definitions.partitions.clock import DAY, EPOCH, FIRST_WALL, HOUR, LAST_WALL, MINUTE
from deltaworks.engine.definitions.partitions.cron import Cron, wall_of

_SUNDAY = 3 * DAY
"""1970-01-04."""


class Cadence(Protocol):
    """When windows begin, by the wall clock. A value."""

    @property
    def kind(self) -> str:
        """One word: hourly, daily, weekly, monthly or cron."""
        ...

    @property
    def noun(self) -> str:
        """What its windows are called in a message, in the plural."""
        ...

    @property
    def meaning(self) -> str:
        """What makes it differ from the plain kind, for the scheme; empty for the plain one."""
        ...

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments of the kind's constructor that differ from their defaults."""
        ...

    @property
    def is_clock(self) -> bool:
        """Whether a window is known by its instant, else by its day."""
        ...

    @property
    def is_midnight(self) -> bool:
        """Whether every window begins at midnight and is known by its day."""
        ...

    @property
    def begins_twice(self) -> bool:
        """Whether a wall that the clock shows twice begins a window both times, else only the first time."""
        ...

    @property
    def usual_us(self) -> int:
        """How long a window usually is, in microseconds."""
        ...

    def walls(self, first: int, last: int) -> pl.Series:
        """Return the walls from `first` to `last` at which windows begin, ascending (Int64), maybe some beyond."""
        ...


@dataclass(frozen=True, slots=True)
class Steps:
    """Windows of so many hours or days each, counted through."""

    kind: str
    noun: str
    meaning: str
    usual_us: int
    phase_us: int
    """A wall at which one begins."""
    is_clock: bool = False
    named_arguments: tuple[tuple[str, int], ...] = ()

    @property
    def arguments(self) -> Mapping[str, Any]:  # noqa: D102 - see Cadence
        return dict(self.named_arguments)

    @property
    def is_midnight(self) -> bool:  # noqa: D102
        return self.usual_us >= DAY and self.phase_us % DAY == 0

    @property
    def begins_twice(self) -> bool:  # noqa: D102
        return self.is_clock

    def walls(self, first: int, last: int) -> pl.Series:  # noqa: D102
        before = (first - self.phase_us) // self.usual_us
        after = (last - self.phase_us) // self.usual_us
        return pl.int_range(before, after + 1, eager=True) * self.usual_us + self.phase_us


@dataclass(frozen=True, slots=True)
class Months:
    """Windows of a month each, from the same day of each month."""

    day: int
    """1 to 28."""
    shift_us: int
    """How long after midnight of that day."""
    meaning: str
    named_arguments: tuple[tuple[str, int], ...] = ()
    kind: str = "monthly"
    noun: str = "months"
    usual_us: int = 31 * DAY
    is_clock: bool = False
    begins_twice: bool = False

    @property
    def arguments(self) -> Mapping[str, Any]:  # noqa: D102 - see Cadence
        return dict(self.named_arguments)

    @property
    def is_midnight(self) -> bool:  # noqa: D102
        return self.shift_us == 0

    def walls(self, first: int, last: int) -> pl.Series:  # noqa: D102
        start, end = _day(first).replace(day=1), _day(last)
        days = pl.date_range(start, end, interval="1mo", eager=True).cast(pl.Int32).cast(pl.Int64)
        return (days + (self.day - 1)) * DAY + self.shift_us


@dataclass(frozen=True, slots=True)
class Ticks:
    """Windows from one tick of a cron expression to the next."""

    cron: Cron
    kind: str = "cron"
    is_clock: bool = True
    is_midnight: bool = False
    begins_twice: bool = False

    @property
    def usual_us(self) -> int:  # noqa: D102 - see Cadence
        return _usual(self.cron)

    @property
    def noun(self) -> str:  # noqa: D102
        return f"windows of cron '{self.cron}'"

    @property
    def meaning(self) -> str:  # noqa: D102
        return str(self.cron)

    @property
    def arguments(self) -> Mapping[str, Any]:  # noqa: D102
        return {"cron": str(self.cron)}

    def walls(self, first: int, last: int) -> pl.Series:  # noqa: D102
        return self.cron.walls(_day(first), _day(last))


def hours(minute: int) -> Steps:
    """Return windows of an hour, from a minute of each hour."""
    meaning = f":{minute:02}" if minute else ""
    return Steps("hourly", "hours", meaning, HOUR, minute * MINUTE, True, _given(minute_offset=minute))


def days(minute: int, hour: int) -> Steps:
    """Return windows of a day, from a time of each day."""
    arguments = _given(minute_offset=minute, hour_offset=hour)
    return Steps("daily", "days", _time(minute, hour), DAY, hour * HOUR + minute * MINUTE, False, arguments)


def weeks(minute: int, hour: int, day: int) -> Steps:
    """Return windows of a week, from a time of a day of the week, 0 being Sunday."""
    name = ("", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")[day]
    phase = _SUNDAY + day * DAY + hour * HOUR + minute * MINUTE
    arguments = _given(minute_offset=minute, hour_offset=hour, day_offset=day)
    return Steps("weekly", "weeks", f"{name} {_time(minute, hour)}".strip(), 7 * DAY, phase, False, arguments)


def months(minute: int, hour: int, day: int) -> Months:
    """Return windows of a month, from a time of a day of each month."""
    meaning = f"{f'day {day}' if day != 1 else ''} {_time(minute, hour)}".strip()
    arguments = _given(minute_offset=minute, hour_offset=hour) + (() if day == 1 else (("day_offset", day),))
    return Months(day, hour * HOUR + minute * MINUTE, meaning, arguments)


@lru_cache(maxsize=256)
def _usual(cron: Cron) -> int:
    """Return how long it is from tick to tick on the average of 28 years, after which the days of the week repeat."""
    first, last = dt.date(2000, 1, 1), dt.date(2027, 12, 31)
    return (wall_of(last) - wall_of(first)) // (max(1, cron.days(first, last).len()) * len(cron.times))


def _time(minute: int, hour: int) -> str:
    return f"{hour:02}:{minute:02}" if hour or minute else ""


def _given(**arguments: int) -> tuple[tuple[str, int], ...]:
    return tuple((name, value) for name, value in arguments.items() if value)


def _day(wall: int) -> dt.date:
    return (EPOCH + dt.timedelta(microseconds=min(max(wall, FIRST_WALL), LAST_WALL))).date()
