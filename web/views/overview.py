"""Overview: what needs attention first, then what goes on, what was done of late, and what comes next."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from deltaworks.engine.automation.schedule_watch import WatchedSchedule
from deltaworks.errors import RequestError
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.switches import read_switches
from deltaworks.web import urls
from deltaworks.web.draw.timeline import Bar, Stretch, Timeline, draw_timeline
from deltaworks.web.views.catalog import asset_row
from deltaworks.web.views.needs import Need, needs
from deltaworks.web.views.run_row import RunRow, run_row
from deltaworks.web.workspace import Sight

SHOWN = 12
"""How many lines each list has; its link leads to all of them."""

SHOWN_ROWS = 16
"""How many rows the time line has."""

SHOWN_TICKS = 8

DAY = dt.timedelta(days=1)
WINDOWS = {
    "15min": (dt.timedelta(minutes=15), dt.timedelta(minutes=3)),
    "1h": (dt.timedelta(hours=1), dt.timedelta(minutes=10)),
    "6h": (dt.timedelta(hours=6), dt.timedelta(hours=1)),
    "24h": (DAY, dt.timedelta(hours=3)),
}
"""How long the time line may be, and how far apart its ticks are then; ascending."""

_ORDER = ("unknown", "failed", "running", "stale", "missing", "external", "fresh")


@dataclass(frozen=True, slots=True)
class DayView:
    """What ran of late."""

    window: str
    runs: tuple[tuple[RunRow, Bar], ...]
    picture: Timeline
    more_rows: int
    """How many rows do not stand on it."""


@dataclass(frozen=True, slots=True)
class LiveRow:
    """A run that waits or goes on."""

    run: RunRow
    done: float
    """How much of it is done, from 0 to 1."""
    left_s: float | None
    """How long the rest takes, about; none: nobody knows."""


@dataclass(frozen=True, slots=True)
class NextTick:
    """When a schedule is asked next."""

    name: str
    href: str
    job: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class OverviewView:
    """The first page."""

    needs: tuple[Need, ...]
    more_needs: int
    by_status: tuple[tuple[str, int], ...]
    """How many assets have each status as their worst."""
    assets: int
    day: DayView
    windows: tuple[str, ...]
    live: tuple[LiveRow, ...]
    latest: tuple[RunRow, ...]
    next_ticks: tuple[NextTick, ...]
    has_schedules: bool
    is_new: bool
    """Whether nothing of the lake was ever made or asked for."""


def overview_view(sight: Sight, window: str = "") -> OverviewView:
    """Return what the first page shows.

    Args:
        sight: the project and its lake.
        window: the length of the time line; empty: the least that has all runs of the last day.

    Raises:
        RequestError: a time line is not drawn so long.
    """
    if window not in ("", *WINDOWS):
        raise RequestError(f"The time line is never {window!r} long, but {', '.join(WINDOWS)}.")
    rows = [asset_row(sight, node) for node in sight.project.graph.nodes.values()]
    found = needs(sight, rows)
    worst = Counter(row.status for row in rows)
    return OverviewView(
        needs=tuple(found[:SHOWN]),
        more_needs=max(0, len(found) - SHOWN),
        by_status=tuple((word, worst[word]) for word in _ORDER if worst[word]),
        assets=len(rows),
        day=_day(sight, window),
        windows=tuple(WINDOWS),
        live=tuple(_live(sight, run) for run in sight.live_runs[-SHOWN:][::-1]),
        latest=tuple(run_row(sight, run) for run in sight.observation.runs[-SHOWN:][::-1]),
        next_ticks=tuple(_next_ticks(sight)),
        has_schedules=bool(sight.project.definitions.schedules),
        is_new=not sight.observation.runs and set(worst) == {"missing"},
    )


def _day(sight: Sight, window: str) -> DayView:
    """Lay out the runs of late, a row for each job and each other thing that is done."""
    rows = (run_row(sight, run) for run in sight.observation.runs)
    runs = [row for row in rows if _end(sight, row) >= sight.at - DAY]
    window = window or _fitting(sight, runs)
    length, step = WINDOWS[window]
    since = sight.at - length
    runs = [row for row in runs if _end(sight, row) >= since]
    names = list(dict.fromkeys(row.what for row in reversed(runs)))
    place = {name: number for number, name in enumerate(names[:SHOWN_ROWS])}
    shown = sorted((row for row in runs if row.what in place), key=lambda row: (place[row.what], row.started_at))
    stretches = [Stretch(row.what, row.started_at, _end(sight, row)) for row in shown]
    picture = draw_timeline(stretches, since, sight.at, step)
    bars = ((row, bar) for row, bar in zip(shown, picture.bars, strict=True) if bar is not None)
    return DayView(window, tuple(bars), picture, max(0, len(names) - SHOWN_ROWS))


def _fitting(sight: Sight, runs: Sequence[RunRow]) -> str:
    """Return the least window in which all runs began; without any the longest."""
    age = sight.at - min((row.started_at for row in runs), default=sight.at - DAY)
    return next((word for word, (length, _) in WINDOWS.items() if age <= length), "24h")


def _end(sight: Sight, row: RunRow) -> dt.datetime:
    """Return when a run ended: of one that goes on now, of one that was lost when it began, as nobody knows better."""
    return row.ended_at or (sight.at if row.status in ("running", "queued") else row.started_at)


def _live(sight: Sight, run: RunEntry) -> LiveRow:
    row = run_row(sight, run)
    left = [step.left_s for step in run.steps if step.left_s is not None]
    done = (row.made + row.failed) / row.planned if row.planned else 0.0
    return LiveRow(row, min(1.0, done), max(left) if left else None)


def _next_ticks(sight: Sight) -> list[NextTick]:
    """Return the next tick of every schedule that is on, the soonest first."""
    switches = read_switches(sight.project.store)
    on = [each for each in sight.project.definitions.schedules.values() if switches.get(each.name, each.is_on)]
    ticks = (
        NextTick(each.name, urls.automated("schedule", each.name), each.job.name, at)
        for each in on
        for at in WatchedSchedule.of(each).rhythm.next(sight.at, 1)
    )
    return sorted(ticks, key=lambda tick: tick.at)[:SHOWN_TICKS]
