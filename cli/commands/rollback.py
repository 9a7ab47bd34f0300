"""`deltaworks rollback`: give a table the content of an earlier version."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from deltaworks.cli.command import ExitCode, PartitionOption, Session, add
from deltaworks.cli.repairing import show_repair
from deltaworks.errors import RequestError


def rollback(
    session: Session,
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="An asset.")],
    to: Annotated[str | None, typer.Option("--to", metavar="vN", help="The version to go back to.")] = None,
    partition: PartitionOption = None,
) -> ExitCode:
    """Give a table, or some partitions, an earlier content."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.repairs.repair import Keys
    from deltaworks.engine.execution.repairs.rollback import roll_back
    from deltaworks.engine.workspace.versions import read_version

    if to is None:
        raise RequestError(f"Where to? `deltaworks history {asset}` lists the versions; name one by --to v12.")
    version = read_version(to)
    project = session.load()
    node = project.graph.node(asset)
    command = shlex.join(["rollback", *sys.argv[2:]])
    keys = Keys(partition or ())
    done = roll_back(project.graph, node, project.store, version, keys, command=command, now=session.now)
    return show_repair(
        session,
        project,
        node,
        done,
        changed=f"as at version {version}",
        emptied=f"without content, as at version {version}",
        unchanged=f"nothing to do, as at version {version} already",
    )


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "rollback", rollback)
