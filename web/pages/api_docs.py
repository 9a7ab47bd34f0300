"""The description of the API, rendered here: nothing is loaded from another host."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from deltaworks.web.http.asked import TheSight
from deltaworks.web.http.templates import page
from deltaworks.web.views.api_docs import api_view

router = APIRouter(include_in_schema=False)


@router.get("/api")
def docs(request: Request, sight: TheSight) -> Response:  # noqa: ARG001 - the rail needs a sight
    """Show every endpoint."""
    document: dict[str, Any] = request.app.openapi()
    return page(request, "api.html", api_view(document))
