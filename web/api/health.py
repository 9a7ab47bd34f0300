"""Whether the server lives, and whether it can answer; the description of the API."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Request, Response

from deltaworks.web.http.asked import TheWorkspace
from deltaworks.web.http.documents import document

router = APIRouter(tags=["health"])

_VERSION = version("deltaworks")


@router.get("/health/live")
async def live() -> dict[str, str]:
    """Say that the server lives; nothing is loaded or read for it, and it waits for no other answer."""
    return {"status": "live", "version": _VERSION}


@router.get("/health/ready")
def ready(workspace: TheWorkspace) -> dict[str, str]:
    """Say that the project could be loaded and the lake be read; 503 with the reason if not."""
    workspace.sight(patient=True)
    return {"status": "ready"}


@router.get("/api/v1/openapi.json", include_in_schema=False)
def openapi(request: Request) -> Response:
    """Return the description of the API."""
    return document(request, request.app.openapi())
