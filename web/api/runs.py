"""Runs: which there were and how each went, as the commands below `deltaworks runs`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from deltaworks.engine.documents.runs import summary_json
from deltaworks.web.api.assets import After, Limit
from deltaworks.web.http.asked import TheSight
from deltaworks.web.http.documents import document, paged
from deltaworks.web.views.runs import RunFilter, chosen_runs

router = APIRouter(prefix="/api/v1", tags=["runs"])


@router.get("/runs")
def runs(
    request: Request,
    sight: TheSight,
    status: Annotated[str, Query(description="Only runs of this status.")] = "",
    asset: Annotated[str, Query(description="Only runs that were to make this asset, or failed to.")] = "",
    job: Annotated[str, Query(description="Only runs of this job.")] = "",
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """List runs, the latest first, as `runs list --json`."""
    rows = [summary_json(run, sight.at) for run in chosen_runs(sight, RunFilter(status, asset, job))]
    return document(request, paged(rows, "runs", after, limit, "run_id"))
