"""The routes of the app, as it has them itself: a test that goes over them goes over those that come, too."""

import datetime as dt
import os

from starlette.routing import Route

from deltaworks.engine.workspace.project import Origin
from deltaworks.web.app import inner_app
from deltaworks.web.http.roles import Auth
from deltaworks.web.workspace import Workspace


def routes_of(origin: Origin) -> list[Route]:
    """Every route."""
    return inner_app(Workspace(origin, os.environ, lambda: dt.datetime.now(dt.UTC)), Auth()).state.routes


def pages_of(origin: Origin) -> list[str]:
    """The patterns of all pages, that is what people look at; streams go on for ever and are none."""
    return [
        route.path
        for route in routes_of(origin)
        if "GET" in route.methods
        and not route.path.startswith(("/api/", "/health/", "/static/"))
        and "/events" not in route.path
    ]
