"""What an idle daemon costs over a hundred tables, and how long a commit takes to become a run: `make bench`.

Memory is the proportional share of each process, CPU what each used while nothing happened. Dagster's development
server on six assets, measured on such a machine: five processes, 518 MB, 4.5 % of a core, 6 to 43 s from event to run.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

import polars as pl
from measure import cpu_s, pss_mb
from rows import Row, keep

TINY = sys.argv[1:] == ["tiny"]
"""Whether only to show that every case runs."""
TABLES, IDLE_S, COMMITS = (3, 1.0, 2) if TINY else (100, 30.0, 40)
COMMAND = [sys.executable, "-m", "deltaworks"]

TABLES_PY = """
import polars as pl
import deltaworks as dw

made = []
for n in range({tables}):
    @dw.asset(name=f"t{{n}}")
    def table() -> pl.LazyFrame:
        return pl.LazyFrame({{"n": [1]}})
    made.append(table)

given = dw.external_asset("given", uri={given!r})

@dw.asset
def taken(given: dw.LazyFrame) -> pl.LazyFrame:
    return given.select(pl.len().cast(pl.Int64))

job = dw.define_asset_job("job", "t0")
carry_on = dw.define_asset_job("carry_on", "taken")
sensors = []
for table in made:
    @dw.asset_sensor(asset=table, job=job, name=f"on_{{table.key}}")
    def sensor(commits: dw.Commits):
        return dw.SkipReason("only watched")
    sensors.append(sensor)

@dw.asset_sensor(asset=given, job=carry_on)
def on_given(commits: dw.Commits):
    return dw.RunRequest(run_key=str(commits.version))

daily = dw.define_schedule("daily", job=job, cron="0 0 1 1 *")
defs = dw.Definitions([*made, given, taken], jobs=[job, carry_on], sensors=[*sensors, on_given], schedules=[daily])
"""


def main() -> None:
    """Measure, and print what came out."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = folder / "given"
        pl.DataFrame({"n": [0]}).write_delta(given)
        (folder / "tables.py").write_text(TABLES_PY.format(tables=TABLES, given=str(given)))
        run([*COMMAND, "materialize", "*", "--project", name, "--json"], folder, warm=0)
        with daemon(folder, warm=0) as (process, location):
            show_idle({"daemon": process.pid, "code location": location})
        with daemon(folder, warm=1):
            show_latency(folder, given)


def run(command: list[str], folder: Path, warm: int) -> None:
    """Write the settings, and run a command on the project."""
    (folder / "deltaworks.toml").write_text(f'modules = ["tables"]\n\n[daemon]\nwarm = {warm}\n')
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def daemon(folder: Path, warm: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a daemon until the end, and yield it, when it watches, with the process of its code location."""
    run([*COMMAND, "settings", "--project", str(folder)], folder, warm)
    process = subprocess.Popen([*COMMAND, "daemon", "--project", str(folder)], stderr=subprocess.DEVNULL)
    try:
        while True:
            status = subprocess.run(
                [*COMMAND, "daemon", "--status", "--json", "--project", str(folder)], capture_output=True, check=False
            )
            beats = [each for each in json.loads(status.stdout)["daemons"] if each["pid"] == process.pid]
            if beats and beats[0]["watched"]:
                break
            time.sleep(0.5)
        time.sleep(0.0 if TINY else 10.0)
        yield process, beats[0]["location_pid"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def show_idle(processes: dict[str, int]) -> None:
    """Print what each process holds and uses while nothing happens."""
    before = {what: cpu_s(pid) for what, pid in processes.items()}
    time.sleep(IDLE_S)
    print(f"\nidle over {TABLES} tables with a sensor each")
    print(f"{'process':16} {'PSS MB':>8} {'% of a core':>12}")
    found = {what: (pss_mb(pid), 100 * (cpu_s(pid) - before[what]) / IDLE_S) for what, pid in processes.items()}
    found["all processes"] = (sum(held for held, _ in found.values()), sum(used for _, used in found.values()))
    for what, (held, used) in found.items():
        print(f"{what:16} {held:8.0f} {used:12.2f}", flush=True)
        figures = {"pss_mb": round(held, 1), "cpu_percent": round(used, 2)}
        keep(Row("idle", f"deltaworks, {what}", figures, sizes={"tables": TABLES}))


def show_latency(folder: Path, given: Path) -> None:
    """Print how long after a commit of somebody else its run starts."""
    waited: list[float] = []
    runs = folder / "lake" / "_deltaworks" / "ledger" / "runs"
    for number in range(COMMITS):
        known = set(runs.glob("*/*.json"))
        pl.DataFrame({"n": [number]}).write_delta(given, mode="append")
        begun_s = time.monotonic()
        while set(runs.glob("*/*.json")) == known and time.monotonic() - begun_s < 60:
            time.sleep(0.01)
        waited.append(time.monotonic() - begun_s)
        time.sleep(2.0)
    cuts = quantiles(waited, n=20)
    print(f"\n{COMMITS} commits by an outside writer, each to the start of its run, with a process waiting")
    print(f"median {cuts[9]:.2f} s, p95 {cuts[18]:.2f} s, longest {max(waited):.2f} s", flush=True)
    figures = {"median_s": round(cuts[9], 3), "p95_s": round(cuts[18], 3), "longest_s": round(max(waited), 3)}
    keep(Row("commit to run", "deltaworks, with a process waiting", figures, sizes={"commits": COMMITS}))


if __name__ == "__main__":
    main()
