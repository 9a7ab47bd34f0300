"""Goals: how much each case may cost at most, set before it was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from results import Results
from ways import (
    DAGSTER,
    DAGSTER_RANGE,
    DASK_TASK,
    DELTA_RS,
    ENGINE,
    IN_TURN,
    LOOP,
    OURS,
    POLARS_SINK,
    POLARS_STEP,
    RANGES,
    SCRIPT,
    SQLMESH_PLAN,
    SWAP_LOOP,
    TINY_TASK,
    WAITING,
)

Found = Callable[[Results], float | None]
"""Reads a value off rows; none if nobody measured it."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is measured, what it may come to, and what others come to in the same."""

    what: str
    unit: str
    """What stands behind a number; "x" is a ratio."""
    limit: float
    ours: Found
    peers: Sequence[tuple[str, Found]] = ()
    """Names, with the same value of theirs."""
    is_least: bool = False
    """Whether the limit is what it must reach, not what it must not exceed."""

    def is_met(self, value: float) -> bool:
        """Return whether a value keeps within the limit."""
        return value >= self.limit if self.is_least else value <= self.limit


def figure(case: str, way: str, name: str) -> Found:
    """Return what finds the median of a figure."""
    return lambda results: results.figure(case, way, name)


def ratio(case: str, way: str, other: str, name: str) -> Found:
    """Return what finds the median ratio of two ways, round by round."""
    return lambda results: results.ratio(case, way, other, name)


def _beyond(results: Results) -> float | None:
    ours, bare = (results.figure("a tiny step", way, "cpu_ms") for way in (OURS, POLARS_STEP))
    return None if ours is None or bare is None else ours - bare


def _throughput(name: str) -> Found:
    def found(results: Results) -> float | None:
        ours = [way for way in results.ways("larger than memory") if way.startswith(OURS)]
        return results.ratio("larger than memory", POLARS_SINK, ours[0], name) if ours else None

    return found


def _state(case: str, size: str, name: str) -> Found:
    def found(results: Results) -> float | None:
        rows = [row for row in results.of(case, OURS) if row.sizes.get("lake") == size]
        return rows[-1].figures[name] if rows else None

    return found


def _commit(commits: int) -> Found:
    def found(results: Results) -> float | None:
        by_way = {
            way: row.figures["cpu_ms"]
            for way in (OURS, DELTA_RS)
            for row in results.of("a commit in a log", way)
            if row.sizes["commits"] == commits
        }
        return by_way[OURS] / by_way[DELTA_RS] if len(by_way) == 2 else None

    return found


_WRITE, _STAGE = "Polars writes, nothing validates", "deltaworks writes and validates"
_BEYOND = "cpu_s_beyond_imports"

