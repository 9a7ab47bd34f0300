"""The pages of runs."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from deltaworks.io.ledger import find_run
from deltaworks.web import urls
from deltaworks.web.http.asked import PathName, TheActor, TheFormOnce, TheLauncher, TheRun, TheSight, TheWorkspace
from deltaworks.web.http.templates import page
from deltaworks.web.runs import cancel_run, retry_run
from deltaworks.web.views.run import run_view
from deltaworks.web.views.run_asked import run_asked
from deltaworks.web.views.runs import RunFilter, runs_view

router = APIRouter(include_in_schema=False)


@router.get("/runs")
def runs(
    request: Request, sight: TheSight, status: str = "", asset: str = "", job: str = "", after: str = ""
) -> Response:
    """Show which runs there were, and which go on."""
    return page(request, "runs.html", runs_view(sight, RunFilter(status, asset, job), after))


@router.get("/runs/{run}")
def run(
    request: Request,
    sight: TheSight,
    launcher: TheLauncher,
    run: PathName,
    level: Literal["", "warn", "error"] = "",
) -> Response:
    """Show how a run goes; also one that has been started here or asked for by a tick, and is not in the ledger yet."""
    launched = launcher.find(run)
    if sight.run(run) is None:
        if launched is not None:
            return page(request, "run_starting.html", launched)
        asked = run_asked(sight, run)
        if asked is not None:
            return page(request, "run_asked.html", asked)
    return page(request, "run.html", run_view(sight, find_run(sight.observation.runs, run), level, launched))


@router.post("/runs/{run}/cancel")
def cancel(workspace: TheWorkspace, sight: TheSight, actor: TheActor, found: TheRun) -> Response:
    """Ask a run to stop."""
    cancel_run(sight, found, actor.name)
    workspace.look_again()
    return RedirectResponse(urls.run(found.run_id), 303)


@router.post("/runs/{run}/retry")
def retry(sight: TheSight, launcher: TheLauncher, actor: TheActor, found: TheRun, once: TheFormOnce) -> Response:
    """Go on with a run where it stopped."""
    once.do(("retry", found.run_id), lambda: retry_run(sight, launcher, found, actor.name))
    return RedirectResponse(urls.run(found.run_id), 303)
