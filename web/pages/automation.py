"""What makes runs by itself: schedules, sensors and conditions, with their switches, ticks and dry runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from deltaworks.web import urls
from deltaworks.web.automations import (
    find_schedule,
    find_sensor,
    preview,
    turn_conditions,
    turn_schedule,
    turn_sensor,
)
from deltaworks.web.http.asked import PathName, TheActor, TheForm, TheLauncher, TheSight, TheWorkspace, is_on
from deltaworks.web.http.templates import page
from deltaworks.web.views.automation import automation_view, schedule_view, sensor_view

router = APIRouter(include_in_schema=False)

Before = Annotated[str | None, Query(max_length=40)]

_LISTS: Final = frozenset({"/automation", "/schedules", "/sensors"})
"""Where a switch may lead back to."""


@router.get("/automation")
def automation(request: Request, sight: TheSight) -> Response:
    """Show everything that makes runs by itself."""
    return page(request, "automation.html", automation_view(sight, "automation"))


@router.get("/schedules")
def schedules(request: Request, sight: TheSight) -> Response:
    """Show the schedules."""
    return page(request, "automation.html", automation_view(sight, "schedules"))


@router.get("/sensors")
def sensors(request: Request, sight: TheSight) -> Response:
    """Show the sensors."""
    return page(request, "automation.html", automation_view(sight, "sensors"))


@router.get("/schedules/{name}")
def schedule(request: Request, sight: TheSight, name: PathName, before: Before = None) -> Response:
    """Show a schedule."""
    return page(request, "automated.html", schedule_view(sight, find_schedule(sight, name), before, None))


@router.get("/sensors/{name}")
def sensor(request: Request, sight: TheSight, name: PathName, before: Before = None) -> Response:
    """Show a sensor."""
    return page(request, "automated.html", sensor_view(sight, find_sensor(sight, name), before, None))


@router.post("/schedules/{name}/switch")
def switch_schedule(
    workspace: TheWorkspace, sight: TheSight, actor: TheActor, name: PathName, form: TheForm
) -> Response:
    """Start or stop a schedule."""
    turn_schedule(sight, name, actor.name, is_on=is_on(form))
    workspace.look_again()
    return RedirectResponse(_back(form, urls.schedule(name)), 303)


@router.post("/sensors/{name}/switch")
def switch_sensor(workspace: TheWorkspace, sight: TheSight, actor: TheActor, name: PathName, form: TheForm) -> Response:
    """Start or stop a sensor."""
    turn_sensor(sight, name, actor.name, is_on=is_on(form))
    workspace.look_again()
    return RedirectResponse(_back(form, urls.sensor(name)), 303)


@router.post("/automation/switch")
def switch_conditions(workspace: TheWorkspace, sight: TheSight, actor: TheActor, form: TheForm) -> Response:
    """Start or stop the condition of an asset, or all of them."""
    turn_conditions(sight, "".join(form.get("asset", [])), actor.name, is_on=is_on(form))
    workspace.look_again()
    return RedirectResponse("/automation#conditions", 303)


@router.post("/schedules/{name}/preview")
def preview_schedule(request: Request, sight: TheSight, launcher: TheLauncher, name: PathName) -> Response:
    """Show what a schedule would ask for at its next tick; nothing is started."""
    found = find_schedule(sight, name)
    return page(request, "automated.html", schedule_view(sight, found, None, preview(launcher, "schedule", found.name)))


@router.post("/sensors/{name}/preview")
def preview_sensor(request: Request, sight: TheSight, launcher: TheLauncher, name: PathName) -> Response:
    """Show what a sensor would ask for now; nothing is started."""
    found = find_sensor(sight, name)
    return page(request, "automated.html", sensor_view(sight, found, None, preview(launcher, "sensor", found.name)))


def _back(form: Mapping[str, list[str]], otherwise: str) -> str:
    asked = "".join(form.get("back", []))
    return asked if asked in _LISTS else otherwise
