"""Surroundings: how daemons are, what is in force, and which code locations there are."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from deltaworks.engine.documents.alerts import message_json
from deltaworks.engine.documents.daemons import daemon_json
from deltaworks.engine.documents.locations import locations_json
from deltaworks.engine.documents.settings import settings_json
from deltaworks.engine.workspace.project import load_settings
from deltaworks.io.alerts import deliveries
from deltaworks.io.heartbeats import read_heartbeats
from deltaworks.web.http.asked import TheSight, TheWorkspace
from deltaworks.web.http.documents import document

router = APIRouter(prefix="/api/v1", tags=["surroundings"])


@router.get("/daemon")
def daemon(request: Request, sight: TheSight) -> Response:
    """List daemons, the latest first, as `daemon --status --json`."""
    beats = read_heartbeats(sight.project.store)
    return document(request, {"daemons": [daemon_json(beat, sight.at) for beat in beats]})


@router.get("/settings")
def settings(request: Request, workspace: TheWorkspace) -> Response:
    """Return what is in force and where it comes from, as `settings --json`; secrets are masked."""
    return document(request, settings_json(load_settings(workspace.origin, workspace.environ)))


@router.get("/locations")
def locations(request: Request, sight: TheSight) -> Response:
    """Return the code locations, and what is wrong with them."""
    return document(request, locations_json(sight.project))


@router.get("/alerts")
def alerts(request: Request, sight: TheSight) -> Response:
    """Return the messages to people that are kept, the latest first."""
    found = [message_json(each) for each in deliveries(sight.project.store)]
    return document(request, {"messages": found[::-1]})
