"""The engine beside Dagster and SQLMesh on the same jobs: `make bench-peers`, which makes their environments first.

Every way is a process of its own, as its user would start it. In each round all ways of a case run one after the other,
and a row keeps the fingerprint of the table that came out. A peer has only the cases that it can do. `side_by_side.py
ROUNDS` says how often; `side_by_side.py tiny` does the flights once, on some days.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import backfill
import polars as pl
from environment import QUIET, Environment
from flights_job import TABLES, fingerprint
from measure import Measurement, measure
from rows import PACKAGES, Fingerprint, Row, installed, keep, measured
from ways import (
    DAGSTER,
    DAGSTER_DAYS,
    DAGSTER_LIBRARY,
    DAGSTER_RANGE,
    ENGINE,
    LOOP,
    OURS,
    RANGES,
    SCRIPT,
    SQLMESH,
    SQLMESH_DAYS,
    SQLMESH_PLAN,
)

BENCH = Path(__file__).parent
PEERS = BENCH / "peers"
IN_DAGSTER, IN_SQLMESH = Environment("dagster"), Environment("sqlmesh")
VERSIONS = {
    OURS: installed(PACKAGES),
    DAGSTER: IN_DAGSTER.versions("dagster", "polars", "deltalake", "pandera"),
    SQLMESH: IN_SQLMESH.versions("sqlmesh", "duckdb"),
}

Way = Callable[[Path, int], tuple[Measurement, Fingerprint]]
"""Makes the flights of so many days in a folder, and says what it took and what came out."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done."""

    year: int = 365
    days: int = 30
    """Of the case in which every partition is made by itself."""
    rounds: int = 1
    ops: int = 200
    assets: int = 1000
    idle_s: float = 30.0
    trials: int = 2


def main() -> None:
    """Run all cases."""
    is_tiny = sys.argv[1:] == ["tiny"]
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 and not is_tiny else 1
    sizes = Sizes(year=10, days=3) if is_tiny else Sizes(rounds=rounds)
    for number in range(sizes.rounds):
        flights("backfill, a year", YEAR, sizes.year, number)
        flights("backfill, days", DAYS, sizes.days, number)
        start_up(number)
    if is_tiny:
        return
    dagster_alone(sizes)
    for name in ("ops.py", "daemon.py", "automation.py"):
        subprocess.run([sys.executable, str(BENCH / name)], check=True)


def by_example(way: str) -> Way:
    """Return what makes the flights by the engine or by a plain script."""

    def make(folder: Path, days: int) -> tuple[Measurement, Fingerprint]:
        command = backfill.command(way, folder, days)
        found = measure(command, backfill.EXAMPLE, {"DELTAWORKS_LAKE": str(folder)})
        return found, fingerprint(pl.read_delta(str(folder / TABLES[-1])))

    return make


def by_dagster(runs: str) -> Way:
    """Return what makes them by Dagster: `each` day a run, the `range` in one, or that by the `library` for Delta."""

    def make(folder: Path, days: int) -> tuple[Measurement, Fingerprint]:
        script = str(PEERS / "dagster_flights.py")
        found = measure([IN_DAGSTER.program("python"), script, str(folder), str(days), runs], folder, QUIET)
        lake = folder / "flown" if runs == "library" else folder
        return found, fingerprint(pl.read_delta(str(lake / TABLES[-1])))

    return make


def by_sqlmesh(batch_days: int) -> Way:
    """Return what makes them by SQLMesh, in batches of days; of none: in one."""

    def make(folder: Path, days: int) -> tuple[Measurement, Fingerprint]:
        if not (folder / "models").exists():
            write_sqlmesh(folder, days, batch_days)
        command = [IN_SQLMESH.program("sqlmesh"), "plan", "--auto-apply", "--no-prompts"]
        found = measure(command, folder, QUIET)
        return found, IN_SQLMESH.answer(str(PEERS / "sqlmesh_flights.py"), "print", str(folder))

    return make


