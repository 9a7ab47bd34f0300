"""`deltaworks check`: prove what can be proved without data and without a lake.

Of tables that others write the logs are looked at, where they are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, SelectArgument, Session, add
from deltaworks.cli.delegating import delegated
from deltaworks.cli.output import Cell, View
from deltaworks.cli.range_safety import check_ranges
from deltaworks.cli.wording import counted
from deltaworks.errors import DefinitionError, InvalidDefinition, LocationFailed, RequestError

if TYPE_CHECKING:
    from deltaworks.engine.definitions.keys import AssetKey
    from deltaworks.engine.planning.contracts import Findings, Problem
    from deltaworks.engine.planning.graph import AssetGraph, Node
    from deltaworks.engine.workspace.project import Project
    from deltaworks.engine.workspace.proof import UnfitJob

_SHOWN = 5
"""How many assets are named in a line."""

WriteSchemaOption = Annotated[
    str | None,
    typer.Option("--write-schema", metavar="ASSET", help="Print a pandera model of the asset's result instead."),
]


RangeSafeOption = Annotated[
    bool,
    typer.Option(
        "--range-safe", help="Make some partitions in one range and one by one, and compare; no table is written."
    ),
]


def check(
    session: Session,
    select: SelectArgument = None,
    write_schema: WriteSchemaOption = None,
    range_safe: RangeSafeOption = False,
) -> ExitCode:
    """Check definitions and contracts; no data, no lake."""
    if write_schema is not None:
        if select:
            raise RequestError("--write-schema is about one asset: leave out the selection.")
        return _write_schema(session, write_schema)
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.observe import unreadable_tables
    from deltaworks.engine.planning import selection
    from deltaworks.engine.workspace.showing import prove_project

    try:
        project = session.load_quietly(reads_lake=range_safe)
    except DefinitionError as error:
        session.output.show(_view([_as_problem(error)], [], _functions(None, set()), ""))
        return ExitCode.REFUSED
    selected = selection.select_every(project.graph, select or ())
    checks = (str(each.check.key) for key in selected for each in project.graph.every[key].checks)
    chosen = {*map(str, selected), *checks}
    proof, unasked = prove_project(project)
    findings = proof.findings
    problems = [_as_problem(each) for each in _of_location((*project.problems, *unasked), session.location)]
    problems += [_problem_json(problem) for problem in findings.problems if problem.asset in chosen]
    problems += [
        _unreadable_json(project.graph.nodes[key], fault)
        for key, fault in unreadable_tables(project.graph, project.store)
        if str(key) in chosen
    ]
    if not select:
        problems += [_unfit_json(each) for each in proof.unfit]
    if range_safe and not problems and project.workspace is not None:
        return delegated(session, project, _only_location(project, selected))
    if range_safe and not problems:
        return check_ranges(session, project, selected)
    notes = [
        {"asset": value.asset, "name": value.name, "file": value.where.file, "line": value.where.line}
        for value in proof.unseen
        if value.asset in chosen
    ]
    session.output.show(
        _view(problems, notes, _functions(findings, chosen), _counted(project.graph, {*map(str, selected)}))
    )
    return ExitCode.REFUSED if problems else ExitCode.DONE


def _write_schema(session: Session, name: str) -> ExitCode:
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.workspace.model_source import model_source

    project = session.load(reads_lake=False)
    foreign = project.graph.node(name).asset.foreign
    if foreign is not None:
        return delegated(session, project, foreign.location)
    source = model_source(project.graph, project.store, name)
    session.output.show(View({"asset": name, "schema": source}, (source.rstrip("\n"),)))
    return ExitCode.DONE


def _only_location(project: Project, selected: Iterable[AssetKey]) -> str:
    """Return the location of some assets.

    Raises:
        RequestError: they are of several.
    """
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.planning.strata import location_of

    names = dict.fromkeys(location_of(project.graph, key) for key in selected)
    if len(names) != 1:
        raise RequestError(f"--range-safe looks at one location at a time: say --location {' or '.join(names)}.")
    return next(iter(names))


def _of_location(problems: Iterable[DefinitionError], location: str | None) -> Iterator[DefinitionError]:
    """Yield what is wrong with code locations, of all of them or of one."""
    for problem in problems:
        if location is None or not isinstance(problem, LocationFailed) or problem.location == location:
            yield problem


def _as_problem(error: DefinitionError) -> dict[str, Any]:
    kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
    file, line = (error.where.file, error.where.line) if error.where else (None, None)
    return {"kind": kind, "asset": error.asset, "message": error.reason, "file": file, "line": line}


def _problem_json(problem: Problem) -> dict[str, Any]:
    other = problem.upstream
    return {
        "kind": problem.kind,
        "asset": problem.asset,
        "message": problem.message,
        "file": problem.file,
        "line": problem.line,
        **({} if other is None else {"upstream_file": other.file, "upstream_line": other.line}),
    }


def _unfit_json(unfit: UnfitJob) -> dict[str, Any]:
    error = InvalidDefinition(unfit.reason, where=unfit.where)
    return _as_problem(error) | {"kind": "unfit_job", "job": unfit.job}


def _unreadable_json(node: Node, fault: str) -> dict[str, Any]:
    where = node.asset.where
    return {
        "kind": "unreadable_table",
        "asset": str(node.key),
        "message": fault,
        "file": where.file,
        "line": where.line,
    }


def _functions(findings: Findings | None, chosen: set[str]) -> dict[str, list[Any]]:
    """Return which functions were rehearsed to their end, and which were left, with the reason."""
    if findings is None:
        return {"proved": [], "opaque": []}
    wrong = {problem.asset for problem in findings.problems}
    proved = [str(key) for key in (*findings.results, *findings.checked)]
    left = {str(key): reason for key, reason in findings.left.items()}
    return {
        "proved": [asset for asset in proved if asset in chosen and asset not in wrong],
        "opaque": [{"asset": asset, "reason": reason} for asset, reason in left.items() if asset in chosen],
    }


def _view(
    problems: list[dict[str, Any]], notes: list[dict[str, Any]], functions: Mapping[str, list[Any]], checked: str
) -> View:
    document = {"ok": not problems, "problems": problems, "notes": notes, **functions}
    told = [Cell(_note_text(note), "stale") for note in notes]
    told += [Cell(text, "quiet") for text in _function_texts(functions)]
    told += [Cell(f"{_place(problem)}{problem['message']}", "bad") for problem in problems]
    if problems:
        return View(document, (*told, Cell(f"{counted(len(problems), 'problem')} found", "strong")))
    return View(document, (*told, Cell(f"{checked}: no problems found", "good")))


def _counted(graph: AssetGraph, chosen: set[str]) -> str:
    """Return how many assets were checked, those without a table apart."""
    views = sum(str(key) in chosen for key in graph.views)
    return counted(len(chosen) - views, "asset") + (f" and {counted(views, 'view')}" if views else "")


def _function_texts(functions: Mapping[str, list[Any]]) -> Iterator[str]:
    """Yield which functions were proved, and a line for each reason why others were not rehearsed."""
    if functions["proved"]:
        yield f"proved: {counted(len(functions['proved']), 'function')} ({_listed(functions['proved'])})"
    by_reason: dict[str, list[str]] = {}
    for each in functions["opaque"]:
        by_reason.setdefault(each["reason"], []).append(each["asset"])
    for reason, names in by_reason.items():
        yield f"not rehearsed: {_listed(names)}, since {'it' if len(names) == 1 else 'each'} {reason}"


def _listed(names: list[str]) -> str:
    more = [f"{len(names) - _SHOWN:,} more"] if len(names) > _SHOWN else []
    return ", ".join([*names[:_SHOWN], *more])


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
