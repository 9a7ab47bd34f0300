"""Overview: what needs attention first, then what goes on and what was done of late."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass

from deltaworks.engine.execution.freshness import lake_freshness
from deltaworks.engine.planning.freshness import Verdict
from deltaworks.engine.planning.freshness_text import freshness_text
from deltaworks.io.ledger import RunEntry
from deltaworks.web import urls
from deltaworks.web.views.catalog import AssetRow, asset_row
from deltaworks.web.workspace import Sight

SHOWN = 12
"""How many lines each list has; its link leads to all of them."""

DAY = dt.timedelta(hours=24)
_WIDTH = 1000.0
_LANE = 18.0
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Need:
    """Something that somebody should look at."""

    status: str
    href: str
    title: str
    told: str
    at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in a line."""

    run_id: str
    status: str
    what: str
    """Its job, or what it does to which assets."""
    user: str | None
    started_at: dt.datetime
    ended_at: dt.datetime | None
    made: int
    failed: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A run on the time line of a day, in thousandths of its width."""

    run: RunRow
    x: float
    width: float
    y: float


@dataclass(frozen=True, slots=True)
class OverviewView:
    """The first page."""

    needs: tuple[Need, ...]
    more_needs: int
    by_status: tuple[tuple[str, int], ...]
    """How many assets have each status as their worst."""
    assets: int
    bars: tuple[Bar, ...]
    hours: tuple[tuple[float, str], ...]
    lanes: int
    live: tuple[RunRow, ...]
    latest: tuple[RunRow, ...]


def overview_view(sight: Sight) -> OverviewView:
    """Return what the first page shows."""
    rows = [asset_row(sight, node) for node in sight.project.graph.nodes.values()]
    broken = [Need("failed", "/assets", "Code", str(problem)) for problem in sight.project.problems]
    needs = [*broken, *_late(sight), *_of_assets(rows), *_of_runs(sight)]
    worst = Counter(row.status for row in rows)
    order = ("unknown", "failed", "running", "stale", "missing", "external", "fresh")
    bars = _bars(sight)
    start = sight.at - DAY
    hours = [start.replace(minute=0, second=0, microsecond=0) + dt.timedelta(hours=hour) for hour in range(3, 25, 3)]
    return OverviewView(
        needs=tuple(needs[:SHOWN]),
        more_needs=max(0, len(needs) - SHOWN),
        by_status=tuple((word, worst[word]) for word in order if worst[word]),
        assets=len(rows),
        bars=tuple(bars),
        hours=tuple((_x(at, start), f"{at:%H:%M}") for at in hours if _x(at, start) < _WIDTH - 20),
        lanes=1 + max((round(bar.y / _LANE) for bar in bars), default=0),
        live=tuple(run_row(sight, run) for run in sight.live_runs[-SHOWN:][::-1]),
        latest=tuple(run_row(sight, run) for run in sight.observation.runs[-SHOWN:][::-1]),
    )


def run_row(sight: Sight, run: RunEntry) -> RunRow:
    """Return a run in a line."""
    return RunRow(
        run_id=run.run_id,
        status=sight.run_status(run).value,
        what=run.job or _deed(run),
        user=run.tick or run.user,
        started_at=dt.datetime.fromisoformat(run.started_at),
        ended_at=None if run.ended_at is None else dt.datetime.fromisoformat(run.ended_at),
        made=run.materialized,
        failed=run.failed,
    )


def _deed(run: RunEntry) -> str:
    verb = run.command.partition(" ")[0]
    names = [step.asset for step in run.steps]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{verb} {', '.join(names[:_NAMED])}{more}".rstrip()


def _of_assets(rows: list[AssetRow]) -> list[Need]:
    """Return what is wrong with assets, the worst first."""
    broken = [Need("failed", urls.asset(row.key), row.key, row.problem) for row in rows if row.problem is not None]
    return broken + [_need(row, word) for word in ("failed", "stale") for row in rows if _first_to_say(row) == word]


def _late(sight: Sight) -> list[Need]:
    """Return the assets that lag behind more than their policies allow."""
    graph = sight.project.graph
    found = lake_freshness(graph, sight.project.store, sight.observation, sight.at)
    return [
        Need("stale", urls.asset(key), str(key), f"is {freshness_text(each, graph)}", each.since)
        for key, each in found.items()
        if each.verdict is Verdict.LATE
    ]


def _first_to_say(row: AssetRow) -> str | None:
    if row.problem is not None:
        return None
    return next((word for word in ("failed", "stale") if row.counts.by_word.get(word)), None)


def _need(row: AssetRow, word: str) -> Need:
    number, total = row.counts.by_word[word], row.counts.total
    told = f"{number:,} of {total:,} partitions {'are ' if word == 'stale' else ''}{word}"
    whole = "it is stale" if word == "stale" else "its last run failed"
    return Need(word, urls.asset(row.key, "partitions", status=word), row.key, told if total > 1 else whole)


def _of_runs(sight: Sight) -> list[Need]:
    since = sight.at - DAY
    late = [run for run in sight.observation.runs if dt.datetime.fromisoformat(run.started_at) > since]
    lost = [run for run in late if sight.run_status(run) == "lost"]
    return [
        Need(
            "failed",
            urls.run(run.run_id),
            run.run_id,
            "its process is gone; what it committed stays",
            dt.datetime.fromisoformat(run.started_at),
        )
        for run in reversed(lost)
    ]


def _bars(sight: Sight) -> list[Bar]:
    """Lay out the runs of the last day in as many lanes as there were at a time."""
    since, lanes, bars = sight.at - DAY, list[float](), list[Bar]()
    for run in sight.observation.runs:
        row = run_row(sight, run)
        end = row.ended_at or (sight.at if row.status in ("running", "queued") else row.started_at)
        if end < since:
            continue
        x = max(0.0, _x(row.started_at, since))
        width = max(3.0, _x(end, since) - x)
        lane = next((place for place, free in enumerate(lanes) if free <= x), len(lanes))
        if lane == len(lanes):
            lanes.append(0.0)
        lanes[lane] = x + width + 2
        bars.append(Bar(row, round(x, 1), round(width, 1), lane * _LANE))
    return bars


def _x(at: dt.datetime, start: dt.datetime) -> float:
    return round((at - start) / DAY * _WIDTH, 1)
