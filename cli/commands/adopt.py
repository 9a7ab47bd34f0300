"""`deltaworks adopt`: make a Delta table that others made an asset's table."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.output import Cell, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deltaworks.io.adopt import Change
    from deltaworks.io.table import Table


def adopt(session: Session, asset: Annotated[str, typer.Argument(metavar="ASSET", help="An asset.")]) -> ExitCode:
    """Take over a Delta table made elsewhere."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.repairs.takeover import take_over

    project = session.load()
    node = project.graph.node(asset)
    table, changes = take_over(node, project.store)
    session.output.show(_view(str(node.key), table, changes))
    return ExitCode.DONE


def _view(asset: str, table: Table, changes: Sequence[Change]) -> View:
    document = {
        "asset": asset,
        "table": table.store.uri(table.name),
        "version": table.version,
        "changed": [asdict(change) for change in changes],
    }
    if not changes:
        return View(document, (Cell(f"{asset}: its table is as it must be; nothing was changed", "good"),))
    lines = [
        Cell(f"{asset}: {change.name} is {change.after!r} now; it was {change.before or 'not set'!r}")
        for change in changes
    ]
    done = (
        f"{asset}: adopted at version {table.version}; `deltaworks status {asset}` shows what others wrote as external"
    )
    return View(document, (*lines, Cell(done, "good")))


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "adopt", adopt)
