"""A run: how it went or goes, step by step, from what it was made, and what can be done about it."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.documents.problems import plain_reason
from deltaworks.engine.documents.run_logs import LogLine, log_line
from deltaworks.engine.documents.runs import run_took
from deltaworks.engine.execution.jobs.step_tree import StepBranch, read_step_tree
from deltaworks.io.asset_outcome import AssetOutcome
from deltaworks.io.dtypes import Json
from deltaworks.io.record import Kind
from deltaworks.io.run_entry import Attempt, CheckFailure, Failure, RunEntry
from deltaworks.io.run_logs import LogReader
from deltaworks.io.run_plan import read_run_plan
from deltaworks.io.step_records import StepRecords
from deltaworks.io.stop_request import StopRequest, find_stop_request
from deltaworks.web import words
from deltaworks.web.draw.gantt import Gantt, Span, draw_gantt
from deltaworks.web.launching import Launched
from deltaworks.web.views.run_row import RunRow, run_row
from deltaworks.web.views.run_times import RunTimes, StepTimes
from deltaworks.web.workspace import Sight

SHOWN_LINES = 300
"""How many lines of the log stand on the page at first, the last ones."""

MOST_OBJECTS = 4
"""How many objects of the log are read for the page, each of 1 MiB: the first, and the last ones."""

SHOWN_STEPS = 200
SHOWN_FAILURES = 50

_STATUS_OF_STEP = {"waiting": "queued", "not run": "missing", "blocked": "missing", "skipped": "missing"}


@dataclass(frozen=True, slots=True)
class FailedPartition:
    """What a run could not make, and why."""

    asset: str
    partition: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Pin:
    """A table as it was when the run began."""

    asset: str
    version: int
    is_made: bool
    """Whether the run makes it; else it reads it."""


@dataclass(frozen=True, slots=True)
class RunView:
    """The page of a run."""

    row: RunRow
    command: str
    took: dt.timedelta
    facts: tuple[tuple[str, str], ...]
    totals: tuple[tuple[str, int], ...]
    gantt: Gantt
    more_steps: int
    outcomes: tuple[AssetOutcome, ...]
    failures: tuple[FailedPartition, ...]
    more_failures: int
    checks: tuple[CheckFailure, ...]
    more_checks: int
    attempt: int
    earlier: tuple[Attempt, ...]
    config: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    tags: tuple[str, ...]
    pins: tuple[Pin, ...]
    lines: tuple[LogLine, ...]
    """The last ones."""
    has_more_lines: bool
    """Whether there are others before them."""
    log_end: str | None
    """The place in the log behind them; none: there is none yet."""
    has_gaps: bool
    """Whether the log is so long that only its beginning and its end were read, also for the timeline."""
    level: str
    is_over: bool
    can_retry: bool
    asked_to_stop: StopRequest | None
    launched: Launched | None
    """The command by which this server goes on with it, until it shows in the ledger; or why it did not."""


def run_view(sight: Sight, run: RunEntry, level: str, launched: Launched | None) -> RunView:
    """Return how a run goes.

    Args:
        sight: the lake as it is.
        run: the run.
        level: which lines of its log: empty for all, `warn` or `error`.
        launched: the command of it that this server has started, if it has.
    """
    store, now = sight.project.store, sight.at
    is_over = run.status_at(now).is_over
    times, lines, shown_of = RunTimes(), deque[LogLine](maxlen=SHOWN_LINES), 0
    log = LogReader(store, run.run_id, most_objects=MOST_OBJECTS)
    for document in log.read():
        times.read(document)
        line = log_line(document)
        if has_level(line, level):
            lines.append(line)
            shown_of += 1
    steps = read_step_tree(StepRecords(store, run.run_id), is_over=is_over) if run.job is not None else ()
    spans = list(_spans_of_ops(run, steps, times) if steps else _spans_of_assets(sight, run, times))
    took = run_took(run, now)
    return RunView(
        row=run_row(sight, run),
        command=f"deltaworks {run.command}",
        took=took,
        facts=tuple(_facts(run)),
        totals=tuple(_totals(run, steps)),
        gantt=draw_gantt(spans[:SHOWN_STEPS], took.total_seconds(), goes_on=not is_over),
        more_steps=max(0, len(spans) - SHOWN_STEPS),
        outcomes=run.steps,
        failures=tuple(_failed(sight, each) for each in run.failures[:SHOWN_FAILURES]),
        more_failures=max(0, len(run.failures) - SHOWN_FAILURES),
        checks=run.check_failures[:SHOWN_FAILURES],
        more_checks=max(0, len(run.check_failures) - SHOWN_FAILURES),
        attempt=run.attempt,
        earlier=run.earlier,
        config=tuple((name, tuple(_fields(values))) for name, values in run.config.items()),
        tags=run.tags,
        pins=tuple(_pins(sight, run)),
        lines=tuple(lines),
        has_more_lines=log.has_gaps or shown_of > len(lines),
        log_end=log.position,
        has_gaps=log.has_gaps,
        level=level,
        is_over=is_over,
        can_retry=is_over and run.kind is Kind.MATERIALIZE and run.status_at(now) != "success",
        asked_to_stop=None if is_over else find_stop_request(store, run.run_id),
        launched=launched if launched is not None and is_over and _is_news(launched) else None,
    )


def has_level(line: LogLine, level: str) -> bool:
    """Return whether a line is at least as grave as a level: `warn` or `error`; every line is as grave as none."""
    return level == "" or line.tone == "bad" or (level == "warn" and line.tone == "stale")


def _is_news(launched: Launched) -> bool:
    """Return whether what became of a command does not stand in the ledger: it is about to begin, or was refused."""
    return launched.exit_code is None or "error: " in launched.told


def _spans_of_assets(sight: Sight, run: RunEntry, times: RunTimes) -> Iterator[Span]:
    begun = dt.datetime.fromisoformat(run.attempt_started_at or run.started_at)
    nodes = {str(key): node for key, node in sight.project.graph.nodes.items()}
    goes_on = not run.status_at(sight.at).is_over
    for outcome in run.steps:
        node, found = nodes.get(outcome.asset), times.steps.get(outcome.asset)
        above = () if node is None else {edge.upstream for edge in node.upstream}
        yield _span(
            outcome.asset,
            _status(outcome, found, goes_on=goes_on),
            found,
            max((_until(times, key, begun) for key in above if str(key) != outcome.asset), default=0.0),
            begun,
            _told(outcome, found),
        )


def _until(times: RunTimes, key: AssetKey, begun: dt.datetime) -> float:
    """Return when an upstream was done by this run; zero: it makes nothing of it."""
    found = times.steps.get(str(key))
    return 0.0 if found is None or found.end is None else (found.end - begun).total_seconds()


def _status(outcome: AssetOutcome, found: StepTimes | None, *, goes_on: bool) -> str:
    if outcome.failed:
        return "failed"
    if outcome.materialized + outcome.skipped >= outcome.planned:
        return "success" if outcome.materialized or not outcome.skipped else "missing"
    if not goes_on:
        return "canceled" if found is not None else "missing"
    return "queued" if found is None else "running"


def _told(outcome: AssetOutcome, found: StepTimes | None) -> str:
    took = "" if found is None or found.end is None else words.duration((found.end - found.start).total_seconds())
    counted = f"{words.number(outcome.materialized)} of {words.number(outcome.planned)}" if outcome.planned > 1 else ""
    failed = f"{words.number(outcome.failed)} failed" if outcome.failed else ""
    retried = words.plural(found.retries, "retry").replace("retrys", "retries") if found and found.retries else ""
    return " · ".join(each for each in (took, counted, failed, retried) if each)


def _spans_of_ops(run: RunEntry, steps: tuple[StepBranch, ...], times: RunTimes) -> Iterator[Span]:
    begun = dt.datetime.fromisoformat(run.attempt_started_at or run.started_at)
    for step in (step for branch in steps for step in branch.steps()):
        found = times.steps.get(step.step or step.name)
        told = words.duration(step.took_s) if step.tries else step.status
        more = "kept" if step.is_kept else f"{step.tries} tries" if step.tries > 1 else ""
        told = " · ".join(each for each in (told, more, (step.reason or "")[:60]) if each)
        status = _STATUS_OF_STEP.get(step.status, step.status)
        yield _span(step.step or step.name, status, found, 0.0, begun, told)


def _span(name: str, status: str, found: StepTimes | None, ready_s: float, begun: dt.datetime, told: str) -> Span:
    if found is None:
        return Span(name, status, ready_s, None, None, told)
    start_s = max(0.0, (found.start - begun).total_seconds())
    end = None if found.going_on and status == "running" else found.end
    end_s = None if end is None else max(start_s, (end - begun).total_seconds())
    if end_s is None and status != "running":
        end_s = start_s
    return Span(name, status, min(ready_s, start_s), start_s, end_s, told)


def _facts(run: RunEntry) -> Iterator[tuple[str, str]]:
    if run.reason is not None:
        yield "Reason", run.reason
    if run.waits_for is not None and not run.status.is_over:
        yield "Waits for", run.waits_for
    if run.job is not None:
        yield "Job", run.job if run.job_partition is None else f"{run.job} for {run.job_partition}"
    yield "Asked for by", run.tick or _person(run)
    if run.priority:
        yield "Priority", str(run.priority)
    if run.host is not None:
        yield "On", run.host if run.pid is None else f"{run.host}, process {run.pid}"
    how = [str(each) for each in (run.executor, run.workers and words.plural(run.workers, "worker")) if each]
    if how:
        yield "Executor", ", ".join(how)


def _person(run: RunEntry) -> str:
    """Return who started a run: the user of this server, or the one whose shell it was."""
    by = next((tag.removeprefix("by=") for tag in run.tags if tag.startswith("by=")), None)
    if by is None:
        return run.user or "somebody"
    return f"{by}, in the browser"


def _totals(run: RunEntry, steps: tuple[StepBranch, ...]) -> Iterator[tuple[str, int]]:
    if steps:
        every = [step.status for branch in steps for step in branch.steps()]
        yield "Steps", len(every)
        yield "Failed", every.count("failed")
        yield "Skipped", every.count("skipped")
        return
    deed = "Made" if run.kind.deed == "made" else run.kind.deed.capitalize()
    yield deed, run.materialized + run.replaced
    yield "Failed", run.failed
    yield "Skipped", run.skipped
    yield "Commits", run.commits
    if run.dropped:
        yield "Rows dropped", run.dropped
    if run.quarantined:
        yield "Rows quarantined", run.quarantined
    if run.checks_passed or run.check_failures:
        yield "Checks passed", run.checks_passed


def _failed(sight: Sight, failure: Failure) -> FailedPartition:
    reason = plain_reason(failure.asset, failure.partition or "", failure.error)
    return FailedPartition(failure.asset, failure.partition, sight.from_folder(reason))


def _fields(values: Json) -> Iterator[tuple[str, str]]:
    return ((name, str(value)) for name, value in islice(values.items(), SHOWN_STEPS))


def _pins(sight: Sight, run: RunEntry) -> Iterator[Pin]:
    plan = read_run_plan(sight.project.store, run.run_id)
    if plan is not None:
        for asset, table in plan.tables.items():
            if table.version >= 0:
                yield Pin(asset, table.version, asset in plan.planned)
