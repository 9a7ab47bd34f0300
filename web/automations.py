"""Automations: finding, starting and stopping schedules, sensors and conditions, as pages and endpoints ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from deltaworks.engine.automation.sensing import Scene
from deltaworks.engine.automation.switching import switch_conditions, switch_schedule, switch_sensor
from deltaworks.engine.definitions.automation.schedule import Schedule
from deltaworks.engine.definitions.automation.sensor import Sensor
from deltaworks.engine.documents.automations import automated, schedules_json, sensors_json
from deltaworks.errors import RequestError, UnknownAutomation, did_you_mean
from deltaworks.io.switches import read_switches
from deltaworks.web.launching import Launcher
from deltaworks.web.workspace import Sight

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind:
    """Schedules, or sensors: what is done with one is done with the other in the same way."""

    name: str
    find: Callable[[Sight, str], Schedule | Sensor]
    """Returns the one of a name, or refuses the name."""
    turn: Callable[..., None]
    """Starts or stops one, as the command does."""
    names: Callable[[Sight], list[str]]
    tell: Callable[[Sight, Sequence[str]], list[dict[str, Any]]]
    """Returns how those of some names are defined, whether they are on, and when they are asked next, if known."""


def turn_conditions(sight: Sight, asset: str, by: str, *, is_on: bool) -> None:
    """Start or stop the condition of an asset; without one, all conditions of the lake.

    Raises:
        RequestError: no asset of that key has a condition.
    """
    known = automated(sight.project.definitions)
    if asset and asset not in known:
        raise RequestError(f"There is no asset {asset!r} that has a condition.{did_you_mean(asset, known)}")
    key = known[asset].key if asset else None
    switch_conditions(sight.project.store, key, is_on=is_on, by=by, at=sight.at)


def preview(launcher: Launcher, kind: str, name: str) -> dict[str, Any]:
    """Ask a schedule or sensor what it would ask for now; nothing is started or recorded.

    Raises:
        RequestError: its function fails, or has no answer.
    """
    asks = ["--ask"] if kind == "schedule" else []
    return launcher.answer([kind, "preview", *asks, "--", name])


def _found(kind: str, name: str, known: Mapping[str, T]) -> T:
    """Return a schedule or sensor.

    Raises:
        UnknownAutomation: there is none of that name.
    """
    if name not in known:
        raise UnknownAutomation(kind, name, known)
    return known[name]


def _find_schedule(sight: Sight, name: str) -> Schedule:
    return _found("schedule", name, sight.project.definitions.schedules)


def _find_sensor(sight: Sight, name: str) -> Sensor:
    return _found("sensor", name, sight.project.definitions.sensors)


def _turn_schedule(sight: Sight, name: str, by: str, *, is_on: bool) -> None:
    switch_schedule(sight.project.store, _find_schedule(sight, name), is_on=is_on, by=by, at=sight.at)


def _turn_sensor(sight: Sight, name: str, by: str, *, is_on: bool) -> None:
    scene = Scene(sight.project.definitions, sight.project.store, sight.at)
    switch_sensor(scene, _find_sensor(sight, name), is_on=is_on, by=by)


def _told_schedules(sight: Sight, names: Sequence[str]) -> list[dict[str, Any]]:
    found = [_find_schedule(sight, name) for name in names]
    return schedules_json(found, read_switches(sight.project.store), sight.at)


def _told_sensors(sight: Sight, names: Sequence[str]) -> list[dict[str, Any]]:
    return sensors_json([_find_sensor(sight, name) for name in names], read_switches(sight.project.store))


SCHEDULES = Kind(
    "schedule", _find_schedule, _turn_schedule, lambda sight: list(sight.project.definitions.schedules), _told_schedules
)
SENSORS = Kind(
    "sensor", _find_sensor, _turn_sensor, lambda sight: list(sight.project.definitions.sensors), _told_sensors
)
