"""Plans and backfills: what would be made, and making it, as the commands `plan` and `backfill` do."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only
from deltaworks.errors import UnknownRun
from deltaworks.io.run_entry import RunEntry
from deltaworks.web.backfills import BackfillRequest, launch_backfill, plan_of
from deltaworks.web.http.asked import PLANNING, After, Limit, TheActor, TheLauncher, TheOnce, TheRun, TheSight
from deltaworks.web.http.audit import tell_command
from deltaworks.web.http.documents import document, paged, started
from deltaworks.web.runs import cancel_run, run_document, run_id_of, summaries
from deltaworks.web.views.runs import RunFilter, chosen_runs, is_backfill

router = APIRouter(prefix="/api/v1", tags=["backfills"])


def _backfill(run: TheRun) -> RunEntry:
    if not is_backfill(run):
        raise UnknownRun(f"Run {run.run_id} is no backfill: it was `deltaworks {run.command}`.")
    return run


TheBackfill = Annotated[RunEntry, Depends(_backfill)]
"""The backfill that the path names as `{run}`."""


class PlanBody(BaseModel):
    """What is to be made."""

    model_config = ConfigDict(extra="forbid")

    select: list[str] = Field([], description="As on the command line; none: every asset.")
    partitions: list[str] = Field([], description="Keys, one by one.")
    from_: str | None = Field(None, alias="from", description="First partition of a range.")
    to: str | None = Field(None, description="Last partition of the range, included.")
    only: list[Only] = Field(sorted(DEFAULT_ONLY), description="What of that: missing, stale, failed, external or all.")

    def request(self) -> BackfillRequest:
        """Return it as a request."""
        return BackfillRequest(tuple(self.select), tuple(self.partitions), self.from_, self.to, frozenset(self.only))


class BackfillBody(PlanBody):
    """What is to be made, as it was planned."""

    plan_hash: str | None = Field(
        None, description="Of the plan that was looked at; refused with 409 if another one would be carried out now."
    )


@router.post("/plans", dependencies=[PLANNING])
def make_plan(sight: TheSight, body: PlanBody) -> dict[str, Any]:
    """Return what a backfill would make, why, and how much that is, as `plan --json`. Nothing runs."""
    return plan_of(sight, body.request())


@router.get("/backfills")
def backfills(
    request: Request,
    sight: TheSight,
    status: Annotated[str, Query(description="Only backfills of this status.")] = "",
    asset: Annotated[str, Query(description="Only backfills that were to make this asset, or failed to.")] = "",
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """List the runs that are backfills, the latest first, as `runs list --json` tells runs."""
    found = chosen_runs(sight, RunFilter(status, asset, is_backfill=True))
    return document(request, paged(found, "backfills", after, limit, run_id_of, partial(summaries, sight)))


@router.post("/backfills", status_code=202, dependencies=[PLANNING])
def start_backfill(
    request: Request,
    sight: TheSight,
    launcher: TheLauncher,
    once: TheOnce,
    actor: TheActor,
    body: BackfillBody,
    response: Response,
) -> dict[str, Any]:
    """Start a backfill as a process of its own, and return its run; `GET` that run to see how it goes."""
    asked = body.request()
    tell_command(request, asked.typed())

    def launch() -> dict[str, Any]:
        return launch_backfill(sight, launcher, actor.name, asked, body.plan_hash)

    return started(response, once.do((asked, body.plan_hash), launch))


@router.get("/backfills/{run}")
def backfill(request: Request, sight: TheSight, found: TheBackfill) -> Response:
    """Return all that is known of a backfill, as `runs show --json`."""
    return document(request, run_document(sight, found))


@router.post("/backfills/{run}:cancel", status_code=202)
def cancel_backfill(sight: TheSight, once: TheOnce, actor: TheActor, found: TheBackfill) -> dict[str, Any]:
    """Ask a backfill to stop within seconds, as `runs cancel --no-wait`; what it has committed stays."""
    return once.do(("cancel", found.run_id), lambda: cancel_run(sight, found, actor.name))
