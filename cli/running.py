"""Running: carry out a plan from the command line, with progress, Ctrl-C and a report at the end."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from threading import Event as Flag
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.command import ExitCode, Session
from deltaworks.cli.output import Cell, Table, View
from deltaworks.cli.progress import progress
from deltaworks.cli.wording import (
    counted,
    left_out_json,
    left_out_lines,
    nothing_to_do,
    plain_reason,
    split_defined,
    without_json,
    without_lines,
)

if TYPE_CHECKING:
    from deltaworks.engine.execution.decide import Decision
    from deltaworks.engine.execution.run import RunReport
    from deltaworks.engine.planning.graph import AssetGraph, Node
    from deltaworks.engine.workspace.project import Project
    from deltaworks.io.ledger import Failure

WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, max=256, help="How many calls at once.")]

SHOWN_FAILURES = 10
"""How many failures stand in the report for people; the ledger and --json have them all."""


def run_plan(session: Session, project: Project, decision: Decision, workers: int | None, command: str) -> ExitCode:
    """Carry out a plan and show how it ended."""
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.launch import launch

    plan = decision.plan
    if not plan.planned:
        session.output.show(_nothing_to_do(project, decision))
        return ExitCode.DONE
    with _stoppable() as stop, progress(session.output) as tell:
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
    session.output.show(_report(project, decision, report))
    return ExitCode.DONE if report.entry.status == "success" else ExitCode.FAILED


@contextmanager
def _stoppable() -> Generator[Flag]:
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


def _nothing_to_do(project: Project, decision: Decision) -> View:
    plan = decision.plan
    totals = {"materialized": 0, "failed": 0, "skipped": plan.left_out_count, "commits": 0}
    document = {
        "run_id": None,
        "status": "success",
        "totals": totals,
        "failures": [],
        "left_out": left_out_json(plan, project.graph),
        "without": without_json(decision.asked.request, project.graph),
    }
    return View(document, (nothing_to_do(decision, project.graph), *_left_out_lines(project, decision)))


def _left_out_lines(project: Project, decision: Decision) -> list[Cell]:
    lacking, without = decision.plan, decision.asked.request
    return [*left_out_lines(lacking, project.graph), *without_lines(without, project.graph)]


def _report(project: Project, decision: Decision, report: RunReport) -> View:
    entry = report.entry
    document: dict[str, Any] = {
        "run_id": entry.run_id,
        "status": entry.status.value,
        "totals": {
            "materialized": entry.materialized,
            "failed": entry.failed,
            "skipped": entry.skipped,
            "commits": entry.commits,
        },
        "failures": [
            {"asset": failure.asset, "partition": failure.partition, "error": failure.error}
            for failure in entry.failures
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
    tone = "good" if entry.status == "success" else "bad"
    summary = (
        f"{entry.status.value}: {counted(entry.materialized, 'partition')} in {counted(entry.commits, 'commit')}, "
        f"{entry.failed:,} failed, {entry.skipped:,} skipped (run {entry.run_id})"
    )
    return View(
        document,
        (
            *_failure_lines(entry.failures, project.graph),
            *_blocked_lines(report),
            *_left_out_lines(project, decision),
            Cell(summary, tone),
            *_next_lines(report),
        ),
    )


def _failure_lines(failures: Sequence[Failure], graph: AssetGraph) -> Iterator[Cell]:
    """Yield each reason once, with the partitions that failed for it."""
    alike: dict[tuple[str, str], list[str]] = {}
    for failure in failures:
        reason = plain_reason(failure.asset, failure.partition or "", failure.error)
        alike.setdefault((failure.asset, reason), []).append(failure.partition or "")
    for (asset, reason), keys in list(alike.items())[:SHOWN_FAILURES]:
        yield Cell(f"failed: {_failure_text(graph.node(asset), reason, keys)}", "bad")
    shown = sum(map(len, list(alike.values())[:SHOWN_FAILURES]))
    if len(failures) > shown:
        yield Cell(f"failed: {len(failures) - shown:,} more; --json lists them all", "bad")


def _failure_text(node: Node, reason: str, keys: Sequence[str]) -> str:
    """Name the partitions that failed, where the reason does not name those of its call itself."""
    if not reason.startswith(f"{node.key} "):
        reason = f"{node.spelled(split_defined(keys, node.partitions)[0].ranges())}: {reason}"
    return reason if len(keys) == 1 else f"{reason} ({counted(len(keys), 'partition')})"


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


def _next_lines(report: RunReport) -> Iterator[Cell]:
    if report.entry.status == "failure":
        yield Cell("Mend the cause; `deltaworks backfill` then makes only what is left.", "quiet")
    elif report.entry.status == "canceled":
        yield Cell("Stopped; what is committed stays. `deltaworks backfill` makes what is left.", "quiet")
