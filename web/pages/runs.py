"""The pages of runs."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from deltaworks.web.http.asked import TheSight
from deltaworks.web.http.templates import page
from deltaworks.web.views.runs import RunFilter, runs_view

router = APIRouter(include_in_schema=False)


@router.get("/runs")
def runs(
    request: Request, sight: TheSight, status: str = "", asset: str = "", job: str = "", after: str = ""
) -> Response:
    """Show which runs there were, and which go on."""
    return page(request, "runs.html", runs_view(sight, RunFilter(status, asset, job), after))
