"""`deltaworks maintain`: keep tables small and quick to read: compact, vacuum, sweep, describe, checkpoint, fold."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, SelectArgument, Session, add
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.wording import SHOWN_RANGES, bytes_text, counted
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deltaworks.engine.execution.repairs.upkeep import TableUpkeep, UpkeepReport
    from deltaworks.io.compact import Compaction

_MOST_DAYS = 100_000

_UNITS = {"": 1, "b": 1} | {
    spelled: factor**power
    for power, letter in enumerate("kmgt", start=1)
    for spelled, factor in ((letter, 1000), (f"{letter}b", 1000), (f"{letter}ib", 1024))
}


def maintain(
    session: Session,
    select: SelectArgument = None,
    retention_days: Annotated[
        float | None,
        typer.Option(
            "--retention-days",
            min=0,
            max=_MOST_DAYS,
            metavar="N",
            help="Vacuum data files that a table has had no longer for N days; else as each asset says, or 30. What "
            "the present content of other tables was made from stays, and what a run that is at work may read. 0: all "
            "that was removed before this call; who still reads an earlier version loses its files.",
        ),
    ] = None,
    target_size: Annotated[
        str,
        typer.Option(
            "--target-size",
            metavar="SIZE",
            help="Files smaller than half of it are put together, partition by partition.",
        ),
    ] = "128MB",
    z_order: Annotated[
        list[str] | None,
        typer.Option(
            "--z-order",
            metavar="COL[,COL]",
            help="Sort each partition of the one asset so that rows near in all of these columns lie near each other; "
            "holds one partition at a time in memory.",
        ),
    ] = None,
    older_than_days: Annotated[
        int,
        typer.Option(
            "--older-than-days",
            min=1,
            max=_MOST_DAYS,
            metavar="N",
            help="Age of leftovers, and of what is kept of partitions that failed. A run that is not done a day before "
            "that must stage its files again.",
        ),
    ] = 7,
    fold_after_days: Annotated[
        int,
        typer.Option(
            "--fold-after-days",
            min=0,
            max=_MOST_DAYS,
            metavar="N",
            help="Age of runs that the ledger keeps as Parquet.",
        ),
    ] = 7,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done and do nothing.")] = False,
) -> ExitCode:
    """Compact, vacuum, sweep, describe; fold the ledger."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.observe import observe
    from deltaworks.engine.execution.opening import refuse_external
    from deltaworks.engine.execution.repairs import upkeep
    from deltaworks.engine.planning import selection
    from deltaworks.io.scattered import Layout

    care = upkeep.Care(
        older_than=dt.timedelta(days=older_than_days),
        retention=None if retention_days is None else dt.timedelta(days=retention_days),
        fold_after=dt.timedelta(days=fold_after_days),
        layout=Layout(_size_bytes(target_size), _columns(z_order or ())),
    )
    project = session.load()
    graph, store = project.graph, project.store
    chosen = selection.select(graph, select or (), lambda: observe(graph, store).status)
    nodes = [graph.nodes[key] for key in chosen]
    if len(nodes) == 1 and select:
        refuse_external(nodes[0].asset, "maintained")
    if dry_run:
        report = upkeep.find_upkeep(graph, store, nodes, care, session.now())
    else:
        report = upkeep.maintain(graph, store, nodes, care, session.now)
    session.output.show(_view(report, dry_run=dry_run))
    return ExitCode.FAILED if any(each.problem for each in report.tables) else ExitCode.DONE


def _columns(named: Sequence[str]) -> tuple[str, ...]:
    columns = (column.strip() for each in named for column in each.split(","))
    return tuple(dict.fromkeys(column for column in columns if column))


