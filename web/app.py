"""App: every page and endpoint behind the doors, for one workspace."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp

from deltaworks.web import api, pages
from deltaworks.web.http import static
from deltaworks.web.http.audit import Audit
from deltaworks.web.http.doors import Doors
from deltaworks.web.http.idempotency import Answered
from deltaworks.web.http.live import LINES, Streams
from deltaworks.web.http.problems import add_problems
from deltaworks.web.http.roles import Auth
from deltaworks.web.http.turns import Turns
from deltaworks.web.launching import Launcher
from deltaworks.web.previews import Previews
from deltaworks.web.workspace import Workspace


def create_app(workspace: Workspace, auth: Auth) -> ASGIApp:
    """Return the app, ready to be served.

    Args:
        workspace: what it shows; it is loaded by the first request that needs it.
        auth: who may do what.
    """
    # What is compressed is kept until there is enough of it: streams are sent as they are.
    plain = (*DEFAULT_EXCLUDED_CONTENT_TYPES, LINES.media_type)
    app = GZipMiddleware(inner_app(workspace, auth), minimum_size=1000, compresslevel=6, exclude_content_types=plain)
    return Doors(app, auth)


def inner_app(workspace: Workspace, auth: Auth) -> FastAPI:
    """Return the app without its doors, for those who list its routes."""
    app = FastAPI(
        title="deltaworks",
        version="1",
        summary="See everything, launch anything, understand why.",
        docs_url=None,  # they would be loaded from another host
        redoc_url=None,
        openapi_url=None,  # served with a tag, like every document
        lifespan=_lifespan,
        telemetry={"tracing": False},
    )
    app.state.workspace, app.state.auth = workspace, auth
    app.state.launcher = Launcher(workspace.origin, workspace.environ)
    app.state.previews = Previews()
    app.state.answered, app.state.streams, app.state.turns = Answered(), Streams(), Turns()
    add_problems(app)
    app.add_middleware(Audit, workspace=workspace)
    static_route = Route("/static/{version}/{name:path}", static.static_file, name="static")
    app.router.routes.append(static_route)
    routers = (*api.routers(), *pages.routers())
    for router in routers:
        app.include_router(router)
    routes = [route for router in routers for route in router.routes if isinstance(route, Route)]
    app.state.routes = [static_route, *routes]
    app.state.pages = {route.path for route in routes}
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    yield
    app.state.streams.close()
    app.state.workspace.close()
