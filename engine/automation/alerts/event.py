"""Event: something that somebody may have to be told, in the words of people on call."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from deltaworks.engine.definitions.automation.freshness_change import FreshnessChange
from deltaworks.engine.workspace.alert_settings import AlertOn
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus
from deltaworks.io.ticks import TickEntry, TickKind, TickOutcome

_MOST_CAUSES = 3
_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class Occasion:
    """What several events come from, for which they are told together."""

    key: str
    command: str
    """What shows more of all of them."""
    causes: tuple[str, ...] = ()
    """What is said of all of them; nothing: what is said of the first of them."""


@dataclass(frozen=True, slots=True)
class Event:
    """A problem that was seen, or is over."""

    on: AlertOn
    key: str
    """What tells the problem: what is seen again under the same key is the same one."""
    at: dt.datetime
    """Since when it is so."""
    title: str
    """What and where, in a few words."""
    causes: tuple[str, ...] = ()
    """Sentences."""
    command: str = ""
    """What shows more."""
    is_over: bool = False
    assets: frozenset[str] = frozenset()
    job: str | None = None
    is_single: bool = False
    """Whether nothing can say that it is over, so that it is told once."""
    occasion: Occasion | None = None
    """None: it is told by itself."""


@dataclass(frozen=True, slots=True)
class Standing:
    """All problems of a kind that there are now: others of that kind are over."""

    on: AlertOn
    prefix: str
    """Of their keys."""
    events: tuple[Event, ...]
    occasion: Occasion | None = None
    """For which it is told that they are over."""


def run_events(entry: RunEntry, status: RunStatus, at: dt.datetime) -> Iterator[Event]:
    """Yield what a run that has ended says: of its job, of the assets that failed in it, and of its checks."""
    yield from _run_failures(entry, status, at)
    yield from _check_failures(entry, at)


def tick_event(entry: TickEntry) -> Event:
    """Return what a tick says of its schedule, sensor or conditions: it fails, or does not any more."""
    what = "schedule" if entry.kind is TickKind.SCHEDULE else "sensor"
    of_engine = entry.name.startswith("_")
    named = f"automation ({entry.name.removeprefix('_')})" if of_engine else f"{what} {entry.name}"
    tries = f"attempt {entry.attempt}; " + ("it is tried again" if not entry.is_decided else "it is not tried again")
    return Event(
        on=AlertOn.AUTOMATION_ERROR,
        key=f"tick:{entry.name}",
        at=dt.datetime.fromisoformat(entry.started_at),
        title=f"{named} fails",
        causes=(_cut(entry.error or ""), f"Tick {entry.tick_id}, {tries}."),
        command="deltaworks daemon --status" if of_engine else f"deltaworks {what} ticks {entry.name}",
        is_over=entry.outcome is not TickOutcome.FAILED,
    )


def late(changes: Iterable[FreshnessChange]) -> Standing:
    """Return which assets are late."""
    occasion = Occasion("late", "deltaworks status")
    return Standing(
        AlertOn.LATE_FRESHNESS,
        "late:",
        tuple(
            Event(
                on=AlertOn.LATE_FRESHNESS,
                key=f"late:{each.asset}",
                at=each.due_at,
                title=f"{each.asset} is late",
                causes=(f"{_cut(each.sentence)}.",),
                command=f"deltaworks why {each.asset}",
                assets=frozenset({each.asset}),
                occasion=occasion,
            )
            for each in changes
        ),
        occasion,
    )


def faults(fault: str | None, at: dt.datetime) -> Standing:
    """Return why the project cannot be loaded, if it cannot."""
    event = Event(
        on=AlertOn.AUTOMATION_ERROR,
        key="load:project",
        at=at,
        title="the project cannot be loaded",
        causes=(_cut(fault or ""), "No schedule, sensor or condition is asked until it can."),
        command="deltaworks check",
    )
    return Standing(AlertOn.AUTOMATION_ERROR, "load:", () if fault is None else (event,))


def _run_failures(entry: RunEntry, status: RunStatus, at: dt.datetime) -> Iterator[Event]:
    if status is RunStatus.CANCELED:
        return
    is_over, command = status is RunStatus.SUCCESS, f"deltaworks runs show {entry.run_id}"
    failed = {each.asset: None for each in entry.failures}
    causes = tuple(_causes(entry, status, entry.failures))
    if entry.job is not None:
        partition = f" for {entry.job_partition}" if entry.job_partition else ""
        title = f"job {entry.job} failed{partition}" if status is not RunStatus.LOST else f"job {entry.job} was lost"
        assets = frozenset(failed)
        yield Event(AlertOn.RUN_FAILURE, f"job:{entry.job}", at, title, causes, command, is_over, assets, entry.job)
        return
    occasion = Occasion(f"run:{entry.run_id}", command, () if is_over else causes)
    for step in entry.steps:
        if step.materialized and not (step.failed or step.still_failing) and step.asset not in failed:
            yield _of_asset(step.asset, at, (), occasion, is_over=True)
    for source in entry.observed:
        yield _of_asset(source, at, (), occasion, is_over=True)
    for asset in failed:
        own = [each for each in entry.failures if each.asset == asset]
        yield _of_asset(asset, at, tuple(_causes(entry, status, own)), occasion, is_over=False)
    if not is_over and not failed:
        title = f"run {entry.run_id} {'was lost' if status is RunStatus.LOST else 'failed'}"
        yield Event(AlertOn.RUN_FAILURE, f"run:{entry.run_id}", at, title, causes, command, is_single=True)


def _of_asset(asset: str, at: dt.datetime, causes: tuple[str, ...], occasion: Occasion, *, is_over: bool) -> Event:
    return Event(
        on=AlertOn.RUN_FAILURE,
        key=f"asset:{asset}",
        at=at,
        title=f"{asset} failed",
        causes=causes,
        command=occasion.command,
        is_over=is_over,
        assets=frozenset({asset}),
        occasion=occasion,
    )


def _causes(entry: RunEntry, status: RunStatus, failures: Sequence[Failure]) -> Iterator[str]:
    counts = f"{entry.materialized} made, {entry.failed} failed, {entry.skipped} skipped"
    yield f"Run {entry.run_id} ({entry.command}): {status.value}; partitions: {counts}."
    if entry.reason:
        yield f"{_cut(entry.reason)}"
    if status is RunStatus.LOST:
        yield "Its process gave no sign of life any more; what it had committed stays."
    for each in failures[:_MOST_CAUSES]:
        yield f"Failed: {' '.join(filter(None, (each.asset, each.partition)))} - {_cut(each.error)}"
    if len(failures) > _MOST_CAUSES:
        yield f"And {len(failures) - _MOST_CAUSES:,} more failures."


def _check_failures(entry: RunEntry, at: dt.datetime) -> Iterator[Event]:
    occasion = Occasion(f"run:{entry.run_id}", f"deltaworks runs show {entry.run_id}")
    failed: dict[tuple[str, str], list[str]] = {}
    for each in entry.check_failures:
        if each.severity == "fail":
            where = f" of {each.partition}" if each.partition else ""
            problem = f"Version {each.version}{where}: {_cut(each.problem)}"
            failed.setdefault((each.asset, each.check), []).append(problem)
    for (asset, check), problems in failed.items():
        more = (f"And of {len(problems) - _MOST_CAUSES} more partitions.",) if len(problems) > _MOST_CAUSES else ()
        yield Event(
            on=AlertOn.CHECK_FAILURE,
            key=f"check:{asset}:{check}",
            at=at,
            title=f"check {check} of {asset} does not hold",
            causes=(*problems[:_MOST_CAUSES], *more, f"The commit of run {entry.run_id} stands."),
            command=occasion.command,
            assets=frozenset({asset}),
            job=entry.job,
            occasion=occasion,
        )
    made = {step.asset for step in entry.steps if step.materialized} if entry.checks_passed else set[str]()
    for asset in made - {asset for asset, _ in failed}:
        yield Event(
            on=AlertOn.CHECK_FAILURE,
            key=f"check:{asset}:",
            at=at,
            title=f"the checks of {asset} hold",
            is_over=True,
            assets=frozenset({asset}),
            job=entry.job,
            occasion=occasion,
        )


def _cut(text: str) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= _LONGEST else f"{joined[: _LONGEST - 1]}…"
