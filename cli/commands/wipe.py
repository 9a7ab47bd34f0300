"""`deltaworks wipe`: delete the content of partitions, or of a whole table."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from deltaworks.cli.command import ExitCode, FromOption, PartitionOption, Session, ToOption, add
from deltaworks.cli.repairing import show_repair
from deltaworks.errors import RequestError


def wipe(
    session: Session,
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="An asset.")],
    partition: PartitionOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Wipe a whole table without being asked.")] = False,
) -> ExitCode:
    """Delete the content of partitions or of a whole table."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.repairs import wipe as wiping
    from deltaworks.engine.execution.repairs.repair import Keys

    project = session.load()
    node = project.graph.node(asset)
    keys = Keys(partition or (), from_, to)
    if not keys.are_given and not yes:
        _ask(str(node.key))
    command = shlex.join(["wipe", *sys.argv[2:]])
    done = wiping.wipe(project.graph, node, project.store, keys, command=command, now=session.now)
    words = "wiped; `deltaworks rollback` brings it back until vacuum removes its files"
    if project.graph.is_source(node.key):
        words = "forgotten; the next run observes it again"
    return show_repair(
        session, project, node, done, changed="", emptied=words, unchanged="nothing to do, without content already"
    )


def _ask(asset: str) -> None:
    """Ask whether a whole table is meant.

    Raises:
        RequestError: nobody can be asked, or the answer is no.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise RequestError(
            f"This would wipe the whole table of {asset}: say so by --yes, or name partitions by --partition."
        )
    if not typer.confirm(f"Wipe the whole table of {asset}?", err=True):
        raise RequestError("Nothing was wiped.")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "wipe", wipe)
