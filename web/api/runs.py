"""Runs: which there were, how each went, and starting one, as the commands below `deltaworks runs`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from deltaworks.web.http.asked import (
    After,
    Limit,
    TheActor,
    TheLauncher,
    TheOnce,
    TheRun,
    TheSight,
    TheStreams,
    TheWorkspace,
)
from deltaworks.web.http.audit import tell_command
from deltaworks.web.http.documents import document, paged, started
from deltaworks.web.http.live import SENT_EVENTS
from deltaworks.web.http.run_lines import RunStates
from deltaworks.web.materializations import MaterializeRequest, launch_materialization
from deltaworks.web.runs import cancel_run, retry_run, run_document, run_id_of, summaries
from deltaworks.web.views.runs import RunFilter, chosen_runs

router = APIRouter(prefix="/api/v1", tags=["runs"])


class MaterializeBody(BaseModel):
    """What is to be made."""

    model_config = ConfigDict(extra="forbid")

    select: list[str] = Field(min_length=1, description="As on the command line.")
    partitions: list[str] = Field([], description="Keys, one by one.")
    from_: str | None = Field(None, alias="from", description="First partition of a range.")
    to: str | None = Field(None, description="Last partition of the range, included.")

    def request(self) -> MaterializeRequest:
        """Return it as a request."""
        return MaterializeRequest(tuple(self.select), tuple(self.partitions), self.from_, self.to)


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
    found = chosen_runs(sight, RunFilter(status, asset, job))
    return document(request, paged(found, "runs", after, limit, run_id_of, partial(summaries, sight)))


@router.post("/runs", status_code=202)
def materialize(
    request: Request,
    sight: TheSight,
    launcher: TheLauncher,
    once: TheOnce,
    actor: TheActor,
    body: MaterializeBody,
    response: Response,
) -> dict[str, Any]:
    """Make partitions now, whatever their status, as `materialize`, as a process of its own; return its run."""
    asked = body.request()
    tell_command(request, asked.typed())
    return started(response, once.do(asked, lambda: launch_materialization(sight, launcher, actor.name, asked)))


@router.get("/runs/{run}", response_model=None)
def run(
    request: Request,
    workspace: TheWorkspace,
    sight: TheSight,
    streams: TheStreams,
    found: TheRun,
    accept: Annotated[str, Header(description="text/event-stream: its line of the list, whenever it changes.")] = "*/*",
) -> Response:
    """Return all that is known of a run, as `runs show --json`; `latest` and the beginning of an id will do."""
    if SENT_EVENTS.media_type in accept:
        states = RunStates(sight.project.store, found, workspace.now)
        return streams.respond(request, ("states", found.run_id), states.poll)
    return document(request, run_document(sight, found))


@router.get("/runs/{run}/steps")
def steps(request: Request, sight: TheSight, found: TheRun) -> Response:
    """Return the steps of a run of a job of ops as a tree, and how far each asset has come of other runs."""
    told = run_document(sight, found)
    return document(request, {"run_id": found.run_id, "assets": told["steps"], "steps": told["step_tree"]})


@router.post("/runs/{run}:cancel", status_code=202)
def cancel(sight: TheSight, once: TheOnce, actor: TheActor, found: TheRun) -> dict[str, Any]:
    """Ask a run to stop within seconds, as `runs cancel --no-wait`; what it has committed stays."""
    return once.do(("cancel", found.run_id), lambda: cancel_run(sight, found, actor.name))


@router.post("/runs/{run}:retry", status_code=202)
def retry(
    sight: TheSight, launcher: TheLauncher, once: TheOnce, actor: TheActor, found: TheRun, response: Response
) -> dict[str, Any]:
    """Go on with a run where it stopped, as `runs retry`, as a process of its own."""
    asked = ("retry", found.run_id)
    return started(response, once.do(asked, lambda: retry_run(sight, launcher, found, actor.name)))
