"""The pages of backfills: which there were, and the plan of a new one with the form that launches it."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from deltaworks.errors import PlanChanged, RequestError
from deltaworks.web import urls
from deltaworks.web.backfills import launch_backfill
from deltaworks.web.http.asked import MOST_FIELDS, PLANNING, TheActor, TheForm, TheFormOnce, TheLauncher, TheSight
from deltaworks.web.http.audit import tell_command
from deltaworks.web.http.templates import page
from deltaworks.web.views.backfills import Asked, new_backfill_view
from deltaworks.web.views.runs import RunFilter, runs_view

router = APIRouter(include_in_schema=False)


@router.get("/backfills")
def backfills(
    request: Request, sight: TheSight, status: str = "", asset: str = "", job: str = "", after: str = ""
) -> Response:
    """Show which backfills there were, and which go on."""
    asked = RunFilter(status, asset, job, is_backfill=True)
    return page(request, "runs.html", runs_view(sight, asked, after))


@router.get("/backfills/new", dependencies=[PLANNING])
def new(request: Request, sight: TheSight) -> Response:
    """Show what a backfill would make, and the form that launches it."""
    try:
        query = parse_qs(request.url.query, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise RequestError(f"The address cannot be read: {error}.") from error
    view = new_backfill_view(sight, Asked.of(query))
    return page(request, "backfill_new.html", view, status=422 if view.problem else 200)


@router.post("/backfills", dependencies=[PLANNING])
def start(
    request: Request, sight: TheSight, launcher: TheLauncher, actor: TheActor, form: TheForm, once: TheFormOnce
) -> Response:
    """Launch the plan that was looked at; if it has changed meanwhile, show the new one instead."""
    given = Asked.of(form)
    asked, looked_at = given.request(), form.get("plan_hash", ["none"])[-1]
    tell_command(request, asked.typed())
    try:
        answer = once.do(asked, lambda: launch_backfill(sight, launcher, actor.name, asked, looked_at))
    except PlanChanged as error:
        return page(request, "backfill_new.html", new_backfill_view(sight, given, error), status=409)
    return RedirectResponse(urls.run(answer["run_id"]), 303)
