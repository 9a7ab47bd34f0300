"""SensorCursor: from where on a sensor is told, as somebody starts it or sets it by hand."""

from __future__ import annotations

import datetime as dt

from deltaworks.engine.automation.positions import set_versions
from deltaworks.engine.automation.sensing import Scene, cursor_at_end, first_cursor
from deltaworks.engine.definitions.automation.sensor import CommitsOf, FilesOf, FreshnessOf, Sensor
from deltaworks.errors import RequestError, StorageError
from deltaworks.io.marks import Mark, advance_mark, next_id, read_mark
from deltaworks.io.store import Store
from deltaworks.io.ticks import TickEntry, TickKind, TickOutcome, decide_tick, number_id

NOW = "now"
"""What is there now counts as told."""

_MAX_TRIES = 10


def read_cursor(store: Store, sensor: Sensor) -> str | None:
    """Return the cursor that a sensor is asked with next; none: it has none yet.

    Raises:
        StorageError: its mark is damaged.
    """
    mark = read_mark(store, sensor.name, TickKind.SENSOR)
    return None if mark is None else mark.cursor


def begin_cursor(sensor: Sensor, scene: Scene) -> str | None:
    """Let a sensor that was never asked begin here and now, so that nothing of what comes next is missed.

    Returns the cursor that it has now.

    Raises:
        StorageError: what it watches cannot be read, or the lake cannot be written.
    """
    if read_mark(scene.store, sensor.name, TickKind.SENSOR) is None:
        cursor = first_cursor(sensor, scene)
        if cursor is not None:
            advance_mark(scene.store, sensor.name, Mark(number_id(0), cursor))
    return read_cursor(scene.store, sensor)


def set_cursor(sensor: Sensor, scene: Scene, wanted: str, by: str, at: dt.datetime) -> str | None:
    """Set the cursor of a sensor, as one of its ticks, so that no tick of before goes on from the old one.

    Args:
        sensor: the sensor.
        scene: what it looks at.
        wanted: `now`; versions of the tables that it watches; `none`, after which all files are new; or whatever a
            function understands that keeps its own cursor.
        by: who sets it.
        at: when.

    Raises:
        RequestError: the sensor has no such cursor.
        StorageError: what it watches cannot be read, or the lake cannot be written.
    """
    for _ in range(_MAX_TRIES):
        mark = read_mark(scene.store, sensor.name, TickKind.SENSOR)
        cursor = _cursor(sensor, scene, wanted, None if mark is None else mark.cursor)
        now = at.isoformat()
        entry = TickEntry(
            sensor.name,
            TickKind.SENSOR,
            next_id(mark),
            now,
            now,
            TickOutcome.SKIPPED,
            ended_at=now,
            skip_reason=f"its cursor was set by {by}",
            cursor=cursor,
        )
        decided = decide_tick(scene.store, entry)
        advance_mark(scene.store, sensor.name, Mark(decided.tick_id, decided.cursor))
        if decided == entry:
            return cursor
    raise StorageError(
        f"sensor {sensor.name!r} moved on {_MAX_TRIES} times in a row while its cursor was to be set; stop it first by "
        f"`deltaworks sensor stop {sensor.name}`"
    )


def _cursor(sensor: Sensor, scene: Scene, wanted: str, old: str | None) -> str | None:
    match sensor.watches:
        case None:
            return wanted
        case _ if wanted == NOW:
            return cursor_at_end(sensor, scene)
        case CommitsOf(assets=assets):
            return set_versions(f"sensor {sensor.name!r}", [str(key) for key in assets], old, wanted)
        case FilesOf() if wanted == "none":
            return None
        case FreshnessOf() if wanted == "none":
            return None
        case FreshnessOf():
            expected = "'now', to pass over what is late, or 'none', to be told of it"
        case FilesOf():
            expected = "'now', to pass over all files that are there, or 'none', to be told of them all"
        case _:
            expected = "'now', to pass over all runs that have ended"
    raise RequestError(f"The cursor of sensor {sensor.name!r} cannot be set to {wanted!r}: expected {expected}.")
