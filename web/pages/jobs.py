"""The pages of jobs, and the form that starts one."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from deltaworks.engine.workspace.jobs import find_job
from deltaworks.errors import RequestError
from deltaworks.web import urls
from deltaworks.web.http.asked import PathName, TheActor, TheForm, TheFormOnce, TheLauncher, TheSight
from deltaworks.web.http.audit import tell_command
from deltaworks.web.http.templates import page
from deltaworks.web.jobs import JobRequest, launch_job, read_config_text
from deltaworks.web.views.jobs import config_of, job_view, jobs_view

router = APIRouter(include_in_schema=False)


@router.get("/jobs")
def jobs(request: Request, sight: TheSight) -> Response:
    """Show which jobs there are."""
    return page(request, "jobs.html", jobs_view(sight))


@router.get("/jobs/{name}")
def job(request: Request, sight: TheSight, name: PathName) -> Response:
    """Show a job, and the form that starts it."""
    return page(request, "job.html", job_view(sight, find_job(sight.project.definitions, name), {}))


@router.post("/jobs/{name}/runs")
def start(
    request: Request,
    sight: TheSight,
    launcher: TheLauncher,
    actor: TheActor,
    form: TheForm,
    once: TheFormOnce,
    name: PathName,
) -> Response:
    """Start a job; what does not fit is said beside its field."""
    found = find_job(sight.project.definitions, name)
    given = {field: values[-1] for field, values in form.items()}
    try:
        text = given.get("text", "").strip()
        config = read_config_text(text) if text else config_of(given)
        asked = JobRequest(given.get("partition") or None, config)
        tell_command(request, asked.typed(found))
        answer = once.do((name, asked), lambda: launch_job(sight, launcher, actor.name, found, asked))
    except RequestError as error:
        return page(request, "job.html", job_view(sight, found, given, str(error)), status=422)
    return RedirectResponse(urls.run(answer["run_id"]), 303)
