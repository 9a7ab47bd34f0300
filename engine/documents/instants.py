"""Instants: points in time as JSON and people see them, always in UTC."""

from __future__ import annotations

import datetime as dt


def instant_json(instant: dt.datetime | str | None) -> str | None:
    """Return an instant, or its ISO text, as ISO text that ends in Z."""
    if instant is None:
        return None
    return _utc(instant).isoformat().replace("+00:00", "Z")


def instant_text(instant: dt.datetime | str) -> str:
    """Return an instant to the second, as a column headed UTC shows it."""
    return _utc(instant).strftime("%Y-%m-%d %H:%M:%S")


def duration_text(duration: dt.timedelta) -> str:
    """Return a duration in its two largest units: `1h 02m`, `3m 20s`, `4.2s`."""
    seconds = max(0.0, duration.total_seconds())
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {seconds:02}s"


def _utc(instant: dt.datetime | str) -> dt.datetime:
    read = dt.datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    return read.astimezone(dt.UTC)
