"""The flights backfill beside the same job in plain scripts: `make bench`.

Three daily tables over 365 days, validated, by five ways in turn: the engine with one partition a call, in ranges, and
in ranges without syncing to the disk, which the scripts do not do either; a loop that overwrites one partition a
commit, and a script with one commit a table. Every round runs all of them, so their ratios hold on a noisy machine. A
way whose result differs from the others' stops the bench. `backfill.py tiny` runs one round of some days.
"""

from __future__ import annotations

import datetime as dt
import json
import statistics
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import polars as pl
from flights_job import START, TABLES, fingerprint
from measure import Measurement, measure
from rows import PACKAGES, Row, installed, keep, measured
from ways import ENGINE, LOOP, RANGES, SCRIPT, UNSYNCED

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "examples" / "flights"
DAYS, FEW = 365, 10


def main() -> None:
    """Run the rounds and print a row a run, then the table."""
    is_tiny = sys.argv[1:] == ["tiny"]
    rounds, days = (1, FEW) if is_tiny else (int(sys.argv[1]) if len(sys.argv) > 1 else 3, DAYS)
    print(json.dumps(installed(PACKAGES)))
    runs: dict[str, list[Measurement]] = {ENGINE: [], RANGES: [], UNSYNCED: [], LOOP: [], SCRIPT: []}
    prints: set[tuple[float, ...]] = set()
    for number in range(rounds):
        for way, done in runs.items():
            with tempfile.TemporaryDirectory() as folder:
                lake = Path(folder) / "lake"
                (Path(folder) / "deltaworks.toml").write_text("durable = false\n")
                place = Path(folder) if way == UNSYNCED else EXAMPLE
                done.append(measure(command(way, lake, days), place, {"DELTAWORKS_LAKE": str(lake)}))
                found = fingerprint(pl.read_delta(str(lake / TABLES[-1])))
            prints.add(found)
            keep(Row("backfill", way, measured(done[-1]), number, {"days": days}, found))
            print(json.dumps({"round": number, "way": way, **asdict(done[-1])}), flush=True)
    if len(prints) != 1:
        raise SystemExit(f"the ways disagree: {prints}")
    show(runs)


def command(way: str, lake: Path, days: int) -> list[str]:
    """Return the command of a way, as a user would type it."""
    if way in (ENGINE, RANGES, UNSYNCED):
        last = START + dt.timedelta(days=days - 1)
        origin = ["-f", str(HERE / "ranged.py")] if way != ENGINE else []
        ends = ["--from", str(START), "--to", str(last)]
        return [sys.executable, "-m", "deltaworks", "backfill", *TABLES, *ends, *origin]
    return [sys.executable, str(HERE / "plain.py"), "loop" if way == LOOP else "script", str(lake), str(days)]


def show(runs: dict[str, list[Measurement]]) -> None:
    """Print medians, and the ratio of each way's CPU to each other's, round by round."""
    plain = {LOOP: "/ loop", SCRIPT: "/ script"}
    print(
        f"\n{'way':40} {'CPU s':>8} {'wall s':>8} {'peak MiB':>9}" + "".join(f" {each:>9}" for each in plain.values())
    )
    for way, done in runs.items():
        cpu_s, wall_s, peak = (
            statistics.median(getattr(run, name) for run in done) for name in ("cpu_s", "wall_s", "peak_mib")
        )
        ratios = (
            statistics.median(this.cpu_s / that.cpu_s for this, that in zip(done, runs[each], strict=True))
            for each in plain
        )
        print(f"{way:40} {cpu_s:8.1f} {wall_s:8.1f} {peak:9.0f}" + "".join(f" {ratio:9.2f}" for ratio in ratios))
    wall = statistics.median(
        ours.wall_s / theirs.wall_s for ours, theirs in zip(runs[RANGES], runs[SCRIPT], strict=True)
    )
    print(f"wall of the whole command, in ranges / script: {wall:.2f}")


if __name__ == "__main__":
    main()
