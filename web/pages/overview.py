"""The first page: what needs attention, what goes on, what was done."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from deltaworks.web.http.asked import TheSight
from deltaworks.web.http.templates import page
from deltaworks.web.views.overview import overview_view

router = APIRouter(include_in_schema=False)


@router.get("/")
def overview(request: Request, sight: TheSight, window: str = "") -> Response:
    """Show the overview."""
    return page(request, "overview.html", overview_view(sight, window))
