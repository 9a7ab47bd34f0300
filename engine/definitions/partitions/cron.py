"""Cron: times of the wall clock, by minute, hour, day of the month, month and day of the week.

It knows no zone and no instant: a tick is what the clock shows. The five fields mean what crontab(5) says.
"""

from __future__ import annotations

import datetime as dt
import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import polars as pl

from deltaworks.engine.definitions.partitions.clock import DAY, EPOCH, MINUTE
from deltaworks.errors import InvalidDefinition

_ALIASES: Mapping[str, str] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_ANY = ("*", "?", "*/1")
_LONGEST = 1000
_ITEM = re.compile(r"(?P<from>\*|[0-9]{1,2}|[a-z]{3})(-(?P<to>[0-9]{1,2}|[a-z]{3}))?(/(?P<step>[0-9]{1,4}))?")
_NTH = re.compile(r"(?P<day>[0-7]|[a-z]{3})#(?P<nth>[0-9]{1,4})")
_LAST = re.compile(r"l(?P<day>[0-7]|[a-z]{3})")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS),
)


@dataclass(frozen=True, slots=True, init=False)
class Cron:
    """A cron expression of five fields, or one of `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly`.

    A field takes `*`, values, ranges `a-b` (on into the next hour, day, year or week where b is less than a), steps
    `*/n`, `a-b/n` and `a/n` (from a to the end of the field), and lists of these with commas; months and days of the
    week also by their first three English letters, Sunday being 0 and 7. Days of the month take `L`, the last; days of
    the week `5#3`, the third Friday, and `L5`, the last one. Where both kinds of days are restricted, that is not `*`
    or `?`, a day needs to be among either; `#` and `L` for a day of the week ask for no other restriction.
    """

    expression: str
    """In small letters, with single spaces, without aliases."""
    times: tuple[int, ...]
    """The minutes of a day, ascending."""
    months: tuple[int, ...]
    month_days: tuple[int, ...] | None
    """None: not restricted. -1 is the last day."""
    week_days: tuple[tuple[int, int], ...] | None
    """None: not restricted. A day of the week, 0 being Sunday, and which one in the month: 1 to 5, -1 last, 0 each."""

    def __init__(self, expression: str) -> None:
        fields = _split(expression)
        minutes, hours, months = (_values(expression, _FIELDS[at], fields[at]) for at in (0, 1, 3))
        times = tuple(60 * hour + minute for hour in hours for minute in minutes)
        month_days = None if fields[2] in _ANY else _month_days(expression, fields[2])
        week_days = None if fields[4] in _ANY else _week_days(expression, fields[4])
        for name, value in (
            ("expression", " ".join(fields)),
            ("times", times),
            ("months", months),
            ("month_days", month_days),
            ("week_days", week_days),
        ):
            object.__setattr__(self, name, value)
        if month_days is not None and week_days is None and not self._ever():
            _refuse(expression, "never ticks: none of its months has such a day; a last day is L")
        if month_days is not None and any(nth for _, nth in week_days or ()):
            _refuse(expression, "restricts the day of the month beside # or L, which some read as and, some as or")

    def days(self, first: dt.date, last: dt.date) -> pl.Series:
        """Return the days with ticks, from `first` to `last`, both included, ascending (Date)."""
        days = pl.date_range(first, last, interval="1d", eager=True)
        return days.filter(self._ticks_on(days))

    def walls(self, first: dt.date, last: dt.date) -> pl.Series:
        """Return the ticks of the days from `first` to `last`, both included, as walls, ascending (Int64)."""
        days = self.days(first, last).cast(pl.Int32).cast(pl.Int64).alias("day") * DAY
        times = pl.Series("time", self.times, dtype=pl.Int64) * MINUTE
        pairs = days.to_frame().join(times.to_frame(), how="cross", maintain_order="left_right")
        return pairs.select(wall=pl.col("day") + pl.col("time")).to_series()

    def ticks(self, walls: pl.Series) -> pl.Series:
        """Return whether there is a tick at each wall (Int64), as a mask."""
        times = pl.Series(self.times, dtype=pl.Int64).implode()
        is_time = (walls % MINUTE == 0) & (walls % DAY // MINUTE).is_in(times)
        return is_time & self._ticks_on((walls // DAY).cast(pl.Int32).cast(pl.Date))

    def __str__(self) -> str:
        return self.expression

    def _ticks_on(self, days: pl.Series) -> pl.Series:
        """Return whether there are ticks on each day, as a mask."""
        in_month = days.dt.month().is_in(pl.Series(self.months, dtype=pl.Int8).implode())
        number, left = days.dt.day(), days.dt.month_end().dt.day() - days.dt.day()
        masks = list[pl.Series]()
        if self.month_days is not None:
            masks.append(number.is_in(pl.Series(self.month_days, dtype=pl.Int8).implode()))
            if -1 in self.month_days:
                masks.append(left == 0)
        if self.week_days is not None:
            week_day = days.dt.weekday() % 7
            each = [day for day, nth in self.week_days if nth == 0]
            masks.append(week_day.is_in(pl.Series(each, dtype=pl.Int8).implode()))
            for day, nth in self.week_days:
                if nth:
                    masks.append((week_day == day) & (left < 7 if nth == -1 else (number - 1) // 7 == nth - 1))
        if not masks:
            return in_month
        chosen = masks[0]
        for mask in masks[1:]:
            chosen = chosen | mask
        return in_month & chosen

    def _ever(self) -> bool:
        """Whether any month has one of the days; 2000 was a leap year."""
        days = self.month_days or ()
        return any(day <= monthrange(2000, month)[1] for month in self.months for day in days)


def wall_of(day: dt.date) -> int:
    """Return the wall at which a day begins."""
    return (day - EPOCH.date()).days * DAY


def _split(expression: object) -> list[str]:
    if not isinstance(expression, str):
        _refuse(expression, "is no text; write one such as '0 6 * * *'")
    if len(expression) > _LONGEST:
        _refuse(expression, f"has {len(expression)} characters, at most {_LONGEST} make sense")
    text = expression.strip().lower()
    if text.startswith("@") and text not in _ALIASES:
        _refuse(expression, f"is none of {', '.join(_ALIASES)}")
    fields = _ALIASES.get(text, text).split()
    if len(fields) != len(_FIELDS):
        names = ", ".join(each.name for each in _FIELDS)
        given = "one field" if len(fields) == 1 else f"{len(fields)} fields"
        _refuse(expression, f"has {given}, but needs five: {names}; there are none for seconds and years")
    return fields


def _values(expression: str, kind: _Field, text: str) -> tuple[int, ...]:
    """Return the values that a field names, ascending."""
    values = set[int]()
    for item in text.split(","):
        values.update(_item(expression, kind, item, alone=item == text))
    return tuple(sorted(values))


def _item(expression: str, kind: _Field, item: str, *, alone: bool) -> range | list[int]:
    found = _ITEM.fullmatch(item)
    if found is None or (found["from"] == "*" and (found["to"] or not alone)):
        _refuse(expression, f"has {item!r} as its {kind.name}, which must be like *, */2, {_example(kind)}")
    highest = 6 if kind.names is _DAYS else kind.high
    step = int(found["step"] or 1)
    if not 1 <= step <= highest - kind.low + 1:
        _refuse(expression, f"has the step {step} in its {kind.name}, which has {highest - kind.low + 1} values")
    if found["from"] == "*":
        return range(kind.low, highest + 1, step)
    first = _number(expression, kind, found["from"])
    first = 0 if first > highest else first
    if found["to"] is None:
        return range(first, highest + 1, step) if found["step"] else [first]
    last = _number(expression, kind, found["to"])
    if first == last:
        _refuse(expression, f"has the range {item!r} in its {kind.name}, which some read as one value, some as all")
    if first < last:
        return [value % 7 if kind.names is _DAYS else value for value in range(first, last + 1, step)]
    if step > 1:
        _refuse(expression, f"has {item!r} as its {kind.name}, which steps over the end of the field; list the values")
    return [*range(first, highest + 1), *range(kind.low, last + 1)]


def _number(expression: str, kind: _Field, text: str) -> int:
    if text in kind.names:
        return kind.names.index(text) + (1 if kind.names is _MONTHS else 0)
    if not text.isdigit() or not kind.low <= int(text) <= kind.high:
        _refuse(expression, f"has {text!r} in its {kind.name}, which goes from {kind.low} to {kind.high}")
    return int(text)


def _month_days(expression: str, text: str) -> tuple[int, ...]:
    items = text.split(",")
    numbers = ",".join(item for item in items if item != "l")
    last = (-1,) if "l" in items else ()
    return last + (_values(expression, _FIELDS[2], numbers) if numbers or not last else ())


def _week_days(expression: str, text: str) -> tuple[tuple[int, int], ...]:
    kind, days = _FIELDS[4], set[tuple[int, int]]()
    for item in text.split(","):
        nth, last = _NTH.fullmatch(item), _LAST.fullmatch(item)
        if nth is not None:
            if not 1 <= int(nth["nth"]) <= 5:
                _refuse(expression, f"has {item!r} as its day of the week, but a month has a first to a fifth one")
            days.add((_number(expression, kind, nth["day"]) % 7, int(nth["nth"])))
        elif last is not None:
            days.add((_number(expression, kind, last["day"]) % 7, -1))
        else:
            days.update((day, 0) for day in _item(expression, kind, item, alone=item == text))
    return tuple(sorted(days))


def _example(kind: _Field) -> str:
    match kind.name:
        case "month":
            return "1,3, 4-6 or JAN"
        case "day of the month":
            return "1,15, 1-7 or L (the last)"
        case "day of the week":
            return "1,3, 1-5, MON, 5#3 (the third Friday) or L5 (the last Friday)"
        case _:
            return "1,15, 8-18 or 8-18/2"


def _refuse(expression: object, problem: str) -> NoReturn:
    text = repr(expression)
    raise InvalidDefinition(f"cron {text if len(text) <= 80 else f'{text[:77]}...'} {problem}")
