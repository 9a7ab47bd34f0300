"""Jobs: which there are, what each is made of and may be told, and starting one, as commands of `deltaworks job`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from deltaworks.engine.definitions.definitions import AnyJob
from deltaworks.engine.documents.jobs import job_json
from deltaworks.engine.workspace.jobs import find_job
from deltaworks.web.http.asked import After, Limit, PathName, TheActor, TheLauncher, TheOnce, TheSight
from deltaworks.web.http.audit import tell_command
from deltaworks.web.http.documents import document, paged, started
from deltaworks.web.jobs import JobRequest, job_document, launch_job

router = APIRouter(prefix="/api/v1", tags=["jobs"])


class JobBody(BaseModel):
    """What a job is to be run for, and with."""

    model_config = ConfigDict(extra="forbid")

    partition: str | None = Field(None, description="The key, if the job has partitions.")
    config: dict[str, Any] = Field({}, description="By op or asset, as `config_schema` of the job says.")

    def request(self) -> JobRequest:
        """Return it as a request."""
        return JobRequest(self.partition, self.config)


@router.get("/jobs")
def jobs(request: Request, sight: TheSight, after: After = None, limit: Limit = 100) -> Response:
    """List jobs, as `job list --json`."""
    found = list(sight.project.definitions.jobs.values())
    return document(request, paged(found, "jobs", after, limit, _name_of, _tell))


@router.get("/jobs/{name}")
def job(request: Request, sight: TheSight, name: PathName) -> Response:
    """Return all of a job, as `job print --json`: also the JSON Schema of its config.

    Null is what only the code of another code location tells.
    """
    return document(request, job_document(sight, find_job(sight.project.definitions, name)))


@router.post("/jobs/{name}/runs", status_code=202)
def start_job(
    request: Request,
    sight: TheSight,
    launcher: TheLauncher,
    once: TheOnce,
    actor: TheActor,
    name: PathName,
    body: JobBody,
    response: Response,
) -> dict[str, Any]:
    """Start a job as a process of its own, as `job run`, and return its run."""
    found, asked = find_job(sight.project.definitions, name), body.request()
    tell_command(request, asked.typed(found))
    answer = once.do((name, asked), lambda: launch_job(sight, launcher, actor.name, found, asked))
    return started(response, answer)


def _name_of(job: AnyJob) -> str:
    return job.name


def _tell(jobs: Sequence[AnyJob]) -> list[dict[str, Any]]:
    return list(map(job_json, jobs))
