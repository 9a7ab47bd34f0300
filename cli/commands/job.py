"""`deltaworks job`: what jobs there are, and what they are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer

from deltaworks.cli.command import ExitCode, JobArgument, Session, add
from deltaworks.cli.commands import job_run
from deltaworks.cli.delegating import delegated
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.wording import counted

if TYPE_CHECKING:
    from deltaworks.engine.definitions.definitions import AnyJob
    from deltaworks.engine.planning.step_graph import StepNode
    from deltaworks.engine.workspace.project import Project


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
            _made_of(job, project.op_counts),
            str(job.partitions) if job.partitions.dimensions else Cell("-", "quiet"),
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
    if project.workspace is not None:
        return delegated(session, project, project.workspace.owner_of_job(name))
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


def _made_of(job: AnyJob, op_counts: Mapping[str, int]) -> str:
    from deltaworks.engine.definitions.ops.job import Job

    if isinstance(job, Job):
        return counted(op_counts[job.name], "op")
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
        "timeout_s": node.op.limits.timeout_s,
        "memory_mb": node.op.limits.memory_mb,
        "isolate": node.op.limits.isolate,
        "tags": dict(node.op.tags),
        "description": node.op.description,
        "file": node.op.where.file,
        "line": node.op.where.line,
    }


def _upstream(node: StepNode) -> Iterator[str]:
    """Yield the ops that an op reads or waits for, and the tables."""
    yield from dict.fromkeys(".".join(need.path) for need in node.needs)
    yield from (f"table {port.asset}" for port in node.op.signature.inputs if port.asset is not None)


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="List, show and run jobs.", no_args_is_help=True, rich_markup_mode=None)
    add(group, "list", list_jobs)
    add(group, "print", print_job)
    job_run.add_to(group)
    app.add_typer(group, name="job")
