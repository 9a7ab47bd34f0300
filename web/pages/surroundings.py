"""What the project runs in: daemons, settings, code locations and alerts."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from deltaworks.engine.automation.switching import pause_daemons
from deltaworks.engine.workspace.project import load_settings
from deltaworks.web.http.asked import TheActor, TheForm, TheSight, TheWorkspace, is_on
from deltaworks.web.http.templates import page
from deltaworks.web.views.surroundings import alerts_view, daemons_view, locations_view, settings_view

router = APIRouter(include_in_schema=False)


@router.get("/daemon")
def daemon(request: Request, sight: TheSight) -> Response:
    """Show how the daemons are."""
    return page(request, "daemon.html", daemons_view(sight))


@router.post("/daemon/pause")
def pause(workspace: TheWorkspace, sight: TheSight, actor: TheActor, form: TheForm) -> Response:
    """Pause all daemons of the lake, or resume them."""
    pause_daemons(sight.project.store, is_paused=not is_on(form), by=actor.name, at=sight.at)
    workspace.look_again()
    return RedirectResponse("/daemon", 303)


@router.get("/settings")
def settings(request: Request, workspace: TheWorkspace, sight: TheSight) -> Response:
    """Show what is in force, and where it comes from."""
    return page(request, "settings.html", settings_view(sight, load_settings(workspace.origin, workspace.environ)))


@router.get("/alerts")
def alerts(request: Request, workspace: TheWorkspace, sight: TheSight) -> Response:
    """Show who is told of what, and what they were told."""
    return page(request, "alerts.html", alerts_view(sight, load_settings(workspace.origin, workspace.environ)))


@router.get("/locations")
def locations(request: Request, sight: TheSight) -> Response:
    """Show the code locations, and why some are not loaded."""
    return page(request, "locations.html", locations_view(sight))


@router.post("/locations/reload")
def reload(workspace: TheWorkspace) -> Response:
    """Load the project and its code locations anew; daemons on this machine do so, too."""
    workspace.reload_locations()
    return RedirectResponse("/locations", 303)
