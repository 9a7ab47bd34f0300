"""What a tick of automation conditions costs: `python bench/automation.py`.

A thousand daily tables of ten years, all with `AutomationCondition.eager()`, and nothing to do; then commits to ten of
them at a time. Commit logs are written as if they had been run; each tick reads the lake as a daemon does.
`automation.py tiny` runs every case once, on next to nothing.
"""

from __future__ import annotations

import datetime as dt
import gc
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lakes import remake_latest, write_daily_project
from rows import Row, keep

from deltaworks.engine.automation.conditions.asking import AskedConditions
from deltaworks.engine.workspace.project import Origin, load_project

TINY = sys.argv[1:2] == ["tiny"]
ASSETS, DAYS = (4, 30) if TINY else (1_000, 3_650)
UPDATES = 2 if TINY else 10
ROUNDS = 1 if TINY else 5


def main() -> None:
    """Write the lake in a process of its own, whose memory is not counted, and tick."""
    if sys.argv[-1] == "lake":
        write_daily_project(Path(sys.argv[-2]), ASSETS, DAYS, ", automation=dw.AutomationCondition.eager()")
        return
    with tempfile.TemporaryDirectory() as folder:
        place, tiny = Path(folder) / "project", ["tiny"] if TINY else []
        subprocess.run([sys.executable, __file__, *tiny, str(place), "lake"], check=True)
        logs = [sys.executable, str(Path(__file__).parent / "lakes.py"), "logs", str(place), "3", "records"]
        subprocess.run(logs, check=True)
        _measure(place)


def _measure(place: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    project = load_project(Origin(folder=place), {}, now)
    ticks = Ticks(AskedConditions(project.definitions, project.store))
    print(f"{ASSETS:,} tables of {DAYS:,} days, eager() on all")
    print(f"{'tick':34} {'CPU s':>8} {'evaluated':>10} {'requested':>10}")
    for what in ("first", "second"):
        ticks.next(what)
    time.sleep(2.1)  # folders that have just changed are looked at thoroughly
    ticks.next("after a pause")
    gc.freeze()
    for _ in range(ROUNDS):
        ticks.next("idle")
    names = [str(key) for key in project.graph.nodes]
    for number in range(ROUNDS):
        for each in names[number :: max(1, len(names) // UPDATES)][:UPDATES]:
            remake_latest(place, project.graph, each)
        ticks.next(f"{UPDATES} tables updated")
        ticks.next("the next")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak_mib:,.0f} MiB")
    keep(Row("automation memory", "deltaworks", {"peak_mib": round(peak_mib)}, sizes={"assets": ASSETS}))


class Ticks:
    """Asks as a code location does, tick after tick."""

    def __init__(self, conditions: AskedConditions) -> None:
        self._conditions = conditions
        self._cursor: str | None = None

    def next(self, what: str) -> None:
        """Ask, with what is put into the lake before the decision, and print what it cost."""
        before = time.process_time()
        answer = self._conditions.ask(self._cursor, dt.datetime.now(dt.UTC))
        cpu_s = time.process_time() - before
        self._cursor = answer.cursor or self._cursor
        tick = self._conditions.last
        requested = sum(map(len, tick.requests.values()))
        print(f"{what:34} {cpu_s:8.3f} {tick.evaluated:10,} {requested:10,}", flush=True)
        keep(Row("automation tick", f"deltaworks, {what}", {"cpu_s": round(cpu_s, 4)}, sizes={"assets": ASSETS}))


if __name__ == "__main__":
    main()
