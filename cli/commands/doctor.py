"""`deltaworks doctor`: what is wrong with the lake, and what repairs it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from deltaworks.cli.command import ExitCode, Session, add
from deltaworks.cli.output import Cell, View
from deltaworks.cli.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deltaworks.io.diagnose import Problem


def doctor(
    session: Session,
    rebuild_index: Annotated[
        bool, typer.Option("--rebuild-index", help="First make the indexes anew from the logs.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Do the repairs that only delete what is no use to anybody.")
    ] = False,
) -> ExitCode:
    """Find damage, gaps and leftovers; say the repair, or do it."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution import diagnosis
    from deltaworks.io import diagnose

    project = session.load()
    if rebuild_index:
        diagnosis.rebuild_indexes(project.graph, project.store)
    problems = list(diagnosis.diagnose(project.graph, project.store, session.now()))
    repaired = diagnose.repair(project.store, problems) if repair else []
    if repaired:
        problems = list(diagnosis.diagnose(project.graph, project.store, session.now()))
    session.output.show(_view(problems, repaired, len(project.graph.nodes)))
    return ExitCode.FAILED if problems else ExitCode.DONE


def _view(problems: Sequence[Problem], repaired: Sequence[Problem], tables: int) -> View:
    document = {
        "ok": not problems,
        "problems": [asdict(problem) for problem in problems],
        "repaired": [asdict(problem) for problem in repaired],
    }
    done = [Cell(f"repaired: {problem.asset or 'lake'}: {problem.message}", "good") for problem in repaired]
    if not problems:
        left = "left" if repaired else "found"
        return View(document, (*done, Cell(f"{counted(tables, 'table')}: no problems {left}", "good")))
    lines = [
        line
        for problem in problems
        for line in (
            Cell(f"{problem.asset or 'lake'}: {problem.message}", "bad"),
            Cell(f"    repair: {problem.repair}", "quiet"),
        )
    ]
    return View(document, (*done, *lines, Cell(f"{counted(len(problems), 'problem')} found", "strong")))


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "doctor", doctor)
