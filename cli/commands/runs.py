"""`deltaworks runs`: which runs there were, how each ended and what failed; from the ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from deltaworks.cli.broken import BrokenPartition, broken_lines, near
from deltaworks.cli.checked import check_lines
from deltaworks.cli.command import ExitCode, RunArgument, Session, add
from deltaworks.cli.commands import run_logs, run_retry, run_steps, run_stops
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.pacing import current_text, left_text, rate_text
from deltaworks.cli.wording import counted, left_out_text
from deltaworks.engine.documents.instants import duration_text, instant_text
from deltaworks.engine.documents.problems import plain_reason
from deltaworks.engine.documents.runs import run_json, run_took, summary_json

if TYPE_CHECKING:
    from deltaworks.engine.execution.jobs.step_tree import StepBranch
    from deltaworks.io.kept import KeptRows
    from deltaworks.io.run_entry import Failure, RunEntry
    from deltaworks.io.store import Store

SHOWN_FAILURES = 20
"""How many failures of a run stand in the table for people; --json has them all."""

_SHOWN_KEYS = 3

_TONES = {
    "success": "good",
    "failure": "bad",
    "lost": "bad",
    "canceled": "stale",
    "running": "strong",
    "queued": "quiet",
}


def list_runs(
    session: Session, rows: Annotated[int, typer.Option("-n", min=0, metavar="N", help="How many runs.")] = 20
) -> ExitCode:
    """List runs, the latest first."""
    # Imported here: --help must not load Polars.
    from deltaworks.io.ledger import read_runs

    runs = read_runs(session.open_lake())
    session.output.show(_list_view(runs[::-1][:rows], len(runs), session.now()))
    return ExitCode.DONE


def show_run(session: Session, run: RunArgument = "latest") -> ExitCode:
    """Show how a run went, what failed, and what is kept of it."""
    # Imported here: --help must not load Polars.
    from deltaworks.io.kept import find_kept
    from deltaworks.io.ledger import find_run, read_runs

    store = session.open_lake()
    found = find_run(read_runs(store), run)
    is_over = found.status_at(session.now()).is_over
    steps = run_steps.steps_of(store, found, is_over=is_over)
    session.output.show(_run_view(found, steps, find_kept(store, found.run_id), store, session))
    return ExitCode.DONE


def _list_view(runs: list[RunEntry], total: int, now: dt.datetime) -> View:
    document = [summary_json(run, now) for run in runs]
    if not total:
        return View(document, (Cell("No run yet: `deltaworks backfill` starts one.", "quiet"),))
    rows = [
        (
            Cell(run.run_id, "strong"),
            _status_cell(run, now),
            instant_text(run.started_at),
            duration_text(run_took(run, now)),
            f"{run.materialized:,}" if run.kind.deed == "made" else f"{run.replaced:,} {run.kind.deed}",
            Cell(f"{run.failed:,}", "bad" if run.failed else "quiet"),
            f"{run.skipped:,}",
            run.command,
        )
        for run in runs
    ]
    headings = ("run", "status", "started (UTC)", "took#", "made#", "failed#", "skipped#", "command")
    return View(document, (Table(headings, rows), Cell(f"{len(runs):,} of {counted(total, 'run')}", "quiet")))


def _run_view(
    run: RunEntry, steps: Sequence[StepBranch], kept: Sequence[KeptRows], store: Store, session: Session
) -> View:
    by_partition = {(each.file.asset, each.partition): each for each in kept}
    now = session.now()
    facts = Table(
        ("run", run.run_id),
        [*_facts(run, now), *(_done(run) if not steps else [("steps", run_steps.steps_text(steps))])],
    )
    return View(
        run_json(run, steps, kept, store, now),
        (
            facts,
            *_steps(run),
            *run_steps.steps_table(steps),
            *(() if steps else _failures(run, by_partition)),
            *check_lines(run),
            *_kept_lines(kept, store, session.output.width),
        ),
    )


def _kept_lines(kept: Sequence[KeptRows], store: Store, width: int) -> Iterator[Cell]:
    """Yield what the partitions broke whose rows are still there, those that broke the same rules together."""
    # Imported here: --help must not load Polars.
    from deltaworks.io.kept import KEPT_FOR

    alike: dict[tuple[str, object], list[tuple[KeptRows, BrokenPartition]]] = {}
    for each in kept:
        if each.is_damaged:
            yield Cell(f"kept: {near(store.uri(each.file.path))} was not written to its end", "stale")
            continue
        broken = BrokenPartition(each.rules, store.uri(each.file.path))
        alike.setdefault((each.file.asset, broken.broke), []).append((each, broken))
    for (asset, _), found in list(alike.items())[:SHOWN_FAILURES]:
        keys = [each.partition for each, _ in found if each.partition is not None]
        more = f" and {len(keys) - _SHOWN_KEYS:,} more" if len(keys) > _SHOWN_KEYS else ""
        yield Cell(f"broken: {asset} {', '.join(keys[:_SHOWN_KEYS])}{more}".rstrip(), "bad")
        until = min(each.modified_at for each, _ in found) + KEPT_FOR
        yield from broken_lines([broken for _, broken in found], f"kept until {until:%Y-%m-%d}", width)
    hidden = sum(map(len, list(alike.values())[SHOWN_FAILURES:]))
    if hidden:
        yield Cell(f"broken: {counted(hidden, 'partition')} more; --json lists them all", "bad")


def _facts(run: RunEntry, now: dt.datetime) -> Iterator[tuple[str, str | Cell]]:
    yield "status", _status_cell(run, now)
    if run.reason is not None:
        yield "reason", run.reason
    if run.waits_for is not None and not run.status.is_over:
        yield "waits for", run.waits_for
    if run.attempt > 1:
        before = ", ".join(f"{each.number} ({each.status})" for each in run.earlier)
        yield "attempt", f"{run.attempt}, after {before}" if before else str(run.attempt)
    yield "command", run.command
    if run.job is not None:
        yield "job", run.job if run.job_partition is None else f"{run.job} for {run.job_partition}"
    if run.tick is not None:
        yield "asked for by", run.tick
    if run.tags:
        yield "tags", ", ".join(run.tags)
    if run.priority:
        yield "priority", str(run.priority)
    for asset, values in run.config.items():
        yield f"config of {asset}", ", ".join(f"{field}={value}" for field, value in values.items())
    yield "started", f"{instant_text(run.started_at)} UTC"
    if run.ended_at is not None:
        yield "ended", f"{instant_text(run.ended_at)} UTC"
    elif run.heartbeat_at is not None:
        yield "last sign", f"{instant_text(run.heartbeat_at)} UTC"
    yield "took", duration_text(run_took(run, now))
    yield from _whereabouts(run)


def _whereabouts(run: RunEntry) -> Iterator[tuple[str, str | Cell]]:
    if run.dashboard is not None:
        yield "dashboard", run.dashboard
    if run.host is not None:
        place = run.host if run.pid is None else f"{run.host}, process {run.pid}"
        yield "on", place if run.user is None else f"{place}, by {run.user}"


def _done(run: RunEntry) -> Iterator[tuple[str, str | Cell]]:
    """Yield what became of partitions."""
    done = run.materialized + run.replaced
    as_told = ", as far as it could say" if run.is_gone else ""
    before = sum(each.materialized for each in run.earlier)
    more = f", {done + before:,} with earlier attempts" if before else ""
    yield run.kind.deed, f"{counted(done, 'partition')} in {counted(run.commits, 'commit')}{more}{as_told}"
    if run.dropped or run.quarantined:
        yield "rows left out", left_out_text(run.dropped, run.quarantined)
    yield "failed", counted(run.failed, "partition")
    yield "skipped", counted(run.skipped, "partition")


def _steps(run: RunEntry) -> Iterator[Table]:
    """Yield how far each asset has come."""
    if run.steps:
        rows = [
            (
                Cell(each.asset, "strong"),
                f"{each.materialized:,}/{each.planned:,}",
                Cell(f"{each.failed:,}", "bad" if each.failed else "quiet"),
                f"{each.skipped:,}",
                f"{each.rows:,}",
                rate_text(each),
                *(() if run.status.is_over else (left_text(each), current_text(each))),
            )
            for each in run.steps
        ]
        more = () if run.status.is_over else ("left#", "now")
        yield Table(("step", "made#", "failed#", "skipped#", "rows#", "rate#", *more), rows)


def _failures(run: RunEntry, by_partition: Mapping[tuple[str, str | None], KeptRows]) -> Iterator[Table | Cell]:
    """Yield a line for each failure; what a partition broke stands below if its rows are kept."""
    if not run.failures:
        return
    rows = [
        (
            Cell(failure.asset, "strong"),
            failure.partition or "whole table",
            Cell("-", "quiet") if failure.table_version < 0 else str(failure.table_version),
            Cell(_told_below(by_partition.get((failure.asset, failure.partition))) or _plain(failure), "bad"),
        )
        for failure in run.failures[:SHOWN_FAILURES]
    ]
    yield Table(("failed", "partition", "version#", "error"), rows)
    if len(run.failures) > SHOWN_FAILURES:
        yield Cell(f"{len(run.failures) - SHOWN_FAILURES:,} more failures; --json lists them all", "bad")


def _plain(failure: Failure) -> str:
    """Return why it failed without the asset and the partition, which stand in columns of their own."""
    return plain_reason(failure.asset, failure.partition or "", failure.error)


def _told_below(kept: KeptRows | None) -> str | None:
    failed = 0 if kept is None else sum(rule["severity"] == "fail" for rule in kept.rules)
    return f"{counted(failed, 'rule')} broken, see below" if failed else None


def _status_cell(run: RunEntry, now: dt.datetime) -> Cell:
    status = run.status_at(now).value
    return Cell(status, _TONES[status])


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Show runs, stop them, try them again.", no_args_is_help=True, rich_markup_mode=None)
    add(group, "list", list_runs)
    add(group, "show", show_run)
    run_logs.add_to(group)
    run_stops.add_to(group)
    run_retry.add_to(group)
    app.add_typer(group, name="runs")
