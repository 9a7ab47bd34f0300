"""`deltaworks maintain`: delete leftovers and write the checkpoints that are due."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, SelectArgument, Session, add
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.wording import bytes_text, counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deltaworks.engine.execution.upkeep import TableUpkeep, UpkeepReport


def maintain(
    session: Session,
    select: SelectArgument = None,
    older_than_days: Annotated[
        int,
        typer.Option(
            "--older-than-days",
            min=1,
            metavar="N",
            help="Age of leftovers. A run that is not done a day before that must stage its files again.",
        ),
    ] = 7,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done and do nothing.")] = False,
) -> ExitCode:
    """Delete what dead runs left; write checkpoints."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution import upkeep
    from deltaworks.engine.execution.observe import observe
    from deltaworks.engine.execution.opening import refuse_external
    from deltaworks.engine.planning import selection

    project = session.load()
    chosen = selection.select(project.graph, select or (), lambda: observe(project.graph, project.store).status)
    nodes = [project.graph.nodes[key] for key in chosen]
    if len(nodes) == 1 and select:
        refuse_external(nodes[0].asset, "maintained")
    older_than = dt.timedelta(days=older_than_days)
    if dry_run:
        report = upkeep.find_upkeep(project.store, nodes, older_than, session.now())
    else:
        report = upkeep.maintain(project.store, nodes, older_than)
    session.output.show(_view(report, dry_run=dry_run))
    return ExitCode.FAILED if any(each.problem for each in report.tables) else ExitCode.DONE


def _view(report: UpkeepReport, *, dry_run: bool) -> View:
    document = {
        "dry_run": dry_run,
        "taken_over_from": report.taken_over_from,
        "assets": [_json(each) for each in report.tables],
        "totals": {
            "removed": sum(len(each.removed) for each in report.tables),
            "bytes": sum(map(_size_bytes, report.tables)),
        },
    }
    telling = [each for each in report.tables if each.removed or each.checkpoint]
    rows = [
        (
            Cell(_name(each), "strong"),
            f"{len(each.removed):,}",
            bytes_text(_size_bytes(each)),
            "written" if each.checkpoint and not dry_run else "due" if each.checkpoint else "",
        )
        for each in telling
    ]
    table = [Table(("asset", "leftovers#", "size#", "checkpoint"), rows)] if rows else []
    return View(document, (*table, *_lines(report, dry_run=dry_run)))


def _lines(report: UpkeepReport, *, dry_run: bool) -> Iterator[Cell]:
    if report.taken_over_from is not None:
        yield Cell(f"The claim of {report.taken_over_from} was taken over: it died without an end.", "stale")
    for each in report.tables:
        if each.problem is not None:
            yield Cell(f"{_name(each)}: {each.problem}", "bad")
    removed, size_bytes = sum(len(each.removed) for each in report.tables), sum(map(_size_bytes, report.tables))
    verb = "would be removed" if dry_run else "removed"
    yield Cell(f"{counted(removed, 'leftover file')} ({bytes_text(size_bytes)}) {verb}", "good")


def _json(each: TableUpkeep) -> dict[str, Any]:
    return {
        "asset": None if each.node is None else str(each.node.key),
        "removed": len(each.removed),
        "bytes": _size_bytes(each),
        "files": [file.path for file in each.removed],
        "checkpoint": each.checkpoint,
        "problem": each.problem,
    }


def _name(each: TableUpkeep) -> str:
    return "(engine)" if each.node is None else str(each.node.key)


def _size_bytes(each: TableUpkeep) -> int:
    return sum(file.size_bytes for file in each.removed)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "maintain", maintain)
