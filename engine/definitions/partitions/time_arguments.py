"""What authors write to define partitions of time: read, checked, and as instants."""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from deltaworks.engine.definitions.partitions.cadence import Cadence
from deltaworks.engine.definitions.partitions.clock import DAY, FIRST_WALL, LAST_WALL, SECOND, clock_of
from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.engine.definitions.partitions.instants import instant_of, is_whole, read_time, write_bound
from deltaworks.engine.definitions.partitions.timeline import Exclusion, build, too_many
from deltaworks.errors import InvalidDefinition, did_you_mean

Time: TypeAlias = str | dt.date
"""An ISO date or datetime, also as text; without an offset from UTC it is what the clock of the zone shows."""

Values: TypeAlias = tuple[Cadence, str, int, int | None, int, tuple[Exclusion, ...]]
"""Cadence, zone, first instant, last instant if any, end offset, exclusions."""

_MOST_MORE = 10_000
_WHOLE_MINUTES_FROM = (dt.date(1972, 1, 8) - dt.date(1970, 1, 1)).days * DAY
"""From 1972-01-07 on, when Liberia was the last to change, the clocks of all zones are whole minutes from UTC."""


@contextmanager
def named(kind: str) -> Generator[None]:
    """Say in a refusal which kind of partitions it is about."""
    try:
        yield
    except InvalidDefinition as error:
        raise InvalidDefinition(f"{kind}: {error.reason}") from error.__cause__


def whole_number(kind: str, name: str, value: object, low: int, high: int) -> int:
    """Return a number of an author's.

    Raises:
        InvalidDefinition: it is not whole, or out of bounds.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidDefinition(f"{kind}: {name} must be a whole number from {low} to {high}, not {value!r}")
    return value


def read_arguments(
    cadence: Cadence, start: object, end: object, timezone: object, end_offset: object, exclusions: object
) -> Values:
    """Read what the kinds of partitions of time have in common.

    Raises:
        InvalidDefinition: it makes no definition.
    """
    zone = read_zone(timezone)
    first, stop = _instant(start, "start", zone), None if end is None else _instant(end, "end", zone)
    if stop is not None and stop <= first:
        raise InvalidDefinition(_not_after(cadence, first, stop, zone))
    if not isinstance(end_offset, int) or isinstance(end_offset, bool) or abs(end_offset) > _MOST_MORE:
        raise InvalidDefinition(
            f"end_offset must be a whole number of partitions from -{_MOST_MORE} to {_MOST_MORE}, not {end_offset!r}"
        )
    if end_offset and stop is not None:
        raise InvalidDefinition(
            f"end_offset={end_offset} moves an end that grows with the time, so it does not go with end={end!r}"
        )
    excluded = _exclusions(exclusions, zone)
    refuse_too_many(cadence, zone, first, first if stop is None else stop)
    if cadence.is_clock and first < _WHOLE_MINUTES_FROM:
        _refuse_seconds(cadence, zone, first, _WHOLE_MINUTES_FROM if stop is None else stop, excluded)
    return cadence, zone, first, stop, end_offset, excluded


def refuse_too_many(cadence: Cadence, zone: str, first: int, last: int) -> None:
    """Refuse to cut a stretch of time into so many windows that columns of them would not fit.

    Raises:
        InvalidDefinition: there are too many.
    """
    problem = too_many(cadence, first, last)
    if problem:
        clock = clock_of(zone, first, last)
        raise InvalidDefinition(f"from {write_bound(first, clock)} to {write_bound(last, clock)} {problem}")


def read_zone(name: object) -> str:
    """Return the name of a time zone.

    Raises:
        InvalidDefinition: there is none of that name.
    """
    try:
        if isinstance(name, str) and ZoneInfo(name).key:
            return name
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    hint = did_you_mean(name, available_timezones(), "") if isinstance(name, str) else ""
    raise InvalidDefinition(f"there is no time zone {name!r}.{hint}".rstrip("."))


def _instant(value: object, name: str, zone: str) -> int:
    time = read_time(value) if isinstance(value, str) else value
    if not isinstance(time, dt.date):
        raise InvalidDefinition(f"{name} must be a date such as '2013-01-01' or a datetime, not {value!r}")
    around = (dt.date(time.year, time.month, time.day) - dt.date(1970, 1, 1)).days * DAY
    clock = clock_of(zone, around - 2 * DAY, around + 2 * DAY)
    instant = instant_of(time, clock)
    if not FIRST_WALL <= clock.wall(instant) <= LAST_WALL:
        raise InvalidDefinition(f"{name}={value!r} does not lie in the years 1 to 9999 of {zone}")
    return instant


def _not_after(cadence: Cadence, first: int, stop: int, zone: str) -> str:
    clock = clock_of(zone, min(first, stop), max(first, stop))
    start, end = write_bound(first, clock), write_bound(stop, clock)
    problem = f"end {end} is not after start {start}; end is exclusive"
    if cadence.kind != "daily" or not cadence.is_midnight or len(start) != len("2013-01-01") or start == "9999-12-31":
        return problem
    day_after = dt.date.fromisoformat(start) + dt.timedelta(days=1)
    return f"{problem}, so one day is start={start!r}, end={day_after.isoformat()!r}"


def _exclusions(given: Any, zone: str) -> tuple[Exclusion, ...]:
    refusal = f"exclusions must be a list of dates, datetimes or cron expressions, not {given!r}"
    if isinstance(given, str):
        raise InvalidDefinition(refusal)
    try:
        items: list[Any] = list(given)
    except TypeError:
        raise InvalidDefinition(refusal) from None
    days, instants, crons = set[dt.date](), set[int](), dict[str, Cron]()
    for each in items:
        time = read_time(each) if isinstance(each, str) else each
        if isinstance(time, dt.datetime):
            instants.add(_instant(time, "exclusions", zone))
        elif isinstance(time, dt.date):
            days.add(time)
        else:
            cron = _cron(each)
            crons[str(cron)] = cron
    return (*sorted(days), *sorted(instants), *(crons[name] for name in sorted(crons)))


def _cron(given: Any) -> Cron:
    try:
        return Cron(given)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"exclusions has {given!r}, which is no date, and {error.reason}") from None


def _refuse_seconds(cadence: Cadence, zone: str, first: int, last: int, exclusions: tuple[Exclusion, ...]) -> None:
    """Refuse windows whose start a key cannot tell."""
    last = min(last, _WHOLE_MINUTES_FROM + 2 * cadence.usual_us)
    clock = clock_of(zone, first, last)
    if all(offset % (60 * SECOND) == 0 for offset in clock.offsets):
        return
    timeline = build(cadence, zone, first, last, exclusions)
    for instant in timeline.starts:
        if not is_whole(instant, timeline.clock):
            raise InvalidDefinition(
                f"{timeline.clock.moment(instant).isoformat()} would begin a partition, but then the clock of {zone} "
                f"was not whole minutes from UTC, which no key can tell; start later, or use timezone='UTC'"
            )
