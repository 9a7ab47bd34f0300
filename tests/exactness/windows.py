"""Windows: stretches of time by the clock of a zone, enumerated one by one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from tests.exactness.project import Keys, Needs, Read


@dataclass(frozen=True)
class Window:
    """A partition of time."""

    key: str
    start: dt.datetime
    """In UTC."""
    end: dt.datetime
    """Itself outside."""


def hours(first: str, count: int, zone: ZoneInfo) -> list[Window]:
    """Return hours from an instant on; in the night in which clocks are put back, one of them comes twice."""
    start = dt.datetime.fromisoformat(first).astimezone(dt.UTC)
    return ticks([start + dt.timedelta(hours=number) for number in range(count + 1)], zone)


def ticks(instants: Sequence[dt.datetime], zone: ZoneInfo) -> list[Window]:
    """Return what lies between instants, known by what the clock shows at its start."""
    keys = [instant.astimezone(zone).isoformat(timespec="minutes") for instant in instants]
    utc = [instant.astimezone(dt.UTC) for instant in instants]
    return [Window(*each) for each in zip(keys, utc, utc[1:], strict=False)]


def days(first: str, count: int, zone: ZoneInfo, *, hour: int = 0, each: int = 1) -> list[Window]:
    """Return so many times `each` days that begin at an hour, known by their first day."""
    start = dt.date.fromisoformat(first)
    return between([start + dt.timedelta(days=number * each) for number in range(count + 1)], zone, hour)


def between(starts: Sequence[dt.date], zone: ZoneInfo, hour: int = 0) -> list[Window]:
    """Return what goes from an hour of one day to that of the next in a list."""
    utc = [dt.datetime.combine(day, dt.time(hour), zone).astimezone(dt.UTC) for day in starts]
    return [Window(day.isoformat(), *each) for day, *each in zip(starts, utc, utc[1:], strict=False)]


def by_key(windows: Sequence[Window]) -> Mapping[str, Window]:
    """Return windows by their keys."""
    return {window.key: window for window in windows}


def keys_of(windows: Sequence[Window]) -> tuple[str, ...]:
    """Return the keys of windows."""
    return tuple(window.key for window in windows)


def overlapping(
    here: Sequence[Window],
    asset: str,
    there: Sequence[Window],
    first: int = 0,
    last: int = 0,
    needs: Needs = Needs.EACH,
) -> Read:
    """Read what shares time with a window, and so many more before and after it.

    `there` goes on before and after the partitions of the asset, since offsets are counted there too.
    """
    named = by_key(here)

    def keys(key: str, known: Keys) -> Sequence[str]:
        window = named[key]
        touched = [place for place, each in enumerate(there) if each.start < window.end and each.end > window.start]
        chosen = range(touched[0] + first, touched[-1] + last + 1)
        assert chosen.start >= 0, "all of it is enumerated"
        assert chosen.stop <= len(there), "all of it is enumerated"
        return [there[place].key for place in chosen if there[place].key in known[asset]]

    return Read(asset, keys, needs)
