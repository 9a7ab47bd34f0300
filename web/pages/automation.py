"""What makes runs by itself: schedules, sensors and conditions, with their switches, ticks and dry runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from deltaworks.web import urls
from deltaworks.web.automations import SCHEDULES, SENSORS, Kind, preview, turn_conditions
from deltaworks.web.http.asked import PathName, TheActor, TheForm, TheLauncher, TheSight, TheWorkspace, is_on
from deltaworks.web.http.templates import page
from deltaworks.web.views.automation import automated_view, automation_view

router = APIRouter(include_in_schema=False)

Before = Annotated[str | None, Query(max_length=40)]

_LISTS: Final = frozenset({"/automation", "/schedules", "/sensors"})
"""Where a switch may lead back to."""


@router.get("/automation")
def automation(request: Request, sight: TheSight) -> Response:
    """Show everything that makes runs by itself."""
    return page(request, "automation.html", automation_view(sight, "automation"))


def _add(kind: Kind) -> None:
    """Add the pages of schedules, or of sensors."""
    every = f"/{kind.name}s"
    one = f"{every}/{{name}}"

    def listed(request: Request, sight: TheSight) -> Response:
        return page(request, "automation.html", automation_view(sight, f"{kind.name}s"))

    def told(request: Request, sight: TheSight, name: PathName, before: Before = None) -> Response:
        return page(request, "automated.html", automated_view(sight, kind.find(sight, name), before))

    def switched(workspace: TheWorkspace, sight: TheSight, actor: TheActor, name: PathName, form: TheForm) -> Response:
        kind.turn(sight, name, actor.name, is_on=is_on(form))
        workspace.look_again()
        return RedirectResponse(_back(form, urls.automated(kind.name, name)), 303)

    def previewed(request: Request, sight: TheSight, launcher: TheLauncher, name: PathName) -> Response:
        found = kind.find(sight, name)
        asked = preview(launcher, kind.name, found.name)
        return page(request, "automated.html", automated_view(sight, found, None, asked))

    router.add_api_route(every, listed)
    router.add_api_route(one, told)
    router.add_api_route(f"{one}/switch", switched, methods=["POST"])
    router.add_api_route(f"{one}/preview", previewed, methods=["POST"])


_add(SCHEDULES)
_add(SENSORS)


@router.post("/automation/switch")
def switch_conditions(workspace: TheWorkspace, sight: TheSight, actor: TheActor, form: TheForm) -> Response:
    """Start or stop the condition of an asset, or all of them."""
    turn_conditions(sight, "".join(form.get("asset", [])), actor.name, is_on=is_on(form))
    workspace.look_again()
    return RedirectResponse("/automation#conditions", 303)


def _back(form: Mapping[str, list[str]], otherwise: str) -> str:
    asked = "".join(form.get("back", []))
    return asked if asked in _LISTS else otherwise
