"""`deltaworks job`: what jobs there are, and what they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from deltaworks.cli.command import ExitCode, JobArgument, Session, add
from deltaworks.cli.commands import job_run
from deltaworks.cli.delegating import delegated
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.wording import counted
from deltaworks.engine.documents.jobs import asset_job_json, job_json, op_job_json, upstream_of

if TYPE_CHECKING:
    from deltaworks.engine.definitions.definitions import AnyJob
    from deltaworks.engine.workspace.project import Project


def list_jobs(session: Session) -> ExitCode:
    """List jobs."""
    session.output.show(jobs_view(session.load()))
    return ExitCode.DONE


def jobs_view(project: Project) -> View:
    """Return which jobs there are."""
    jobs = list(project.definitions.jobs.values())
    document = {"jobs": [job_json(job) for job in jobs]}
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
    """Show the ops of a job and what they read, or its assets."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.definitions.ops.job import Job
    from deltaworks.engine.planning.step_graph import resolve_steps
    from deltaworks.engine.workspace.jobs import find_job

    project = session.load()
    job = find_job(project.definitions, name)
    if not isinstance(job, Job):
        document = asset_job_json(job, project.graph)
        table = Table(("asset",), [(asset,) for asset in document["assets"]])
        session.output.show(View(document, (table,)))
        return ExitCode.DONE
    if project.workspace is not None:
        return delegated(session, project, project.workspace.owner_of_job(name))
    steps = resolve_steps(job.graph, job.inputs)
    nodes = list(steps.nodes.values())
    document = op_job_json(job, steps)
    rows = [
        (
            Cell(node.address(["*"] * len(node.fans)), "strong"),
            ", ".join(upstream_of(node)) or Cell("-", "quiet"),
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


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="List, show and run jobs.", no_args_is_help=True, rich_markup_mode=None)
    add(group, "list", list_jobs)
    add(group, "print", print_job)
    job_run.add_to(group)
    app.add_typer(group, name="job")
