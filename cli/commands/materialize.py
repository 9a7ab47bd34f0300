"""`deltaworks materialize`: make partitions now, whatever their status."""

from __future__ import annotations

import shlex
import sys

import typer

from deltaworks.cli.command import ExitCode, FromOption, NeededSelectArgument, PartitionOption, Session, ToOption, add
from deltaworks.cli.running import WorkersOption, run_plan
from deltaworks.errors import RequestError


def materialize(
    session: Session,
    select: NeededSelectArgument,
    partition: PartitionOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    workers: WorkersOption = None,
) -> ExitCode:
    """Make partitions now, whatever their status."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.decide import decide
    from deltaworks.engine.planning.plan import Only

    project = session.load()
    only = frozenset({Only.ALL})
    decision = decide(project.graph, project.store, select, partition or (), from_, to, only=only)
    if decision.asked.is_about_nothing:
        raise RequestError(f"{shlex.join(select)} selects no asset, so there is nothing to materialize.")
    return run_plan(session, project, decision, workers, shlex.join(["materialize", *sys.argv[2:]]))


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "materialize", materialize)
