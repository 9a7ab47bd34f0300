"""`deltaworks settings`: what is in force, and where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.output import Cell, Table, View

if TYPE_CHECKING:
    from deltaworks.engine.workspace.settings import Settings


def settings(session: Session) -> ExitCode:
    """Show the settings in force and where each comes from."""
    session.output.show(_view(session.settings()))
    return ExitCode.DONE


def _view(found: Settings) -> View:
    # Imported here: --help must not load pydantic and Polars.
    from deltaworks.engine.documents.settings import setting_text, settings_json

    rows = [
        (Cell(each.name, "strong"), setting_text(each.value), Cell(str(each.given), "quiet")) for each in found.listed()
    ]
    return View(
        settings_json(found), (Table(("setting", "value", "from"), rows), Cell(f"project {found.folder}", "quiet"))
    )


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "settings", settings)
