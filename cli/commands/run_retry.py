"""`deltaworks runs retry`: go on with a run where it stopped."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, NeededRunArgument, Session, add
from deltaworks.cli.commands.job_run import run_ops
from deltaworks.cli.delegating import delegated
from deltaworks.cli.output import Cell, View
from deltaworks.cli.running import (
    ExecutorOption,
    MemoryOption,
    TagOption,
    WorkersOption,
    read_executor,
    run_plan,
    tagged,
    workers_of,
)
from deltaworks.cli.wording import counted
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from deltaworks.engine.definitions.ops.job import Job
    from deltaworks.engine.workspace.project import Project
    from deltaworks.io.run_entry import RunEntry


def retry(
    session: Session,
    run: NeededRunArgument,
    latest: Annotated[
        bool, typer.Option("--latest", help="Read upstreams as they are now, not as the first attempt read them.")
    ] = False,
    executor: ExecutorOption = None,
    workers: WorkersOption = None,
    memory_mb: MemoryOption = None,
    priority: Annotated[
        int | None, typer.Option("--priority", metavar="N", help="A run with a higher one leaves the queue first.")
    ] = None,
    tag: TagOption = None,
) -> ExitCode:
    """Go on with a run; what it has committed is done, the rest is made from what it read then."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.definitions.ops.asset_job import AssetJob
    from deltaworks.engine.definitions.ops.job import Job
    from deltaworks.engine.execution.attempt import begin_attempt, decide_retry, decide_retry_again
    from deltaworks.engine.execution.sources import Observations
    from deltaworks.engine.workspace.jobs import with_retry
    from deltaworks.io.ledger import find_run, read_runs
    from deltaworks.io.record import Kind

    read_executor(executor)
    tags = tagged(tag)
    project = session.load()
    found = find_run(read_runs(project.store), run)
    how: dict[str, Any] = {"executor": executor, "workers": workers, "memory_mb": memory_mb, "priority": priority}
    how = {name: value for name, value in how.items() if value is not None}  # else as it was asked for before
    job = project.definitions.jobs.get(found.job or "")
    if isinstance(job, Job):
        if memory_mb is not None:
            raise RequestError(
                "--memory-mb does not go with a run of ops: @dw.op(memory_mb=...) limits each by itself."
            )
        if project.workspace is not None:
            return delegated(session, project, project.workspace.owner_of_job(job.name))
        return _retry_ops(session, project, job, replace(found, tags=tags, **how), latest=latest)
    if found.kind is not Kind.MATERIALIZE:
        raise RequestError(f"Run {found.run_id} was {found.kind.noun}, which is one commit; run its command again.")
    of_assets = job if isinstance(job, AssetJob) else None
    if of_assets is not None:
        project = with_retry(project, of_assets, session.now())
    left = decide_retry(project.graph, project.store, found, latest=latest)
    if not left.decision.plan.planned:
        document: dict[str, Any] = {
            "run_id": found.run_id,
            "status": "success",
            "totals": {"materialized": 0, "failed": 0, "skipped": len(left.made_by_others), "commits": 0},
            "failures": [],
        }
        others = f", and others have made {len(left.made_by_others):,}" if left.made_by_others else ""
        line = f"nothing is left of run {found.run_id}: it has committed {counted(left.done, 'partition')}{others}"
        session.output.show(View(document, (Cell(line, "good"),)))
        return ExitCode.DONE
    entry = begin_attempt(project.store, found.run_id, found.command, session.now())
    entry = replace(entry, tags=tuple(dict.fromkeys((*entry.tags, *tags))), **how)
    seen, theirs = Observations(), left.made_by_others
    again = partial(decide_retry_again, project.graph, project.store, found, left, latest=latest)
    command = found.command
    return run_plan(session, project, seen, left.decision, None, command, entry, theirs, again=again, job=of_assets)


def _retry_ops(session: Session, project: Project, job: Job, run: RunEntry, *, latest: bool) -> ExitCode:
    """Go on with a run of a job of ops as its entry asks for: what its steps gave is there, the others are run."""
    from deltaworks.engine.execution.jobs.job_launch import JobRequest
    from deltaworks.engine.workspace.jobs import partitions_of

    if latest:
        raise RequestError(
            f"Run {run.run_id} is of job {job.name!r}, whose ops read tables at one version for the whole run, so "
            "--latest cannot go on with it; run the job anew."
        )
    request = JobRequest(
        job,
        partitions_of(project, job, session.now()),
        run_id=run.run_id,
        tags=run.tags,
        priority=run.priority,
        workers=workers_of(project, run.workers, read_executor(run.executor)),
        asked_workers=run.workers,
        asked_executor=run.executor,
        sharing=project.sharing,
        is_kept_whole=False,
    )
    return run_ops(session, project, request, run.command)


def add_to(group: typer.Typer) -> None:
    """Add the command to those about runs."""
    add(group, "retry", retry)
