"""Plans and backfills: what would be made, and making it, as the commands `plan` and `backfill` do."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only
from deltaworks.web.backfills import BackfillRequest, launch_backfill, plan_of
from deltaworks.web.http.asked import TheActor, TheAnswered, TheLauncher, TheSight, TheWorkspace
from deltaworks.web.http.audit import tell_command

router = APIRouter(prefix="/api/v1", tags=["backfills"])


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


@router.post("/plans")
def make_plan(sight: TheSight, body: PlanBody) -> dict[str, Any]:
    """Return what a backfill would make, why, and how much that is, as `plan --json`. Nothing runs."""
    return plan_of(sight, body.request())


@router.post("/backfills", status_code=202)
def start_backfill(
    request: Request,
    workspace: TheWorkspace,
    sight: TheSight,
    launcher: TheLauncher,
    answered: TheAnswered,
    actor: TheActor,
    body: BackfillBody,
    response: Response,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> dict[str, Any]:
    """Start a backfill as a process of its own, and return its run; `GET` that run to see how it goes."""
    asked = body.request()
    tell_command(request, asked.typed())

    def launch() -> dict[str, Any]:
        return launch_backfill(sight, launcher, actor.name, asked, body.plan_hash)

    answer = answered.once(actor.name, idempotency_key, body.model_dump(mode="json"), launch)
    workspace.look_again()
    response.headers["Location"] = f"/runs/{answer['run_id']}"
    return answer
