"""Surroundings: how daemons are, what is in force, and which code locations there are."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from deltaworks.engine.automation.switching import pause_daemons, pause_of
from deltaworks.engine.documents.alerts import message_json
from deltaworks.engine.documents.daemons import daemons_json
from deltaworks.engine.documents.locations import locations_json
from deltaworks.engine.documents.settings import settings_json
from deltaworks.engine.workspace.project import load_settings
from deltaworks.io.alerts import deliveries
from deltaworks.io.heartbeats import read_heartbeats
from deltaworks.web.http.asked import TheActor, TheSight, TheWorkspace
from deltaworks.web.http.documents import document
from deltaworks.web.workspace import Sight

router = APIRouter(prefix="/api/v1", tags=["surroundings"])


class PauseBody(BaseModel):
    """Whether daemons are to be paused."""

    model_config = ConfigDict(extra="forbid")

    paused: bool = Field(description="True: daemons begin nothing until they are resumed.")


@router.get("/daemon")
def daemon(request: Request, sight: TheSight) -> Response:
    """List daemons, the latest first, as `daemon --status --json`."""
    return document(request, _daemons(sight))


@router.patch("/daemon")
def pause(workspace: TheWorkspace, sight: TheSight, actor: TheActor, body: PauseBody) -> dict[str, Any]:
    """Pause all daemons of the lake or resume them, as `daemon --pause` and `daemon --resume`."""
    pause_daemons(sight.project.store, is_paused=body.paused, by=actor.name, at=sight.at)
    workspace.look_again()
    return _daemons(sight)


def _daemons(sight: Sight) -> dict[str, Any]:
    store = sight.project.store
    return daemons_json(read_heartbeats(store), pause_of(store), sight.at)


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