GOALS = (
    Goal(
        "backfill, one partition a call: CPU beside the plain loop",
        "x",
        0.15,
        ratio("backfill", ENGINE, LOOP, "cpu_s"),
    ),
    Goal(
        "backfill in ranges: CPU beside the plain script",
        "x",
        1.3,
        ratio("backfill", RANGES, SCRIPT, "cpu_s"),
        [(each, ratio("backfill, a year", each, SCRIPT, "cpu_s")) for each in (SQLMESH_PLAN, DAGSTER_RANGE)],
    ),
    Goal(
        "the same: wall of the whole command beside the plain script",
        "x",
        2.0,
        ratio("backfill", RANGES, SCRIPT, "wall_s"),
        [(each, ratio("backfill, a year", each, SCRIPT, "wall_s")) for each in (SQLMESH_PLAN, DAGSTER_RANGE)],
    ),
    Goal(
        "the same: peak memory",
        "MiB",
        400,
        figure("backfill", RANGES, "peak_mib"),
        [(each, figure("backfill, a year", each, "peak_mib")) for each in (SQLMESH_PLAN, DAGSTER_RANGE)],
    ),
    Goal(
        "a commit of its own for each partition: CPU beside a bare compare-and-swap",
        "x",
        1.5,
        ratio("one commit a partition", OURS, SWAP_LOOP, "cpu_ms"),
    ),
    Goal("the 1,000th commit of a table beside a bare compare-and-swap", "x", 1.5, _commit(1000)),
    Goal(
        "a tiny step: CPU beyond Polars' own",
        "ms",
        1.0,
        _beyond,
    ),
    Goal(
        "write and validate, 21 rules, beside writing alone",
        "x",
        1.3,
        ratio("validation", f"{_STAGE}, 21 rules", _WRITE, "cpu_s"),
        [("pandera, validating alone", ratio("validation", "pandera validates the scan, 21 rules", _WRITE, "cpu_s"))],
    ),
    Goal(
        "the same with a unique key",
        "x",
        1.6,
        ratio("validation", f"{_STAGE}, unique too", _WRITE, "cpu_s"),
        [("pandera, validating alone", ratio("validation", "pandera validates the scan, unique too", _WRITE, "cpu_s"))],
    ),
    Goal(
        "validation of 1,000 rows: CPU",
        "ms",
        2.0,
        figure("validation of a thousand rows", OURS, "cpu_ms"),
        [("pandera", figure("validation of a thousand rows", "pandera", "cpu_ms"))],
    ),
    Goal(
        "larger than memory: throughput beside Polars' sink, by wall", "x", 0.85, _throughput("wall_s"), is_least=True
    ),
    Goal("the same by CPU", "x", 0.85, _throughput("cpu_s"), is_least=True),
    Goal("status of 1,000,000 partitions: CPU beyond imports", "s", 1.0, _state("status", "1,000,000 states", _BEYOND)),
    Goal("the same: peak memory", "MiB", 477, _state("status", "1,000,000 states", "peak_mib")),
    Goal(
        "plan of 1,000,000 stale partitions: CPU beyond imports",
        "s",
        5.0,
        _state("plan, all stale", "1,000,000 states", _BEYOND),
    ),
    Goal(
        "load and status of 1,000 assets of ten years: CPU beyond imports",
        "s",
        5.0,
        _state("status of daily tables", "1,000 x 3,650 days", _BEYOND),
    ),
    Goal(
        "automation, 1,000 assets of ten years: an idle tick, CPU",
        "s",
        0.1,
        figure("automation tick", "deltaworks, idle", "cpu_s"),
        [(DAGSTER, figure("automation tick", "Dagster, idle", "cpu_s"))],
    ),
    Goal(
        "the same: a tick with 10 updates, CPU",
        "s",
        0.5,
        figure("automation tick", "deltaworks, 10 tables updated", "cpu_s"),
        [(DAGSTER, figure("automation tick", "Dagster, 10 tables updated", "cpu_s"))],
    ),
    Goal(
        "the same: peak memory",
        "MiB",
        191,
        figure("automation memory", OURS, "peak_mib"),
        [(DAGSTER, figure("automation memory", DAGSTER, "peak_mib"))],
    ),
    Goal(
        "idle service: memory of the daemon (PSS)",
        "MB",
        130,
        figure("idle", "deltaworks, daemon", "pss_mb"),
        [(DAGSTER, figure("idle", "Dagster, all processes", "pss_mb"))],
    ),
    Goal(
        "the same: its processor",
        "% of a core",
        1.0,
        figure("idle", "deltaworks, daemon", "cpu_percent"),
        [(DAGSTER, figure("idle", "Dagster, all processes", "cpu_percent"))],
    ),
    Goal(
        "commit to start of run, median",
        "s",
        1.0,
        figure("commit to run", WAITING, "median_s"),
        [(DAGSTER, figure("commit to run", DAGSTER, "median_s"))],
    ),
    Goal(
        "commit to start of run, p95",
        "s",
        2.0,
        figure("commit to run", WAITING, "p95_s"),
        [(DAGSTER, figure("commit to run", DAGSTER, "longest_s"))],
    ),
    Goal(
        "an op that does nothing: CPU",
        "ms",
        0.5,
        figure("an op that does nothing", "deltaworks, side_by_side", "cpu_ms"),
        [(DAGSTER, figure("an op that does nothing", "Dagster, side_by_side", "cpu_ms"))],
    ),
    Goal(
        "command line: --version, CPU",
        "s",
        0.15,
        figure("start: --version", OURS, "cpu_s"),
        [(each, figure("start: --version", each, "cpu_s")) for each in ("SQLMesh", DAGSTER)],
    ),
    Goal(
        "command line: list the assets, CPU",
        "s",
        0.8,
        figure("start: list", OURS, "cpu_s"),
        [(each, figure("start: list", each, "cpu_s")) for each in ("SQLMesh", DAGSTER)],
    ),
    Goal(
        "requests that write to an object store, for each partition of a backfill",
        "",
        3,
        figure("a backfill in an object store", "child", "puts"),
    ),
    Goal("requests that read from it", "", 6, figure("a backfill in an object store", "child", "reads")),
    Goal(
        "an idle daemon: requests for each table and look",
        "",
        1,
        figure("a daemon over an object store", OURS, "requests"),
    ),
    Goal(
        "status of 100 tables at 25 ms a request, beside its requests one after the other",
        "x",
        0.5,
        ratio("status in a far object store", OURS, IN_TURN, "wall_s"),
    ),
    Goal(
        "a tiny task on a Dask cluster beside Dask's own, by wall",
        "x",
        1.5,
        ratio("a tiny task on Dask", TINY_TASK, DASK_TASK, "wall_ms"),
    ),
)
