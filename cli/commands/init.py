"""`deltaworks init`: a runnable project with a month of real data."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.output import Cell, View
from deltaworks.errors import RequestError, StorageError

TEMPLATES = {
    "deltaworks.toml": "deltaworks.toml",
    "tables.py": "tables.py",
    "flights_2013_01.parquet": "flights_2013_01.parquet",
    ".gitignore": "gitignore",
}
"""The file of `cli/templates` that each file of a new project is a copy of."""


def init(
    session: Session,
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="Where; else here.")] = None,
) -> ExitCode:
    """Write a runnable project with a month of data."""
    target = folder or session.folder or Path()
    _write(target)
    commands = ["deltaworks check", "deltaworks backfill", "deltaworks status"]
    if target.resolve() != Path.cwd():
        commands.insert(0, f"cd {shlex.quote(str(target))}")
    document = {"folder": str(target.resolve()), "files": list(TEMPLATES), "next": commands}
    blocks = (
        Cell(f"Wrote {', '.join(TEMPLATES)} to {target.resolve()}\nNext:", "good"),
        *(Cell(f"  {command}", "strong") for command in commands),
    )
    session.output.show(View(document, blocks))
    return ExitCode.DONE


def _write(target: Path) -> None:
    """Write all files or, where one is there already, none.

    Raises:
        RequestError: a file is there already.
        StorageError: the folder cannot be written.
    """
    # Imported here: only this command reads the package's files.
    from importlib.resources import files

    templates = files("deltaworks.cli") / "templates"
    try:
        there = [name for name in TEMPLATES if (target / name).exists()]
        if there:
            raise RequestError(
                f"{target} already has {', '.join(there)}; nothing was written. Name an empty folder: "
                "`deltaworks init DIR`."
            )
        target.mkdir(parents=True, exist_ok=True)
        for name, template in TEMPLATES.items():
            with (target / name).open("xb") as file:
                file.write((templates / template).read_bytes())
    except OSError as error:
        raise StorageError(f"cannot write a project to {target}: {error.strerror or error}") from error


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "init", init)
