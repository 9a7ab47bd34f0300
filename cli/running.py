"""Running: carry out a plan from the command line, with progress, Ctrl-C and a report at the end."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from threading import Event as Flag
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, Session
from deltaworks.cli.failures import SHOWN_FAILURES, failure_lines, failures_json
from deltaworks.cli.observing import observed_json, observed_lines
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.progress import progress
from deltaworks.cli.wording import (
    counted,
    left_out_json,
    left_out_lines,
    nothing_to_do,
    without_json,
    without_lines,
)

if TYPE_CHECKING:
    from deltaworks.engine.execution.decide import Decision
    from deltaworks.engine.execution.run import RunReport
    from deltaworks.engine.execution.sources import Observations
    from deltaworks.engine.workspace.project import Project

WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, max=256, help="How many calls at once.")]


def run_plan(
    session: Session,
    project: Project,
    seen: Observations,
    decision: Decision,
    workers: int | None,
    command: str,
    ended: Callable[[RunReport], None] | None = None,
) -> ExitCode:
    """Carry out a plan and show how it ended; `seen` is what it was decided on, `ended` is told of the end first."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.launch import launch

    plan = decision.plan
    if not plan.planned:
        session.output.show(_nothing_to_do(project, seen, decision))
        return ExitCode.FAILED if seen.faults else ExitCode.DONE
    with stoppable() as stop, progress(session.output) as tell:
        report = launch(
            project.definitions,
            project.graph,
            project.store,
            decision.asked.observation.tables,
            plan,
            workers=workers or project.executor.workers,
            command=command,
            environ=os.environ,
            now=session.now,
            tell=tell,
            stop=stop,
        )
    if ended is not None:
        ended(report)
    session.output.show(_report(session, project, seen, decision, report))
    return ExitCode.DONE if report.entry.status == "success" and not seen.faults else ExitCode.FAILED


@contextmanager
def stoppable() -> Generator[Flag]:
    """Turn the first Ctrl-C into a request to stop; a second one ends the process at once."""
    stop = Flag()

    def ask(_signal: int, _frame: object) -> None:
        if stop.is_set():
            # A call may hang for ever; what is committed is safe whenever the process ends. The cursor comes back.
            os.write(2, b"\x1b[?25h\n" if sys.stderr.isatty() else b"")
            os._exit(130)
        stop.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _nothing_to_do(project: Project, seen: Observations, decision: Decision) -> View:
    plan = decision.plan
    totals = {"materialized": 0, "failed": len(seen.faults), "skipped": plan.left_out_count, "commits": seen.commits}
    document = {
        "run_id": None if seen.entry is None else seen.entry.run_id,
        "status": "failure" if seen.faults else "success",
        "totals": totals,
        "failures": _source_failures(seen),
        "observed": observed_json(seen, project.graph),
        "left_out": left_out_json(plan, project.graph),
        "without": without_json(decision.asked.request, project.graph),
    }
    lines = (*observed_lines(seen, project.graph), *_left_out_lines(project, decision))
    return View(
        document,
        (*lines, nothing_to_do(decision, project.graph))
        if seen.sources
        else (nothing_to_do(decision, project.graph), *lines),
    )


def _left_out_lines(project: Project, decision: Decision) -> list[Cell]:
    lacking, without = decision.plan, decision.asked.request
    return [*left_out_lines(lacking, project.graph), *without_lines(without, project.graph)]


def _source_failures(seen: Observations) -> list[dict[str, Any]]:
    return [
        {"asset": str(key), "partition": None, "error": error, "rules": [], "kept": None}
        for key, error in seen.faults.items()
    ]


def _report(session: Session, project: Project, seen: Observations, decision: Decision, report: RunReport) -> View:
    entry = report.entry
    status = "failure" if seen.faults and entry.status == "success" else entry.status.value
    failed, commits = entry.failed + len(seen.faults), entry.commits + seen.commits
    document: dict[str, Any] = {
        "run_id": entry.run_id,
        "status": status,
        "totals": {
            "materialized": entry.materialized,
            "failed": failed,
            "skipped": entry.skipped,
            "commits": commits,
        },
        "observed": observed_json(seen, project.graph),
        "failures": [
            *_source_failures(seen),
            *failures_json(report, project.store),
        ],
        "blocked": [
            {
                "asset": str(blocked.asset),
                "partition": blocked.key or None,
                "because": blocked.because,
                "fate": blocked.fate,
            }
            for blocked in report.blocked
        ],
        "made_by_others": [
            {
                "asset": str(skipped.asset),
                "partition": skipped.key or None,
                "version": skipped.version,
                "by": skipped.by,
            }
            for skipped in report.skipped
        ],
        "left_out": left_out_json(decision.plan, project.graph),
        "without": without_json(decision.asked.request, project.graph),
    }
    tone = "good" if status == "success" else "bad"
    summary = (
        f"{status}: {counted(entry.materialized, 'partition')} in {counted(entry.commits, 'commit')}, "
        f"{failed:,} failed, {entry.skipped:,} skipped (run {entry.run_id})"
    )
    return View(
        document,
        (
            *observed_lines(seen, project.graph),
            *failure_lines(report, project.graph, project.store, session.output.width),
            *_blocked_lines(report),
            *_left_out_lines(project, decision),
            Cell(summary, tone),
            *_next_lines(status),
        ),
    )


def _blocked_lines(report: RunReport) -> Iterator[Cell | Table]:
    roots: dict[str, tuple[str, str]] = {}
    causes: Counter[tuple[str, tuple[str, str]]] = Counter()
    for each in report.blocked:  # what was blocked itself stands before what it blocked
        root = roots[f"{each.asset} {each.key}".rstrip()] = roots.get(each.because, (each.because, each.fate))
        causes[str(each.asset), root] += 1
    for (asset, (because, fate)), count in list(causes.items())[:SHOWN_FAILURES]:
        yield Cell(f"skipped: {counted(count, 'partition')} of {asset}, since {because} {fate}", "stale")
    if len(causes) > SHOWN_FAILURES:
        yield Cell(f"skipped: {len(causes) - SHOWN_FAILURES:,} more groups; --json lists them all", "stale")


def _next_lines(status: str) -> Iterator[Cell]:
    if status == "failure":
        yield Cell("Mend the cause; `deltaworks backfill` then makes only what is left.", "quiet")
    elif status == "canceled":
        yield Cell("Stopped; what is committed stays. `deltaworks backfill` makes what is left.", "quiet")
