"""`deltaworks job`: what jobs there are, what they are made of, and running one."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.observing import observe_and_decide
from deltaworks.cli.output import Cell, Table, View, write
from deltaworks.cli.running import ConfigOption, WorkersOption, read_asset_config, run_plan, stoppable
from deltaworks.cli.step_progress import step_progress
from deltaworks.cli.wording import counted
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from deltaworks.engine.definitions.definitions import AnyJob
    from deltaworks.engine.definitions.ops.asset_job import AssetJob
    from deltaworks.engine.definitions.ops.job import Job
    from deltaworks.engine.definitions.ops.job_result import JobResult
    from deltaworks.engine.planning.step_graph import StepNode
    from deltaworks.engine.workspace.project import Project

JobArgument = Annotated[str, typer.Argument(metavar="NAME", help="The job.")]


def list_jobs(session: Session) -> ExitCode:
    """List jobs."""
    session.output.show(jobs_view(session.load()))
    return ExitCode.DONE


def jobs_view(project: Project) -> View:
    """Return which jobs there are."""
    jobs = list(project.definitions.jobs.values())
    document = {"jobs": [_job_json(job) for job in jobs]}
    if not jobs:
        return View(document, (Cell("There are no jobs; @job and define_asset_job make some.", "quiet"),))
    rows = [
        (
            Cell(job.name, "strong"),
            _made_of(job),
            str(job.partitions),
            Cell(job.description.partition("\n")[0], "quiet"),
        )
        for job in jobs
    ]
    return View(document, (Table(("job", "runs", "partitions", "description"), rows),))


def print_job(session: Session, name: JobArgument) -> ExitCode:
    """Show what a job is made of: its ops and what they read, or its assets."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.definitions.ops.job import Job
    from deltaworks.engine.planning.selection import select
    from deltaworks.engine.planning.step_graph import resolve_steps
    from deltaworks.engine.workspace.jobs import find_job

    project = session.load()
    job = find_job(project.definitions, name)
    if not isinstance(job, Job):
        assets = [str(key) for key in select(project.graph, job.selection)]
        table = Table(("asset",), [(asset,) for asset in assets])
        session.output.show(View(_job_json(job) | {"assets": assets}, (table,)))
        return ExitCode.DONE
    nodes = list(resolve_steps(job.graph, job.inputs).nodes.values())
    document = _job_json(job) | {"ops": [_op_json(node) for node in nodes]}
    rows = [
        (
            Cell(node.address(["*"] * len(node.fans)), "strong"),
            ", ".join(_upstream(node)) or Cell("-", "quiet"),
            node.op.run_when.value,
            "-" if node.op.signature.config_model is None else node.op.signature.config_model.__name__,
            Cell(str(node.op.where), "quiet"),
        )
        for node in nodes
    ]
    session.output.show(View(document, (Table(("op", "reads", "runs when", "config", "defined at"), rows),)))
    return ExitCode.DONE


