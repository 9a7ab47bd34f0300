"""Needs: what somebody should look at, the gravest first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from deltaworks.engine.automation.lateness import late_since
from deltaworks.engine.documents.automations import automated, schedules_json, sensors_json
from deltaworks.engine.execution.freshness import lake_freshness
from deltaworks.engine.planning.freshness import Verdict
from deltaworks.engine.planning.freshness_text import freshness_text
from deltaworks.errors import LocationFailed
from deltaworks.io.condition_notes import NAME
from deltaworks.io.switches import are_paused, read_switches
from deltaworks.io.ticks import TickOutcome, read_ticks
from deltaworks.io.together import together
from deltaworks.web import urls, words
from deltaworks.web.views.catalog import AssetRow
from deltaworks.web.views.shell import DaemonLife, daemon_life
from deltaworks.web.workspace import Sight

_OF_LATE = dt.timedelta(hours=24)
"""For how long a run that was lost is news."""


@dataclass(frozen=True, slots=True)
class Need:
    """Something that somebody should look at."""

    status: str
    href: str
    title: str
    told: str
    at: dt.datetime | None = None


def needs(sight: Sight, rows: Sequence[AssetRow]) -> list[Need]:
    """Return what somebody should look at: what is broken first, then what failed, what is late, and what is stale.

    Args:
        sight: the project and its lake.
        rows: its assets.

    Raises:
        StorageError: what the lake knows of schedules and sensors is damaged.
    """
    switches = read_switches(sight.project.store)
    found = [
        *_of_code(sight),
        *_of_daemon(sight, switches),
        *_of_assets(rows, "failed"),
        *_of_checks(sight),
        *_of_lost_runs(sight),
        *_of_automation(sight, switches),
        *_late_assets(sight),
        *_of_assets(rows, "stale"),
    ]
    return sorted(found, key=lambda need: need.status != "failed")


def _of_code(sight: Sight) -> Iterator[Need]:
    for problem in sight.project.problems:
        title = problem.location if isinstance(problem, LocationFailed) else "Code"
        yield Need("failed", "/locations", title, sight.from_folder(problem))


def _of_daemon(sight: Sight, switches: dict[str, bool]) -> Iterator[Need]:
    """Yield that nothing begins by itself, if something is meant to."""
    definitions, life = sight.project.definitions, daemon_life(sight)
    if are_paused(switches):
        yield Need("stale", "/daemon", "Daemon", "is paused: nothing begins by itself until it is resumed")
    if life is DaemonLife.UP:
        return
    are_on = switches.get(NAME, True)
    counts = {
        "schedule": sum(switches.get(each.name, each.is_on) for each in definitions.schedules.values()),
        "sensor": sum(switches.get(each.name, each.is_on) for each in definitions.sensors.values()),
        "condition": len(automated(definitions)) if are_on else 0,
    }
    waiting = " and ".join(words.plural(number, noun) for noun, number in counts.items() if number)
    if waiting:
        told = {DaemonLife.STOPPED: "is stopped", DaemonLife.NONE: "has never run", DaemonLife.UNKNOWN: "is not known"}
        yield Need("failed", "/daemon", "Daemon", f"{told[life]}: nothing begins by itself, and {waiting} should")


def _of_assets(rows: Sequence[AssetRow], word: str) -> Iterator[Need]:
    """Yield the assets of which something has failed, or else is stale; one that cannot be read has failed."""
    for row in rows:
        if row.problem is not None:
            if word == "failed":
                yield Need("failed", urls.asset(row.key), row.key, row.problem)
        elif next((each for each in ("failed", "stale") if row.counts.by_word.get(each)), None) == word:
            yield _of_partitions(row, word)


def _of_partitions(row: AssetRow, word: str) -> Need:
    number, total = row.counts.by_word[word], row.counts.total
    told = f"{words.number(number)} of {words.number(total)} partitions {'are ' if word == 'stale' else ''}{word}"
    whole = "is stale" if word == "stale" else "its last run failed"
    return Need(word, urls.asset(row.key, "partitions", status=word), row.key, told if total > 1 else whole)


def _of_checks(sight: Sight) -> Iterator[Need]:
    """Yield the assets whose checks did not hold after the commits of the last run that made them."""
    judged: set[str] = set()
    for run in reversed(sight.observation.runs):
        made = {step.asset for step in run.steps if step.materialized}
        for asset in dict.fromkeys(each.asset for each in run.check_failures):
            if asset not in judged:
                broken = [each for each in run.check_failures if each.asset == asset]
                is_grave = any(each.severity == "fail" for each in broken)
                more = f", and {words.plural(len(broken) - 1, 'more time')} like that" if len(broken) > 1 else ""
                told = f"{broken[0].problem}{more}"
                at = dt.datetime.fromisoformat(run.started_at)
                yield Need("failed" if is_grave else "stale", urls.asset(asset, "checks"), asset, told, at)
        judged |= made | {each.asset for each in run.check_failures}


def _of_lost_runs(sight: Sight) -> Iterator[Need]:
    for run in reversed(sight.observation.runs):
        at = dt.datetime.fromisoformat(run.started_at)
        if sight.at - at < _OF_LATE and sight.run_status(run) == "lost":
            yield Need("failed", urls.run(run.run_id), run.run_id, "its process is gone; what it committed stays", at)


def _of_automation(sight: Sight, switches: dict[str, bool]) -> Iterator[Need]:
    """Yield the schedules and sensors that are on, and whose last tick failed, or that owe one."""
    store, definitions = sight.project.store, sight.project.definitions
    schedules = schedules_json(definitions.schedules.values(), switches, sight.at)
    sensors = sensors_json(definitions.sensors.values(), switches)
    are_on = [
        *(("schedule", each["schedule"]) for each in schedules if each["is_on"]),
        *(("sensor", each["sensor"]) for each in sensors if each["is_on"]),
    ]
    yield from chain.from_iterable(together(store, lambda each: _of_one(sight, *each), are_on))


def _of_one(sight: Sight, kind: str, name: str) -> Sequence[Need]:
    """Return what somebody should look at of a schedule or sensor that is on."""
    store, href, found = sight.project.store, urls.automated(kind, name), list[Need]()
    for tick in read_ticks(store, name, 1):
        if tick.outcome is TickOutcome.FAILED:
            first = (tick.error or "").partition("\n")[0]
            told = f"its last tick failed: {sight.from_folder(first)}"
            found.append(Need("failed", href, name, told, dt.datetime.fromisoformat(tick.scheduled_at)))
    if kind == "schedule":
        late = late_since(sight.project.definitions.schedules[name], store, sight.at)
        if late is not None:
            found.append(Need("stale", href, name, "is late: nobody has decided the tick that was due", late))
    return found


def _late_assets(sight: Sight) -> Iterator[Need]:
    """Yield the assets that lag behind more than their policies allow."""
    graph = sight.project.graph
    for key, found in lake_freshness(graph, sight.project.store, sight.observation, sight.at).items():
        if found.verdict is Verdict.LATE:
            verdict = freshness_text(found, graph).partition(": ")[0]
            yield Need("stale", urls.asset(key), str(key), f"is {verdict}", found.since)
