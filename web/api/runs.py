"""Runs: which there were and how each went, as the commands below `deltaworks runs`."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response

from deltaworks.engine.documents.runs import run_json, summary_json
from deltaworks.engine.execution.jobs.step_tree import read_step_tree
from deltaworks.io.kept import find_kept
from deltaworks.io.run_logs import LogReader
from deltaworks.io.step_records import StepRecords
from deltaworks.web.api.assets import After, Limit
from deltaworks.web.http.asked import TheActor, TheAnswered, TheLauncher, TheRun, TheSight, TheStreams, TheWorkspace
from deltaworks.web.http.documents import document, paged
from deltaworks.web.http.run_lines import RunLines
from deltaworks.web.runs import cancel_run, retry_run
from deltaworks.web.views.runs import RunFilter, chosen_runs

router = APIRouter(prefix="/api/v1", tags=["runs"])

Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


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


@router.get("/runs/{run}")
def run(request: Request, sight: TheSight, found: TheRun) -> Response:
    """Return all that is known of a run, as `runs show --json`; `latest` and the beginning of an id will do."""
    store, is_over = sight.project.store, sight.run_status(found).is_over
    steps = read_step_tree(StepRecords(store, found.run_id), is_over=is_over) if found.job is not None else ()
    return document(request, run_json(found, steps, find_kept(store, found.run_id), store, sight.at))


@router.get("/runs/{run}/log", response_model=None)
def log(
    request: Request,
    workspace: TheWorkspace,
    sight: TheSight,
    streams: TheStreams,
    found: TheRun,
    accept: Annotated[str, Header(description="text/event-stream: lines as they come, until the run is over.")] = "*/*",
    after: Annotated[int, Query(ge=0, description="The `next` of the page before.")] = 0,
    level: Annotated[Literal["", "warn", "error"], Query(description="Of a stream: only lines as grave as that.")] = "",
    limit: Limit = 500,
) -> Response:
    """Return lines of a run's log, the first of them first, as `runs logs --json`."""
    store = sight.project.store
    if "text/event-stream" in accept:
        lines = RunLines(store, found, level, workspace.now)
        return streams.respond(request, ("log", found.run_id, level), lines.poll)
    shown = list(islice(LogReader(store, found.run_id).read(), after, after + limit))
    return document(request, {"lines": shown, "next": after + len(shown)})


@router.post("/runs/{run}/cancel", status_code=202)
def cancel(
    workspace: TheWorkspace, sight: TheSight, answered: TheAnswered, actor: TheActor, found: TheRun, key: Key = None
) -> dict[str, Any]:
    """Ask a run to stop within seconds, as `runs cancel --no-wait`; what it has committed stays."""
    asked = ("cancel", found.run_id)
    return _done(workspace, answered.once(actor.name, key, asked, lambda: cancel_run(sight, found, actor.name)))


@router.post("/runs/{run}/retry", status_code=202)
def retry(
    workspace: TheWorkspace,
    sight: TheSight,
    launcher: TheLauncher,
    answered: TheAnswered,
    actor: TheActor,
    found: TheRun,
    key: Key = None,
) -> dict[str, Any]:
    """Go on with a run where it stopped, as `runs retry`, as a process of its own."""
    asked = ("retry", found.run_id)
    answer = answered.once(actor.name, key, asked, lambda: retry_run(sight, launcher, found, actor.name))
    return _done(workspace, answer)


def _done(workspace: TheWorkspace, answer: dict[str, Any]) -> dict[str, Any]:
    """Let the next look see what has just been done."""
    workspace.look_again()
    return answer
