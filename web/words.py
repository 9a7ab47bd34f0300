"""Words: numbers, sizes, times and durations as pages show them."""

from __future__ import annotations

import datetime as dt

THIN = "\N{NARROW NO-BREAK SPACE}"
"""Between thousands, and before a unit."""

_NOTHING = "\N{EN DASH}"


def number(value: float | None) -> str:
    """Return a number with its thousands apart."""
    return _NOTHING if value is None else f"{value:,}".replace(",", THIN)


def plural(count: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number(count)} {noun}" if count == 1 else f"{number(count)} {noun}s"


def size(size_bytes: float | None) -> str:
    """Return a size in the unit that people read it in."""
    if size_bytes is None:
        return _NOTHING
    unit = "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size_bytes < 999.95:
            break
        size_bytes, unit = size_bytes / 1000, larger
    return f"{size_bytes:.0f}{THIN}B" if unit == "B" else f"{size_bytes:.1f}{THIN}{unit}"


def duration(seconds: float | None) -> str:
    """Return a duration in its two largest units: `12.3 s`, `3 min 20 s`, `1 h 2 min`, `3 d 4 h`."""
    if seconds is None:
        return _NOTHING
    seconds = max(0.0, seconds)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}{THIN}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}{THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next(place for place, (count, _) in enumerate(units) if count)
    return " ".join(f"{count}{THIN}{unit}" for count, unit in units[first : first + 2] if count)


def instant(at: dt.datetime | None) -> str:
    """Return an instant to the minute, in UTC, with its year only where that is not the running one."""
    if at is None:
        return _NOTHING
    at = at.astimezone(dt.UTC)
    same_year = at.year == dt.datetime.now(dt.UTC).year
    return f"{at:%b} {at.day}, {at:%H:%M}" if same_year else f"{at:%b} {at.day} {at.year}, {at:%H:%M}"


def clock(at: dt.datetime) -> str:
    """Return what a clock of UTC shows at an instant."""
    return f"{at.astimezone(dt.UTC):%H:%M}"


def ago(at: dt.datetime | None, now: dt.datetime) -> str:
    """Return how long ago an instant was, in its largest unit."""
    if at is None:
        return _NOTHING
    seconds = (now - at).total_seconds()
    told, seconds = ("in {}", -seconds) if seconds < 0 else ("{} ago", seconds)
    if seconds < 1:
        return "now"
    for unit, length_s in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length_s:
            return told.format(f"{seconds // length_s:.0f}{THIN}{unit}")
    return told.format(f"{seconds:.0f}{THIN}s")
