"""Running: carry out a plan from the command line, with progress and a report at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deltaworks.cli.checked import check_lines
from deltaworks.cli.command import ExitCode, Session
from deltaworks.cli.failures import failure_lines, failures_json
from deltaworks.cli.observing import observed_json, observed_lines
from deltaworks.cli.output import Cell, View
from deltaworks.cli.progress import progress
from deltaworks.cli.skipped import blocked_lines, made_by_others_lines
from deltaworks.cli.stopping import stoppable
from deltaworks.cli.wording import (
    counted,
    left_out_lines,
    left_out_text,
    nothing_to_do,
    unreadable,
    without_lines,
)
from deltaworks.engine.documents.plans import left_out_json, migrations_json, without_json
from deltaworks.engine.documents.runs import checks_json, totals_json
from deltaworks.errors import RequestError

if TYPE_CHECKING:
    from deltaworks.engine.definitions.ops.asset_job import AssetJob
    from deltaworks.engine.definitions.ops.job_result import JobResult
    from deltaworks.engine.execution.again import DecideAgain
    from deltaworks.engine.execution.decide import Decision
    from deltaworks.engine.execution.events import Event, EventSink, PartitionSkipped
    from deltaworks.engine.execution.report import RunReport
    from deltaworks.engine.execution.sources import Observations
    from deltaworks.engine.execution.workers.executor_kind import ExecutorKind
    from deltaworks.engine.execution.workers.workers import Workers
    from deltaworks.engine.planning.job_config import ConfigLayer
    from deltaworks.engine.workspace.project import Project
    from deltaworks.io.run_entry import RunEntry

ExecutorOption = Annotated[
    str | None,
    typer.Option("--executor", metavar="KIND", help="threads, processes or dask: where functions are called."),
]
TagOption = Annotated[
    list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="A tag of the run, for the queue and for people.")
]
RunIdOption = Annotated[
    str | None,
    typer.Option("--run-id", metavar="ID", help="Be this run: what its commits hold already is left out."),
]
PriorityOption = Annotated[
    int, typer.Option("--priority", metavar="N", help="A run with a higher one leaves the queue first.")
]
ConfigOption = Annotated[
    list[str] | None,
    typer.Option(
        "--config", metavar="FILE|KEY=VALUE", help="Config of assets, or of ops; later ones override earlier ones."
    ),
]
MemoryOption = Annotated[
    float | None,
    typer.Option("--memory-mb", min=1, metavar="MB", help="How much memory the run may take, all of it together."),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", metavar="N", min=1, max=256, help="How many calls at once.")
]


def read_executor(text: str | None) -> ExecutorKind | None:
    """Read the `--executor` option.

    Raises:
        RequestError: there is no such executor.
    """
    # Imported here: --help must not load the engine.
    from deltaworks.engine.execution.workers.executor_kind import ExecutorKind

    kinds = {kind.value: kind for kind in ExecutorKind}
    if text is not None and text not in kinds:
        *others, last = kinds
        raise RequestError(f"--executor {text!r} means nothing; use {', '.join(others)} or {last}.")
    return None if text is None else kinds[text]


def tagged(tags: Sequence[str] | None) -> tuple[str, ...]:
    """Read the `--tag` options.

    Raises:
        RequestError: one of them is no tag.
    """
    for tag in tags or ():
        key, _, value = tag.partition("=")
        if not key.strip() or not value.strip():
            raise RequestError(f"--tag {tag!r} is no tag; write --tag KEY=VALUE.")
    return tuple(tags or ())


def read_asset_config(project: Project, given: Sequence[str] | None, job: AssetJob | None = None) -> list[ConfigLayer]:
    """Read the `--config` options of a run of assets; together with what their job says, all of it is seen to fit.

    Raises:
        RequestError: one cannot be read, names no asset or field, or a value does not fit.
    """
    # Imported here: --help must not load the engine.
    from deltaworks.engine.planning.asset_config import resolve_asset_config
    from deltaworks.engine.workspace.config_file import read_config
    from deltaworks.engine.workspace.locations.handing import refuse_unknown_config

    layers = read_config(given or ())
    if project.workspace is not None:
        refuse_unknown_config(project.graph, [*config_of(job), *layers])
        return layers
    resolve_asset_config(project.graph, (), [*config_of(job), *layers])
    return layers


def config_of(job: AssetJob | None) -> list[ConfigLayer]:
    """Return what a job gives its assets."""
    # Imported here: --help must not load the engine.
    from deltaworks.engine.planning.job_config import ConfigLayer

    return [] if job is None or not job.config else [ConfigLayer(f"job {job.name!r} ({job.where})", job.config)]


def begin_run(
    session: Session, project: Project, decision: Decision, run_id: str | None, command: str
) -> tuple[RunEntry, Decision]:
    """Return the entry of a run that begins or, if its id is given, goes on, and what is left of it to make.

    Raises:
        RunGoesOn: the run of that id does, in another process.
        RequestError: the id is none.
        StorageError: the lake cannot be written.
    """
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.attempt import begin_attempt, without_made
    from deltaworks.engine.execution.entry import begin_entry

    if run_id is None:
        return begin_entry(command, session.now()), decision
    entry = begin_attempt(project.store, run_id, command, session.now())
    return entry, without_made(project.graph, decision, run_id)


def run_plan(
    session: Session,
    project: Project,
    seen: Observations,
    decision: Decision,
    workers: int | None,
    command: str,
    entry: RunEntry | None = None,
    skipped: Sequence[PartitionSkipped] = (),
    executor: ExecutorKind | None = None,
    again: DecideAgain | None = None,
    config: Sequence[ConfigLayer] = (),
    memory_mb: float | None = None,
    job: AssetJob | None = None,
    begun: Callable[[], None] | None = None,
) -> ExitCode:
    """Carry out a plan and show how it ended.

    Args:
        session: the command's.
        project: what is defined.
        seen: what it was decided on.
        decision: the plan.
        workers: how many calls run at once; none: as an earlier attempt was asked to, else as the settings say.
        command: what started this, for the ledger.
        entry: the run that it is part of; none: a new one.
        skipped: what others have made, so that it is not planned any more.
        executor: where functions are called; none: likewise.
        again: see `launch`.
        config: what its assets are given; see `launch`.
        memory_mb: how much memory the run may take; none: likewise.
        job: what it is a run of, whose config it takes, and whose hooks are called.
        begun: is called when the run has begun, and its plan is kept.

    Raises:
        RequestError: an asset lacks a field of its config.
        TableMismatch: nothing of it can be made before a migration.
    """
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.execution.attempt import end_with_nothing_left
    from deltaworks.engine.execution.entry import begin_entry, note_held_back
    from deltaworks.engine.execution.migration import refusal_of
    from deltaworks.engine.workspace.doing import carry_out

    plan = decision.plan
    own = entry or begin_entry(command, session.now())
    own = replace(
        own,
        executor=own.executor if executor is None else executor.value,
        workers=workers or own.workers,
        memory_mb=memory_mb or own.memory_mb,
    )
    if not plan.planned and len(plan.held) == len(decision.migrations) > 0:
        raise refusal_of(decision.migrations)
    if not plan.planned:
        failed = note_held_back(project.store, plan, own) if plan.held else None
        if failed is None and (own.earlier or own.tick is not None):  # whoever asked for it looks for its end
            end_with_nothing_left(project.store, own, session.now(), has_failed=bool(seen.faults))
        session.output.show(_nothing_to_do(project, seen, decision, failed))
        return ExitCode.FAILED if seen.faults or plan.held else ExitCode.DONE
    with stoppable() as stop, progress(session.output) as tell:
        report = carry_out(
            project,
            decision.asked.observation.tables,
            plan,
            workers=workers_of(project, own.workers, read_executor(own.executor), own.memory_mb),
            now=session.now,
            tell=tell if begun is None else _telling(begun, tell),
            stop=stop,
            entry=own,
            skipped=skipped,
            again=again,
            config=config,
            job_config=config_of(job),
            job_hooks=() if job is None else job.hooks,
        )
    session.output.show(_report(session, project, seen, decision, report))
    is_well = report.entry.status == "success" and not seen.faults
    return leave(report, ExitCode.DONE if is_well else ExitCode.FAILED)


def _telling(begun: Callable[[], None], tell: EventSink) -> EventSink:
    """Return what hears the events of a run and calls something when it has begun."""
    # Imported here: --help must not load the engine.
    from deltaworks.engine.execution.events import RunStarted

    def hear(event: Event) -> None:
        if isinstance(event, RunStarted):
            begun()
        tell(event)

    return hear


def workers_of(
    project: Project, count: int | None, kind: ExecutorKind | None = None, memory_mb: float | None = None
) -> Workers:
    """Return how many calls of a run go on at once, and where; none: as the settings say."""
    # Imported here: --help must not load the engine.
    from deltaworks.engine.execution.workers.workers import Workers

    settings = project.executor
    return Workers(
        count or settings.workers,
        kind or settings.kind,
        project.recipe.load,
        memory_mb or settings.memory_mb,
        settings.target_file_bytes,
        settings.cluster(project.recipe.folder, count),
    )


def leave(report: RunReport | JobResult, code: ExitCode) -> ExitCode:
    """Return the exit code, or end the process with it: calls that a canceled run has left would hold it up."""
    if report.left_calls:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _nothing_to_do(project: Project, seen: Observations, decision: Decision, failed: RunEntry | None) -> View:
    plan, faults = decision.plan, _faults(seen, decision)
    entry = failed or seen.entry
    totals = {"materialized": 0, "failed": len(faults), "skipped": plan.left_out_count, "commits": seen.commits}
    document = {
        "run_id": None if entry is None else entry.run_id,
        "status": "failure" if faults else "success",
        "totals": totals,
        "failures": _faults_json(seen, decision),
        "observed": observed_json(seen, project.graph),
        "left_out": left_out_json(plan, project.graph),
        "without": without_json(decision.asked.request, project.graph),
    }
    lines = (
        *observed_lines(seen, project.graph),
        *_fault_lines(decision),
        *_left_out_lines(project, decision),
    )
    told = nothing_to_do(decision, project.graph, is_known=not faults)
    return View(document, (*lines, told) if seen.sources or faults else (told, *lines))


def _left_out_lines(project: Project, decision: Decision) -> list[Cell]:
    return [*left_out_lines(decision, project.graph), *without_lines(decision.asked.request, project.graph)]


def _faults(seen: Observations, decision: Decision) -> dict[str, str]:
    """Return why all of some assets could not be made or read, nor what is made from them."""
    return {str(key): fault for key, fault in {**seen.faults, **decision.plan.held}.items()}


def _fault_lines(decision: Decision) -> Iterator[Cell]:
    for key, fault in decision.faults.items():
        yield Cell(f"failed: {unreadable(key, fault)}", "bad")
    for migration in decision.migrations:
        yield Cell(f"failed: {migration.refusal}", "bad")
    for key, problem in decision.misfits.items():
        yield Cell(f"failed: {key}: {problem}", "bad")


def _faults_json(seen: Observations, decision: Decision) -> list[dict[str, Any]]:
    return [
        {"asset": key, "partition": None, "error": error, "rules": [], "kept": None}
        for key, error in _faults(seen, decision).items()
    ]


def _report(session: Session, project: Project, seen: Observations, decision: Decision, report: RunReport) -> View:
    entry, held = report.entry, set(map(str, decision.plan.held))
    failures = [each for each in entry.failures if each.asset not in held]
    status = "failure" if seen.faults and entry.status == "success" else entry.status.value
    failed, commits = entry.failed + len(seen.faults), entry.commits + seen.commits
    document: dict[str, Any] = {
        "run_id": entry.run_id,
        "status": status,
        "totals": totals_json(entry) | {"failed": failed, "commits": commits},
        "assets": [asdict(each) for each in entry.steps],
        "observed": observed_json(seen, project.graph),
        "failures": [
            *_faults_json(seen, decision),
            *failures_json(failures, report.broken, project.store),
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
        "checks": checks_json(entry),
        "left_out": left_out_json(decision.plan, project.graph),
        "migrations": migrations_json(decision),
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
            *_fault_lines(decision),
            *failure_lines(failures, report.broken, project.graph, project.store, session.output.width),
            *blocked_lines(report),
            *made_by_others_lines(report),
            *check_lines(entry),
            *_left_out_lines(project, decision),
            *rows_left_out_lines(report),
            Cell(summary, tone),
            *_next_lines(entry, status, is_all_made=not failed),
        ),
    )


def rows_left_out_lines(report: RunReport) -> Iterator[Cell]:
    """Say of each table how many rows its rules left out of what was committed."""
    for asset, left_out in report.left_out.items():
        if left_out:
            hint = f" (`deltaworks show {asset} --rejects`)" if left_out.quarantined else ""
            told = left_out_text(left_out.dropped, left_out.quarantined)
            yield Cell(f"rows left out of {asset}: {told}{hint}", "stale")


def _next_lines(entry: RunEntry, status: str, *, is_all_made: bool) -> Iterator[Cell]:
    if status == "failure" and is_all_made:
        yield Cell("Everything is committed. Mend the cause and `deltaworks materialize` it, or roll it back.", "quiet")
    elif status == "failure":
        yield Cell("Mend the cause; `deltaworks backfill` then makes only what is left.", "quiet")
    elif status == "canceled":
        why = "" if entry.reason is None else f", {entry.reason}"
        again = f"`deltaworks runs retry {entry.run_id}` goes on from there"
        yield Cell(f"Stopped{why}; what is committed stays. {again}, `deltaworks backfill` decides anew.", "quiet")
