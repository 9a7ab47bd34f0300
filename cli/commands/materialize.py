"""`deltaworks materialize`: make partitions now, whatever their status."""

from __future__ import annotations

import shlex
import sys

import typer

from deltaworks.cli.command import ExitCode, FromOption, NeededSelectArgument, PartitionOption, Session, ToOption, add
from deltaworks.cli.observing import observe_and_decide
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
    from deltaworks.engine.planning.plan import Only

    project = session.load()
    only = frozenset({Only.ALL})
    command = shlex.join(["materialize", *sys.argv[2:]])
    named = partition or ()
    seen, decision = observe_and_decide(session, project, select, named, from_, to, only=only, command=command)
    if decision.asked.is_about_nothing:
        raise RequestError(f"{shlex.join(select)} selects no asset, so there is nothing to materialize.")
    return run_plan(session, project, seen, decision, workers, command)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "materialize", materialize)
