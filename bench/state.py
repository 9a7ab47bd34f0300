"""How the cost of a state grows with partitions, commits and assets: `make bench`.

Commit logs of up to a million partitions and ten thousand commits are written as if they had been run, and the real
commands are run on them, each in a process of its own. What a row counts is the CPU beyond that of a process that only
imports what the command does. `state.py tiny` runs every case once, on next to nothing.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lakes import write_daily_project, write_hourly_project
from measure import Measurement, measure
from rows import Row, keep

HERE = Path(__file__).parent
IMPORTS = "import gc, deltaworks.cli.app, deltaworks.engine.execution.decide, deltaworks.engine.workspace.project"
BARE = [sys.executable, "-c", f"{IMPORTS}; gc.freeze()"]
"""Ends as a command does; its CPU is what a row's is counted beyond."""
HOURLY, COMMITS, YEARS = 10, 100, 10
TINY = sys.argv[1:] == ["tiny"]
"""Whether only to show that every case runs."""
ROUNDS = 1 if TINY else 3
NOISE_S = 0.05
"""What is below it says nothing by itself, and has no ratio."""
STATUS, PLAN = ["status", "--json"], ["plan", "--json"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything there is, ascending."""

    states: Sequence[int] = (10_000, 100_000, 1_000_000)
    commits: Sequence[int] = (100, 1_000, 10_000)
    assets: Sequence[int] = (100, 1_000)
    days: int = 365 * YEARS


@dataclass(frozen=True, slots=True)
class Case:
    """One command on one size of lake."""

    what: str
    size: str
    took: tuple[float, float]
    """CPU seconds beyond the imports, peak MiB."""


def main() -> None:
    """Run the cases and print the table."""
    sizes = Sizes((240,), (3,), (4,), 30) if TINY else Sizes()
    print("\nCPU beyond that of the imports; the ratio is to the next smaller size")
    print(f"{'what':44} {'size':>18} {'CPU s':>8} {'peak MiB':>9} {'ratio':>7}", flush=True)
    before: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in _cases(Path(folder), sizes):
            cpu_s, peak_mib = case.took
            ratio = f"{cpu_s / before[case.what]:.1f}" if before.get(case.what, 0) > NOISE_S else ""
            before[case.what] = cpu_s
            print(f"{case.what:44} {case.size:>18} {cpu_s:8.2f} {peak_mib:9.0f} {ratio:>7}", flush=True)
            figures = {"cpu_s_beyond_imports": round(cpu_s, 3), "peak_mib": round(peak_mib, 1)}
            keep(Row(case.what, "deltaworks", figures, sizes={"lake": case.size}))


def _cases(folder: Path, sizes: Sizes) -> Iterator[Case]:
    yield from _by_states(folder, sizes.states)
    yield from _by_commits(folder, sizes.commits)
    yield from _by_assets(folder, sizes.assets, sizes.days)


def _by_states(folder: Path, sizes: Sequence[int]) -> Iterator[Case]:
    """Ten hourly tables and a daily one, chained, a hundred commits each."""
    for states in sizes:
        place, changed, size = folder / f"{states} states", folder / f"{states} stale", f"{states:,} states"
        write_hourly_project(place, states // HOURLY, HOURLY)
        write_hourly_project(changed, states // HOURLY, HOURLY, salt=1)
        _write("logs", place, str(COMMITS), "files")
        lake = ["--lake", str(place / "lake")]
        yield Case("status, no index", size, _run(place, STATUS, times=1))
        yield Case("status", size, _run(place, STATUS))
        yield Case("status --partitions", size, _run(place, [*STATUS, "--partitions"]))
        yield Case("status --partitions, all stale", size, _run(changed, [*STATUS, "--partitions", *lake]))
        yield Case("plan, all stale", size, _run(changed, [*PLAN, *lake]))
        yield Case("plan, all missing", size, _run(place, [*PLAN, "--lake", str(place / "none")]))
        _write("commit", place, "h0")
        yield Case("status, one commit after the index", size, _run(place, STATUS))
        _write("commit", place, "h0", "2")
        yield Case("status, every other hour remade at the root", size, _run(place, STATUS, times=1))
        yield Case("plan, every other hour remade at the root", size, _run(place, PLAN))
        shutil.rmtree(place)


def _by_commits(folder: Path, sizes: Sequence[int]) -> Iterator[Case]:
    """Two hourly tables, an hour a commit."""
    for commits in sizes:
        place, size = folder / f"{commits} commits", f"{commits:,} commits"
        write_hourly_project(place, commits, 2)
        _write("logs", place, str(commits), "files")
        yield Case("status of one-hour commits, no index", size, _run(place, STATUS, times=1))
        yield Case("status of one-hour commits", size, _run(place, STATUS))
        shutil.rmtree(place)


def _by_assets(folder: Path, sizes: Sequence[int], days: int) -> Iterator[Case]:
    """Daily tables in one module, each with a model of its own."""
    for assets in sizes:
        place, size = folder / f"{assets} assets", f"{assets:,} x {days:,} days"
        write_daily_project(place, assets, days)
        yield Case("check (no lake)", size, _run(place, ["check", "--json"]))
        _write("logs", place, "3", "records")
        yield Case("list (loads the project)", size, _run(place, ["list", "--json"]))
        yield Case("status of daily tables, no index", size, _run(place, STATUS, times=1))
        yield Case("status of daily tables", size, _run(place, STATUS))
        shutil.rmtree(place)


def _write(what: str, place: Path, *rest: str) -> None:
    """Write in a process of its own: a project's modules are imported once in one, and a child's peak counts it."""
    measure([sys.executable, str(HERE / "lakes.py"), what, str(place), *rest], HERE, {})


def _run(place: Path, command: Sequence[str], times: int = ROUNDS) -> tuple[float, float]:
    """Run a command and the bare imports in turns; the cheapest of each counts, as others only ever add."""
    bare, runs = list[Measurement](), list[Measurement]()
    for _ in range(times):
        bare.append(measure(BARE, place, {}))
        runs.append(measure([sys.executable, "-m", "deltaworks", *command], place, {}))
    beyond = min(run.cpu_s for run in runs) - min(run.cpu_s for run in bare)
    return max(beyond, 0.0), min(run.peak_mib for run in runs)


if __name__ == "__main__":
    main()
