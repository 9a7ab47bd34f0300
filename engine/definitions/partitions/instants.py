"""Instants as text: the keys of partitions that begin within a day, and what people write for a time.

A key is the wall clock and its offset from UTC, in minutes: `2013-11-03T01:00-04:00`, or with `Z` where the zone is
UTC. It is read with any offset.
"""

from __future__ import annotations

import datetime as dt
import re

import polars as pl

from deltaworks.engine.definitions.partitions.clock import EPOCH, MINUTE, Clock

_WALL = "%Y-%m-%dT%H:%M"
_WALL_LENGTH = 16
_WALL_PATTERN = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}$"
_OFFSET = re.compile(r"(?::00(?:\.0{1,9})?)?(?:Z|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))")
_EPOCH_UTC = EPOCH.replace(tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def write_instant(instant: int, clock: Clock) -> str:
    """Return the key of an instant; its wall and offset must be whole minutes."""
    wall = EPOCH + dt.timedelta(microseconds=clock.wall(instant))
    return wall.isoformat(timespec="minutes") + _written(clock.offset(instant), clock)


def write_instants(instants: pl.Series, clock: Clock) -> pl.Series:
    """Return the keys of many instants (Int64)."""
    offsets = clock.offsets_at(instants)
    walls = (instants + offsets).cast(pl.Datetime("us")).dt.to_string(_WALL)
    if not clock.is_changed:
        return walls + _written(clock.offsets[0], clock)
    written = {offset: _written(offset, clock) for offset in clock.offsets}
    return walls + offsets.replace_strict(list(written), list(written.values()), return_dtype=pl.String)


def read_instant(key: str) -> int | None:
    """Return the instant of a key, none if it is not written as keys are."""
    offset = _read_offset(key[_WALL_LENGTH:])
    if offset is None or re.match(_WALL_PATTERN, key[:_WALL_LENGTH]) is None:
        return None
    try:
        return wall_at(dt.datetime.fromisoformat(key[:_WALL_LENGTH])) - offset
    except ValueError:
        return None


def read_instants(keys: pl.Series) -> pl.Series:
    """Return the instants (Int64) of many keys; null for those that are not written as keys are."""
    texts = keys.cast(pl.String).alias("")
    walls, rest = texts.str.slice(0, _WALL_LENGTH), texts.str.slice(_WALL_LENGTH)
    kinds = rest.unique().drop_nulls()
    offsets = rest.replace_strict(
        kinds,
        pl.Series([_read_offset(kind) for kind in kinds], dtype=pl.Int64),
        default=None,
        return_dtype=pl.Int64,
    )
    times = walls.str.to_datetime(_WALL, time_unit="us", strict=False).cast(pl.Int64)
    return (times - offsets).set(~walls.str.contains(_WALL_PATTERN), None)


def read_time(text: str) -> dt.date | dt.datetime | None:
    """Return the day or the time that an ISO text names, none if it names neither."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None


def instant_of(time: dt.date, clock: Clock) -> int:
    """Return the instant at which a day begins, or of a datetime; without a zone it is what the clock shows."""
    if not isinstance(time, dt.datetime):
        return clock.instant(wall_at(dt.datetime(time.year, time.month, time.day)))  # noqa: DTZ001 - a wall
    if time.tzinfo is None:
        return clock.instant(wall_at(time))
    return (time - _EPOCH_UTC) // _MICROSECOND


def wall_at(time: dt.datetime) -> int:
    """Return what a datetime without a zone shows, in microseconds since 1970."""
    return (time - EPOCH) // _MICROSECOND


def write_bound(instant: int, clock: Clock) -> str:
    """Return an instant as an author would write it: a day if one begins then, else what the clock shows."""
    time = EPOCH + dt.timedelta(microseconds=clock.wall(instant))
    if clock.instant(wall_at(time.replace(hour=0, minute=0, second=0, microsecond=0))) == instant:
        return time.date().isoformat()
    if clock.instant(wall_at(time)) == instant:
        return _shortest(time.isoformat())
    return clock.moment(instant).isoformat()


def is_whole(instant: int, clock: Clock) -> bool:
    """Whether the key of an instant tells it: its wall and its offset have no seconds."""
    return clock.offset(instant) % MINUTE == 0 and instant % MINUTE == 0


def _shortest(text: str) -> str:
    return text.removesuffix(":00") if text.count(":") == 2 else text


def _written(offset: int, clock: Clock) -> str:
    if clock.zone.key == "UTC":
        return "Z"
    minutes = abs(offset) // MINUTE
    return f"{'-' if offset < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"


def _read_offset(text: str) -> int | None:
    found = _OFFSET.fullmatch(text)
    if found is None:
        return None
    sign, hours, minutes = found.groups()
    return 0 if sign is None else (int(hours) * 60 + int(minutes)) * MINUTE * (-1 if sign == "-" else 1)