def run_job(
    session: Session,
    name: JobArgument,
    partition: Annotated[str | None, typer.Option("--partition", metavar="KEY", help="What it runs for.")] = None,
    config: ConfigOption = None,
    workers: WorkersOption = None,
    retry_of: Annotated[
        str | None, typer.Option("--retry-of", metavar="RUN", help="Go on from the failure of a run of a job of ops.")
    ] = None,
) -> ExitCode:
    """Run a job now."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.definitions.ops.job import Job
    from deltaworks.engine.workspace.jobs import find_job

    project = session.load()
    job = find_job(project.definitions, name)
    command = shlex.join(["job", *sys.argv[2:]])
    if isinstance(job, Job):
        return _run_ops(session, project, job, partition, config or [], workers, retry_of, command)
    if retry_of is not None:
        raise RequestError(
            f"--retry-of is for jobs of ops, but {name!r} is one of assets; `deltaworks backfill` makes what is left."
        )
    return _run_assets(session, project, job, partition, config, workers, command)


def _run_ops(
    session: Session,
    project: Project,
    job: Job,
    partition: str | None,
    config: list[str],
    workers: int | None,
    retry_of: str | None,
    command: str,
) -> ExitCode:
    from deltaworks.engine.execution.job_launch import JobRequest, launch_job
    from deltaworks.engine.workspace.config_file import read_config
    from deltaworks.engine.workspace.jobs import partitions_of

    request = JobRequest(
        job,
        partitions_of(project, job, session.now()),
        partition,
        read_config(config),
        retry_of,
        workers or project.executor.workers,
        is_kept_whole=False,
    )
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
    return ExitCode.DONE if result.success else ExitCode.FAILED


def _run_assets(
    session: Session,
    project: Project,
    job: AssetJob,
    partition: str | None,
    config: list[str] | None,
    workers: int | None,
    command: str,
) -> ExitCode:
    from deltaworks.engine.execution.asset_hooks import call_asset_hooks
    from deltaworks.engine.planning.job_partition import job_partition
    from deltaworks.engine.planning.plan import Only
    from deltaworks.engine.workspace.jobs import partitions_of, with_retry

    part = job_partition(job.name, partitions_of(project, job, session.now()), partition)
    key = None if part is None else part.key
    layers = read_asset_config(project, config, job)
    project, named = with_retry(project, job, session.now()), [] if key is None else [key]
    only = frozenset({Only.ALL})
    seen, decision = observe_and_decide(
        session, project, list(job.selection), named, None, None, only=only, command=command
    )
    note = partial(_note, "note")
    return run_plan(
        session,
        project,
        seen,
        decision,
        workers,
        command,
        ended=lambda report: call_asset_hooks(job, project.definitions, decision.plan, report, key, os.environ, note),
        config=layers,
    )


def _note(word: str, text: str) -> None:
    write(sys.stderr, f"{word}: {text}")


def _made_of(job: AnyJob) -> str:
    from deltaworks.engine.definitions.ops.job import Job, ops_in

    if isinstance(job, Job):
        return counted(sum(1 for _ in ops_in(job.graph)), "op")
    return f"assets {' '.join(job.selection)}"


def _job_json(job: AnyJob) -> dict[str, Any]:
    from deltaworks.engine.definitions.ops.job import Job

    return {
        "job": job.name,
        "kind": "ops" if isinstance(job, Job) else "assets",
        "selection": None if isinstance(job, Job) else list(job.selection),
        "partitions": str(job.partitions) if job.partitions.dimensions else None,
        "tags": dict(job.tags),
        "hooks": [hook.name for hook in job.hooks],
        "description": job.description,
        "file": job.where.file,
        "line": job.where.line,
    }


def _op_json(node: StepNode) -> dict[str, Any]:
    signature = node.op.signature
    return {
        "op": ".".join(node.path),
        "is_mapped": bool(node.fans),
        "reads": list(_upstream(node)),
        "run_when": node.op.run_when.value,
        "config": None if signature.config_model is None else list(signature.config_model.model_fields),
        "resources": {argument: wanted.__name__ for argument, wanted in signature.resources.items()},
        "pool": node.op.pool,
        "timeout_s": node.op.timeout_s,
        "tags": dict(node.op.tags),
        "description": node.op.description,
        "file": node.op.where.file,
        "line": node.op.where.line,
    }


def _upstream(node: StepNode) -> Iterator[str]:
    """Yield the ops that an op reads or waits for, and the tables."""
    yield from dict.fromkeys(".".join(need.path) for need in node.needs)
    yield from (f"table {port.asset}" for port in node.op.signature.inputs if port.asset is not None)


def _result_view(result: JobResult) -> View:
    endings = [step.ending.value for step in result.steps.values()]
    status = {"cancel": "canceled"}.get(result.ending.value, result.ending.value)
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
        way = f"`deltaworks job run {result.job} --retry-of {result.run_id}` goes on from here."
        lines.append(Cell(way, "quiet"))
    return View(document, tuple(lines))


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="List, show and run jobs.", no_args_is_help=True, rich_markup_mode=None)
    add(group, "list", list_jobs)
    add(group, "print", print_job)
    add(group, "run", run_job)
    app.add_typer(group, name="job")