def _size_bytes(text: str) -> int:
    """Return a size in bytes.

    Raises:
        RequestError: it is none, or nothing.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    size_bytes = int(float(found[1]) * _UNITS[found[2]]) if found and found[2] in _UNITS else 0
    if size_bytes < 1:
        raise RequestError(f"--target-size {text!r} is no size; write one such as 128MB or 1GiB.")
    return size_bytes


def _view(report: UpkeepReport, *, dry_run: bool) -> View:
    document = {
        "dry_run": dry_run,
        "taken_over_from": report.taken_over_from,
        "assets": [_json(each) for each in report.tables],
        "folded_runs": report.folded_runs,
        "folded_run_keys": report.folded_keys,
        "totals": {
            "removed": sum(len(each.removed) for each in report.tables),
            "bytes": sum(file.size_bytes for each in report.tables for file in each.removed),
            "vacuumed": sum(len(each.vacuumed) for each in report.tables),
            "compacted": sum(each.compacted.partitions for each in report.tables),
            "freed_bytes": sum(each.freed_bytes for each in report.tables),
        },
    }
    rows = [
        (
            Cell(_name(each), "strong"),
            _compacted(each.compacted),
            f"{len(each.vacuumed):,}",
            f"{len(each.removed):,}",
            bytes_text(each.freed_bytes),
            ", ".join(_more(each)),
        )
        for each in report.tables
        if each.did_anything
    ]
    table = [Table(("asset", "compacted", "vacuumed#", "leftovers#", "freed#", "also"), rows)] if rows else []
    return View(document, (*table, *_lines(report, dry_run=dry_run)))


def _compacted(compacted: Compaction) -> str:
    if not compacted.partitions:
        return "-"
    return f"{counted(compacted.files_before, 'file')} into {compacted.files_after:,}"


def _more(each: TableUpkeep) -> Iterator[str]:
    if each.described:
        yield "description"
    if each.checkpoint:
        yield "checkpoint"


def _lines(report: UpkeepReport, *, dry_run: bool) -> Iterator[Cell]:
    if report.taken_over_from is not None:
        yield Cell(f"The claim of {report.taken_over_from} was taken over: it died without an end.", "stale")
    for each in report.tables:
        if each.problem is not None:
            yield Cell(f"{_name(each)}: {each.problem}", "bad")
        if each.left_alone is not None:
            yield Cell(f"{_name(each)}: {each.left_alone}", "quiet")
        if each.compacted.dropped:
            dropped = counted(len(each.compacted.dropped), "partition")
            yield Cell(f"{_name(each)}: {dropped} not compacted, since others changed them meanwhile", "stale")
        if each.vacuumed and each.unreadable:
            yield Cell(f"{_name(each)}: {_unreadable(each.unreadable, dry_run=dry_run)}", "stale")
    folded = "would be folded" if dry_run else "folded"
    if report.folded_runs:
        yield Cell(f"{counted(report.folded_runs, 'run')} of the ledger {folded} into Parquet", "good")
    if report.folded_keys:
        yield Cell(f"{counted(report.folded_keys, 'run key')} of schedules and sensors {folded}", "good")
    files = sum(len(each.removed) + len(each.vacuumed) for each in report.tables)
    if files:
        freed = bytes_text(sum(each.freed_bytes for each in report.tables))
        yield Cell(f"{counted(files, 'file')} ({freed}) {'would be deleted' if dry_run else 'deleted'}", "good")
    elif (
        not report.folded_runs
        and not report.folded_keys
        and not any(each.did_anything or each.problem for each in report.tables)
    ):
        yield Cell("Nothing to do.", "good")


def _unreadable(ranges: Sequence[tuple[int, int]], *, dry_run: bool) -> str:
    """Say which versions of a table lack data files; in between may be some from which something current was made."""
    first, before = ranges[0][0], ranges[-1][1] + 1
    could = "could then no longer be read whole" if dry_run else "can no longer be read whole"
    if len(ranges) == 1 and first <= 1:  # the first version only creates the table
        return f"versions before {before} {could}"
    spelled = [str(low) if low == high else f"{low} to {high}" for low, high in ranges[-SHOWN_RANGES:]]
    more = f"{len(ranges) - SHOWN_RANGES} earlier ranges, " if len(ranges) > SHOWN_RANGES else ""
    single = len(ranges) == 1 and ranges[0][0] == ranges[0][1]
    return f"version{'' if single else 's'} {more}{', '.join(spelled)} {could}"


def _json(each: TableUpkeep) -> dict[str, Any]:
    compacted = each.compacted
    return {
        "asset": None if each.node is None else str(each.node.key),
        "removed": len(each.removed),
        "bytes": sum(file.size_bytes for file in each.removed),
        "files": [file.path for file in each.removed],
        "compacted": {
            "partitions": compacted.partitions,
            "files_before": compacted.files_before,
            "files_after": compacted.files_after,
            "bytes_before": compacted.bytes_before,
            "bytes_after": compacted.bytes_after,
            "dropped": list(compacted.dropped),
        },
        "vacuumed": {
            "files": len(each.vacuumed),
            "bytes": sum(file.size_bytes for file in each.vacuumed),
        },
        "unreadable_versions": [list(versions) for versions in each.unreadable],
        "described": each.described,
        "checkpoint": each.checkpoint,
        "freed_bytes": each.freed_bytes,
        "left_alone": each.left_alone,
        "problem": each.problem,
    }


def _name(each: TableUpkeep) -> str:
    return "(engine)" if each.node is None else str(each.node.key)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "maintain", maintain)
