"""`deltaworks backfill`: make what is missing, stale or failed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deltaworks.cli.command import ExitCode, FromOption, PartitionOption, SelectArgument, Session, ToOption, add
from deltaworks.cli.commands.plan import plan_view
from deltaworks.cli.only import OnlyOption, read_only
from deltaworks.cli.running import WorkersOption, run_plan


def backfill(
    session: Session,
    select: SelectArgument = None,
    partition: PartitionOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    only: OnlyOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and run nothing.")] = False,
    workers: WorkersOption = None,
) -> ExitCode:
    """Make what is missing, stale or failed."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.observe import observe
    from deltaworks.engine.planning import plan as planning
    from deltaworks.engine.planning import selection
    from deltaworks.engine.planning.request import request

    project = session.load()
    asked = request(project.graph, selection.select(project.graph, select or ()), partition or (), from_, to)
    observation = observe(project.graph, project.store)
    decided = planning.plan(project.graph, observation.status, asked, read_only(only))
    if dry_run:
        session.output.show(plan_view(decided, project.graph))
        return ExitCode.DONE
    return run_plan(session, project, observation, decided, workers, " ".join(["backfill", *sys.argv[2:]]))


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "backfill", backfill)
