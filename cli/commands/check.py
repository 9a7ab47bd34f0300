"""`deltaworks check`: prove what can be proved without data and without a lake."""

from __future__ import annotations

import re
from typing import Any

import typer

from deltaworks.cli.command import ExitCode, SelectArgument, Session, add
from deltaworks.cli.output import Cell, View
from deltaworks.cli.wording import counted
from deltaworks.errors import DefinitionError


def check(session: Session, select: SelectArgument = None) -> ExitCode:
    """Check definitions and contracts; no data, no lake."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.planning import selection
    from deltaworks.engine.planning.code_version import unseen_values
    from deltaworks.engine.planning.contracts import check_contracts

    try:
        project = session.load(reads_lake=False)
    except DefinitionError as error:
        session.output.show(_view([_as_problem(error)], [], 0))
        return ExitCode.REFUSED
    chosen = set(map(str, selection.select_every(project.graph, select or ())))
    problems = [
        {
            "kind": problem.kind,
            "asset": problem.asset,
            "message": problem.message,
            "file": problem.file,
            "line": problem.line,
        }
        for problem in check_contracts(project.graph)
        if problem.asset in chosen
    ]
    notes = [
        {"asset": str(node.key), "name": value.name, "file": value.where.file, "line": value.where.line}
        for node in project.graph.every.values()
        if str(node.key) in chosen
        for value in unseen_values(node.asset)
    ]
    session.output.show(_view(problems, notes, len(chosen)))
    return ExitCode.REFUSED if problems else ExitCode.DONE


def _as_problem(error: DefinitionError) -> dict[str, Any]:
    kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
    file, line = (error.where.file, error.where.line) if error.where else (None, None)
    return {"kind": kind, "asset": error.asset, "message": error.reason, "file": file, "line": line}


def _view(problems: list[dict[str, Any]], notes: list[dict[str, Any]], assets: int) -> View:
    document = {"ok": not problems, "problems": problems, "notes": notes}
    noted = [Cell(_note_text(note), "stale") for note in notes]
    if not problems:
        return View(document, (*noted, Cell(f"{counted(assets, 'asset')}: no problems found", "good")))
    lines = [Cell(f"{_place(problem)}{problem['message']}", "bad") for problem in problems]
    return View(document, (*noted, *lines, Cell(f"{counted(len(problems), 'problem')} found", "strong")))


def _note_text(note: dict[str, Any]) -> str:
    return (
        f"note: {note['asset']} reads {note['name']} ({note['file']}:{note['line']}), whose changes its code version "
        "cannot see; if they matter, say so by @asset(code_version=...)"
    )


def _place(problem: dict[str, Any]) -> str:
    return f"{problem['file']}:{problem['line']}: " if problem["file"] else ""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "check", check)
