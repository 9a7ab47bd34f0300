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
    listed = list(found.listed())
    document = {
        "folder": str(found.folder),
        "settings": [
            {"setting": each.name, "value": each.value, "from": each.given.source.value, "name": each.given.name}
            for each in listed
        ],
    }
    rows = [(Cell(each.name, "strong"), _spelled(each.value), Cell(str(each.given), "quiet")) for each in listed]
    return View(document, (Table(("setting", "value", "from"), rows), Cell(f"project {found.folder}", "quiet")))


def _spelled(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(map(str, value)) or "-"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        case dict():
            return ", ".join(f"{name} = {each}" for name, each in value.items()) or "-"  # pyright: ignore[reportUnknownVariableType]
        case _:
            return str(value)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "settings", settings)
