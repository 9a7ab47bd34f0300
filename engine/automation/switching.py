"""Switching: start and stop schedules, sensors and conditions, and pause all that daemons do.

What is started goes on from now: a schedule does not catch up with what was due while it was stopped, and a sensor that
was never asked begins with what happens from now on.
"""

from __future__ import annotations

import datetime as dt

from deltaworks.engine.automation.conditions.switches import switch_name
from deltaworks.engine.automation.schedule_watch import begin_now
from deltaworks.engine.automation.sensing import Scene
from deltaworks.engine.automation.sensor_cursor import begin_cursor
from deltaworks.engine.definitions.automation.schedule import Schedule
from deltaworks.engine.definitions.automation.sensor import Sensor
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.io.condition_notes import NAME
from deltaworks.io.store import Store
from deltaworks.io.switches import DAEMONS, Switch, read_switch, read_switches, set_switch


def switch_schedule(store: Store, schedule: Schedule, *, is_on: bool, by: str, at: dt.datetime) -> None:
    """Start or stop a schedule.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    if is_on and not read_switches(store).get(schedule.name, schedule.is_on):
        begin_now(store, schedule.name, at)
    set_switch(store, schedule.name, is_on=is_on, by=by, at=at)


def switch_sensor(scene: Scene, sensor: Sensor, *, is_on: bool, by: str) -> None:
    """Start or stop a sensor.

    Raises:
        StorageError: the lake, or what the sensor watches, cannot be read or written.
    """
    if is_on:
        begin_cursor(sensor, scene)
    set_switch(scene.store, sensor.name, is_on=is_on, by=by, at=scene.now)


def switch_conditions(store: Store, asset: AssetKey | None, *, is_on: bool, by: str, at: dt.datetime) -> None:
    """Start or stop the condition of an asset; without an asset, all conditions of the lake at once.

    Raises:
        StorageError: the lake cannot be written.
    """
    set_switch(store, NAME if asset is None else switch_name(asset), is_on=is_on, by=by, at=at)


def pause_daemons(store: Store, *, is_paused: bool, by: str, at: dt.datetime) -> None:
    """Let the daemons of a lake begin nothing until they are resumed; what goes on is not touched.

    It is as if none ran meanwhile: afterwards schedules catch up as each says, sensors go on where they were.

    Raises:
        StorageError: the lake cannot be written.
    """
    set_switch(store, DAEMONS, is_on=not is_paused, by=by, at=at)


def pause_of(store: Store) -> Switch | None:
    """Return who has paused the daemons of a lake, and when; none: they are not paused.

    Raises:
        StorageError: the switch is damaged.
    """
    switch = read_switch(store, DAEMONS)
    return None if switch is None or switch.is_on else switch
