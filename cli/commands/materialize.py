"""`deltaworks materialize`: make partitions now, whatever their status."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deltaworks.cli.command import ExitCode, FromOption, PartitionOption, Session, ToOption, add
from deltaworks.cli.running import WorkersOption, run_plan


def materialize(
    session: Session,
    select: Annotated[list[str], typer.Argument(metavar="SELECT", help="a  a+  +a  group:g  *")],
    partition: PartitionOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    workers: WorkersOption = None,
) -> ExitCode:
    """Make partitions now, whatever their status."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.observe import observe
    from deltaworks.engine.planning import selection
    from deltaworks.engine.planning.plan import Only, plan
    from deltaworks.engine.planning.request import request

    project = session.load()
    asked = request(project.graph, selection.select(project.graph, select), partition or (), from_, to)
    observation = observe(project.graph, project.store)
    decided = plan(project.graph, observation.status, asked, frozenset({Only.ALL}))
    return run_plan(session, project, observation, decided, workers, " ".join(["materialize", *sys.argv[2:]]))


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "materialize", materialize)
