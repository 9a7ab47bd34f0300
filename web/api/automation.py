"""Automation: schedules, sensors and conditions, whether they are on, their ticks, and what they would ask for."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from deltaworks.engine.documents.automations import conditions_json, schedules_json, sensors_json
from deltaworks.engine.documents.ticks import tick_json
from deltaworks.io.condition_notes import NAME, read_decisions
from deltaworks.io.switches import read_switches
from deltaworks.io.ticks import read_ticks
from deltaworks.web.automations import find_schedule, find_sensor, preview, turn_schedule, turn_sensor
from deltaworks.web.http.asked import PathName, TheActor, TheLauncher, TheSight, TheWorkspace
from deltaworks.web.http.documents import document, paged
from deltaworks.web.workspace import Sight

router = APIRouter(prefix="/api/v1", tags=["automation"])

Limit = Annotated[int, Query(ge=1, le=500, description="How many, at most.")]
After = Annotated[str | None, Query(description="The `next` of the page before.")]
Before = Annotated[str | None, Query(max_length=40, description="Only ticks before this one: `next` of a page.")]


class SwitchBody(BaseModel):
    """Whether something is to be on."""

    model_config = ConfigDict(extra="forbid")

    is_on: bool = Field(description="True starts it, false stops it.")


@router.get("/schedules")
def schedules(request: Request, sight: TheSight, after: After = None, limit: Limit = 100) -> Response:
    """List schedules, as `schedule list --json`."""
    found = schedules_json(sight.project.definitions.schedules.values(), read_switches(sight.project.store), sight.at)
    return document(request, paged(found, "schedules", after, limit, "schedule"))


@router.get("/schedules/{name}")
def schedule(request: Request, sight: TheSight, name: PathName) -> Response:
    """Return a schedule."""
    return document(request, _schedule(sight, name))


@router.patch("/schedules/{name}")
def switch_schedule(
    workspace: TheWorkspace, sight: TheSight, actor: TheActor, name: PathName, body: SwitchBody
) -> dict[str, Any]:
    """Start or stop a schedule, as `schedule start` and `schedule stop`."""
    turn_schedule(sight, name, actor.name, is_on=body.is_on)
    workspace.look_again()
    return _schedule(sight, name)


@router.get("/schedules/{name}/ticks")
def schedule_ticks(
    request: Request, sight: TheSight, name: PathName, before: Before = None, limit: Limit = 20
) -> Response:
    """Return the ticks of a schedule, the latest first, as `schedule ticks --json`."""
    return _ticks(request, sight, find_schedule(sight, name).name, before, limit)


@router.post("/schedules/{name}/preview")
def preview_schedule(sight: TheSight, launcher: TheLauncher, name: PathName) -> dict[str, Any]:
    """Ask a schedule about its next tick, as `schedule preview --ask --json`; nothing is started or recorded."""
    return preview(launcher, "schedule", find_schedule(sight, name).name)


@router.get("/sensors")
def sensors(request: Request, sight: TheSight, after: After = None, limit: Limit = 100) -> Response:
    """List sensors, as `sensor list --json`."""
    found = sensors_json(sight.project.definitions.sensors.values(), read_switches(sight.project.store))
    return document(request, paged(found, "sensors", after, limit, "sensor"))


@router.get("/sensors/{name}")
def sensor(request: Request, sight: TheSight, name: PathName) -> Response:
    """Return a sensor."""
    return document(request, _sensor(sight, name))


@router.patch("/sensors/{name}")
def switch_sensor(
    workspace: TheWorkspace, sight: TheSight, actor: TheActor, name: PathName, body: SwitchBody
) -> dict[str, Any]:
    """Start or stop a sensor, as `sensor start` and `sensor stop`."""
    turn_sensor(sight, name, actor.name, is_on=body.is_on)
    workspace.look_again()
    return _sensor(sight, name)


@router.get("/sensors/{name}/ticks")
def sensor_ticks(
    request: Request, sight: TheSight, name: PathName, before: Before = None, limit: Limit = 20
) -> Response:
    """Return the ticks of a sensor, the latest first, as `sensor ticks --json`."""
    return _ticks(request, sight, find_sensor(sight, name).name, before, limit)


@router.post("/sensors/{name}/preview")
def preview_sensor(sight: TheSight, launcher: TheLauncher, name: PathName) -> dict[str, Any]:
    """Ask a sensor now, as `sensor preview --json`; nothing is started or recorded."""
    return preview(launcher, "sensor", find_sensor(sight, name).name)


@router.get("/conditions")
def conditions(request: Request, sight: TheSight) -> Response:
    """Return the conditions of assets, as `automation list --json`."""
    store = sight.project.store
    found = conditions_json(sight.project.definitions, read_switches(store), read_decisions(store))
    return document(request, found)


@router.get("/conditions/ticks")
def condition_ticks(request: Request, sight: TheSight, before: Before = None, limit: Limit = 20) -> Response:
    """Return the ticks of conditions, the latest first, as `automation ticks --json`."""
    return _ticks(request, sight, NAME, before, limit)


def _schedule(sight: Sight, name: str) -> dict[str, Any]:
    found = schedules_json([find_schedule(sight, name)], read_switches(sight.project.store), sight.at)
    return found[0]


def _sensor(sight: Sight, name: str) -> dict[str, Any]:
    return sensors_json([find_sensor(sight, name)], read_switches(sight.project.store))[0]


def _ticks(request: Request, sight: Sight, name: str, before: str | None, limit: int) -> Response:
    found = read_ticks(sight.project.store, name, limit + 1, before)
    shown = [tick_json(each) for each in found[:limit]]
    return document(request, {"ticks": shown, "next": shown[-1]["tick"] if len(found) > limit else None})
