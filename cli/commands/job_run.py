"""`deltaworks job run`: run a job now, by whatever it is made of."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from deltaworks.cli.command import ExitCode, JobArgument, Session, add
from deltaworks.cli.delegating import delegated
from deltaworks.cli.observing import observe_and_decide
from deltaworks.cli.output import Cell, View
from deltaworks.cli.running import (
    ConfigOption,
    ExecutorOption,
    PriorityOption,
    TagOption,
    WorkersOption,
    begin_run,
    leave,
    read_asset_config,
    read_executor,
    run_plan,
    tagged,
    workers_of,
)
from deltaworks.cli.step_progress import step_progress
from deltaworks.cli.stopping import stoppable
from deltaworks.cli.wording import counted
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deltaworks.engine.definitions.ops.asset_job import AssetJob
    from deltaworks.engine.definitions.ops.job_result import JobResult
    from deltaworks.engine.execution.jobs.job_launch import JobRequest
    from deltaworks.engine.execution.workers.executor_kind import ExecutorKind
    from deltaworks.engine.workspace.project import Project


@dataclass(frozen=True, slots=True)
class _Options:
    """How a job is to be run, as the command says."""

    command: str
    """For the ledger."""
    partition: str | None
    config: Sequence[str]
    executor: ExecutorKind | None
    """None: as the settings say."""
    workers: int | None
    """None: as the settings say."""
    run_id: str | None
    """None: a new run."""
    tags: tuple[str, ...]
    priority: int
    tick: str | None
    """What asks for the run; none: a person does."""


def run_job(
    session: Session,
    name: JobArgument,
    partition: Annotated[str | None, typer.Option("--partition", metavar="KEY", help="What it runs for.")] = None,
    config: ConfigOption = None,
    executor: ExecutorOption = None,
    workers: WorkersOption = None,
    run_id: Annotated[
        str | None,
        typer.Option("--run-id", metavar="ID", help="Be this run: what its earlier attempts have done is left out."),
    ] = None,
    tag: TagOption = None,
    priority: PriorityOption = 0,
    retry_of: Annotated[
        str | None, typer.Option("--retry-of", metavar="RUN", help="Go on from the failure of a run of a job of ops.")
    ] = None,
    tick: Annotated[str | None, typer.Option("--tick", hidden=True, help="What asks for the run.")] = None,
) -> ExitCode:
    """Run a job now."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.definitions.ops.job import Job
    from deltaworks.engine.execution.jobs.job_launch import JobRequest
    from deltaworks.engine.workspace.config_file import read_config
    from deltaworks.engine.workspace.jobs import find_job, partitions_of

    options = _Options(
        shlex.join(["job", *sys.argv[2:]]),
        partition,
        config or [],
        read_executor(executor),
        workers,
        run_id,
        tagged(tag),
        priority,
        tick,
    )
    project = session.load()
    job = find_job(project.definitions, name)
    if isinstance(job, Job) and project.workspace is not None:
        return delegated(session, project, project.workspace.owner_of_job(name))
    if isinstance(job, Job):
        request = JobRequest(
            job,
            partitions_of(project, job, session.now()),
            partition,
            read_config(options.config),
            retry_of,
            run_id=run_id,
            tags=options.tags,
            priority=priority,
            workers=workers_of(project, workers, options.executor),
            asked_workers=workers,
            asked_executor=executor,
            sharing=project.sharing,
            is_kept_whole=False,
            tick=tick,
        )
        return run_ops(session, project, request, options.command)
    if retry_of is not None:
        raise RequestError(
            f"--retry-of is for jobs of ops, but {name!r} is one of assets; `deltaworks runs retry` makes what is left."
        )
    return _run_assets(session, project, job, options)


def run_ops(session: Session, project: Project, request: JobRequest, command: str) -> ExitCode:
    """Run a job of ops, and show how it ended."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.jobs.job_launch import launch_job

    with stoppable() as stop, step_progress() as tell:
        result = launch_job(
            request,
            project.definitions,
            project.graph,
            project.store,
            command=command,
            environ=os.environ,
            now=session.now,
            tell=tell,
            stop=stop,
        )
    session.output.show(_result_view(result))
    return leave(result, ExitCode.DONE if result.success else ExitCode.FAILED)


def _run_assets(session: Session, project: Project, job: AssetJob, options: _Options) -> ExitCode:
    from deltaworks.engine.planning.job_fit import refuse_unfit
    from deltaworks.engine.planning.job_partition import job_partition
    from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only
    from deltaworks.engine.workspace.jobs import partitions_of, with_retry

    refuse_unfit(job, project.graph)
    part = job_partition(job.name, partitions_of(project, job, session.now()), options.partition)
    key = None if part is None else part.key
    layers = read_asset_config(project, options.config, job)
    project, named = with_retry(project, job, session.now()), [] if key is None else [key]
    only = DEFAULT_ONLY if job.skip_fresh else frozenset({Only.ALL})
    seen, decision = observe_and_decide(
        session, project, list(job.selection), named, None, None, only=only, command=options.command
    )
    entry, decision = begin_run(session, project, decision, options.run_id, options.command)
    tags = (*(f"{name}={value}" for name, value in job.tags.items()), *options.tags)
    entry = replace(
        entry,
        job=job.name,
        job_partition=key,
        tags=tuple(dict.fromkeys((*entry.tags, *tags))),
        priority=options.priority,
        tick=entry.tick or options.tick,
    )
    return run_plan(
        session,
        project,
        seen,
        decision,
        options.workers,
        options.command,
        entry,
        executor=options.executor,
        config=layers,
        job=job,
    )


def _result_view(result: JobResult) -> View:
    # Imported here: --help must not load the engine.
    from deltaworks.engine.execution.endings import STATUS_OF_RUN

    endings = [step.ending.value for step in result.steps.values()]
    status = STATUS_OF_RUN[result.ending].value
    skipped = endings.count("skip")
    document = {
        "run_id": result.run_id,
        "job": result.job,
        "status": status,
        "totals": {
            "materialized": 0,
            "failed": endings.count("failure"),
            "skipped": skipped,
            "commits": 0,
            "steps": endings.count("success"),
            "kept": sum(step.is_kept for step in result.steps.values()),
        },
        "failures": [{"step": step, "error": reason} for step, reason in result.failures.items()],
        "steps": [
            {
                "step": name,
                "status": step.ending.value,
                "tries": step.tries,
                "kept": step.is_kept,
                "reason": step.reason,
            }
            for name, step in result.steps.items()
        ],
    }
    failures = [Cell(f"failed: {step}: {reason}", "bad") for step, reason in result.failures.items()]
    summary = (
        f"{status}: {counted(endings.count('success'), 'step')}, {endings.count('failure'):,} failed, "
        f"{skipped:,} skipped (run {result.run_id})"
    )
    lines = [*failures, Cell(summary, "good" if result.success else "bad")]
    if not result.success:
        lines.append(Cell(f"`deltaworks runs retry {result.run_id}` goes on from here.", "quiet"))
    return View(document, tuple(lines))


def add_to(group: typer.Typer) -> None:
    """Add the command to those about jobs."""
    add(group, "run", run_job)
