"""Windows of time as the documentation has them, one by one in plain Python, slowly, with nothing shared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

# fmt: off
ZONES = [
    "Africa/Abidjan", "Africa/Cairo", "Africa/Casablanca", "Africa/Johannesburg", "Africa/Khartoum",
    "Africa/Sao_Tome", "America/Adak", "America/Anchorage", "America/Argentina/Buenos_Aires", "America/Asuncion",
    "America/Bogota", "America/Caracas", "America/Chicago", "America/Denver", "America/Godthab", "America/Halifax",
    "America/Havana", "America/Los_Angeles", "America/Mexico_City", "America/New_York", "America/Noronha",
    "America/Santiago", "America/Sao_Paulo", "America/Scoresbysund", "America/St_Johns", "Antarctica/Casey",
    "Antarctica/Macquarie", "Antarctica/Troll", "Asia/Amman", "Asia/Beirut", "Asia/Colombo", "Asia/Dhaka",
    "Asia/Gaza", "Asia/Hong_Kong", "Asia/Kabul", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Pyongyang", "Asia/Tehran",
    "Asia/Tokyo", "Asia/Yangon", "Atlantic/Azores", "Australia/Adelaide", "Australia/Eucla", "Australia/Lord_Howe",
    "Australia/Sydney", "Europe/Berlin", "Europe/Dublin", "Europe/Istanbul", "Europe/London", "Europe/Moscow",
    "Europe/Volgograd", "Pacific/Apia", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Fiji", "Pacific/Honolulu",
    "Pacific/Kiritimati", "Pacific/Marquesas", "Pacific/Tongatapu", "UTC",
]
# fmt: on

WALLS = st.datetimes(dt.datetime(1973, 1, 1), dt.datetime(2036, 1, 1))  # noqa: DTZ001 - what a clock shows

Boundary = tuple[dt.datetime, dt.datetime]
"""The instant (in UTC) at which a window begins, and what the clock shows or should show."""

_MINUTE = dt.timedelta(minutes=1)


def first_instant(wall: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return the first instant at which the clock shows a wall, or for a skipped one the first after the gap."""
    earlier = wall.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)
    if _shown(earlier, zone) == wall:
        return earlier
    instant = wall.replace(tzinfo=zone, fold=1).astimezone(dt.UTC)
    while _shown(instant, zone) < wall:
        instant += _MINUTE
    return instant


def second_instant(wall: dt.datetime, zone: ZoneInfo) -> dt.datetime | None:
    """Return the second instant at which the clock shows a wall, if there is one."""
    later = wall.replace(tzinfo=zone, fold=1).astimezone(dt.UTC)
    return later if _shown(later, zone) == wall and later != first_instant(wall, zone) else None


def hours(minute: int, first: dt.date, last: dt.date, zone: ZoneInfo) -> list[Boundary]:
    found = dict[dt.datetime, dt.datetime]()
    wall = dt.datetime.combine(first, dt.time(0, minute))
    while wall.date() <= last:
        found[first_instant(wall, zone)] = wall
        again = second_instant(wall, zone)
        if again is not None:
            found[again] = wall
        wall += dt.timedelta(hours=1)
    return sorted(found.items())


def days(
    is_boundary: Callable[[dt.date], bool], time: dt.time, first: dt.date, last: dt.date, zone: ZoneInfo
) -> list[Boundary]:
    found = dict[dt.datetime, dt.datetime]()
    for day in _days(first, last):
        if is_boundary(day):
            wall = dt.datetime.combine(day, time)
            found[first_instant(wall, zone)] = wall
    return sorted(found.items())


def windows(boundaries: list[Boundary], start: dt.datetime, end: dt.datetime) -> list[tuple[Boundary, Boundary]]:
    """Return the whole windows between two instants."""
    inside = [boundary for boundary in boundaries if start <= boundary[0] <= end]
    return list(pairwise(inside))


def _days(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    for number in range((last - first).days + 1):
        yield first + dt.timedelta(days=number)


def _shown(instant: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)