def write_sqlmesh(folder: Path, days: int, batch_days: int) -> None:
    """Write the project of SQLMesh."""
    command = [sys.executable, str(PEERS / "sqlmesh_flights.py"), "write", str(folder), str(days), str(batch_days)]
    subprocess.run(command, check=True)


YEAR = {
    SCRIPT: by_example(SCRIPT),
    RANGES: by_example(RANGES),
    SQLMESH_PLAN: by_sqlmesh(0),
    DAGSTER_RANGE: by_dagster("range"),
}
DAYS = {
    LOOP: by_example(LOOP),
    ENGINE: by_example(ENGINE),
    SQLMESH_DAYS: by_sqlmesh(1),
    DAGSTER_DAYS: by_dagster("each"),
    DAGSTER_LIBRARY: by_dagster("library"),
}


def flights(case: str, ways: Mapping[str, Way], days: int, number: int) -> None:
    """Make the flights in each way; in those that know what is done already, then ask for the same again."""
    for way, make in ways.items():
        with tempfile.TemporaryDirectory() as name:
            for each in (case, "nothing to do") if way in (RANGES, SQLMESH_PLAN) else (case,):
                found, made = make(Path(name), days)
                tell(Row(each, way, measured(found), number, {"days": days}, made, versions_of(way)))


def start_up(number: int) -> None:
    """Start each command line for nothing, then for what a small project holds."""
    ours = str(Path(sys.executable).with_name("deltaworks"))
    dagster, sqlmesh = IN_DAGSTER.program("dagster"), IN_SQLMESH.program("sqlmesh")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sqlmesh(folder, 10, 0)
        lists: Mapping[str, tuple[Sequence[str], Path]] = {
            OURS: ([ours, "list"], backfill.EXAMPLE),
            DAGSTER: ([dagster, "asset", "list", "-f", str(PEERS / "dagster_flights.py")], folder),
            SQLMESH: ([sqlmesh, "info", "--skip-connection"], folder),
        }
        for way, (command, place) in lists.items():
            for case, words in (("start: --version", [command[0], "--version"]), ("start: list", command)):
                tell(Row(case, way, measured(measure(words, place, QUIET)), number, versions=versions_of(way)))


def dagster_alone(sizes: Sizes) -> None:
    """Ask Dagster for what only its own interpreter can measure: ops, ticks, and its server."""
    versions = versions_of(DAGSTER)
    cpu_ms = IN_DAGSTER.answer(str(PEERS / "dagster_ops.py"), str(sizes.ops))
    tell(Row("an op that does nothing", "Dagster, side_by_side", cpu_ms, sizes={"ops": sizes.ops}, versions=versions))
    ticks = IN_DAGSTER.answer(str(PEERS / "dagster_tick.py"), str(sizes.assets))
    of = {"assets": sizes.assets}
    for what, cpu_s in ticks["ticks"].items():
        tell(Row("automation tick", f"Dagster, {what}", {"cpu_s": cpu_s}, sizes=of, versions=versions))
    tell(Row("automation memory", DAGSTER, {"peak_mib": ticks["peak_mib"]}, sizes=of, versions=versions))
    live = IN_DAGSTER.answer(str(PEERS / "dagster_live.py"), "run", str(sizes.idle_s), str(sizes.trials))
    tell(Row("idle", "Dagster, all processes", live["idle"], sizes={"tables": 2}, versions=versions))
    tell(Row("commit to run", DAGSTER, live["latency"], sizes={"commits": sizes.trials}, versions=versions))


def versions_of(way: str) -> Mapping[str, str]:
    """Return what a way was done with."""
    return VERSIONS[next((name for name in (DAGSTER, SQLMESH) if way.startswith(name)), OURS)]


def tell(row: Row) -> None:
    """Keep a row, and print it in short."""
    keep(row)
    figures = ", ".join(f"{name} {value:g}" for name, value in row.figures.items())
    print(f"{row.round} {row.case:26} {row.way:36} {figures}", flush=True)


if __name__ == "__main__":
    main()
