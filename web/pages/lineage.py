"""The graph of assets."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from deltaworks.web.http.asked import TheSight
from deltaworks.web.http.templates import page
from deltaworks.web.views.lineage import lineage_view

router = APIRouter(include_in_schema=False)


@router.get("/lineage")
def lineage(request: Request, sight: TheSight, select: str = "", expand: bool = False) -> Response:
    """Show which asset is made from which."""
    return page(request, "lineage.html", lineage_view(sight, select.strip(), expands=expand))
