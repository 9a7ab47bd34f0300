"""Show the loop at work for a minute: drop files, let a daemon do the rest, and print what it does.

It works on a copy of the example in a temporary folder: `python live.py [SECONDS]`.
"""

import datetime as dt
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import deltaworks as dw
from deltaworks.errors import DeltaworksError
from deltaworks.io.ledger import read_runs
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.store import Store

HERE = Path(__file__).parent
EVERY_S = 6.0
SHOPS = ("north", "south", "harbour")


def main(seconds: float) -> None:
    """Run the loop for some seconds."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for name in ("inbox_tables.py", "deltaworks.toml"):
            shutil.copy(HERE / name, project)
        (project / "inbox").mkdir()
        daemon = subprocess.Popen([sys.executable, "-m", "deltaworks", "daemon"], cwd=project)
        try:
            show(project, seconds)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(60)
        say("report.md", (project / "report.md").read_text() if (project / "report.md").exists() else "not yet written")


def show(project: Path, seconds: float) -> None:
    """Drop files and print runs as they end."""
    store, told, dropped = Store(project / "lake"), set[str](), 0
    begun = time.monotonic()
    next_s = 3.0  # the daemon loads the project first
    while (now_s := time.monotonic() - begun) < seconds:
        if now_s >= next_s and now_s < seconds - 10:
            dropped, next_s = dropped + 1, next_s + EVERY_S
            drop(project / "inbox", dropped)
        for run in read_runs(store):
            if run.status.is_over and run.run_id not in told:
                told.add(run.run_id)
                say(str(run.job), f"{run.status.value} {ran_for(run)}{totals(store) if run.job == 'sum_up' else ''}")
        time.sleep(0.2)


def drop(inbox: Path, number: int) -> None:
    """Write a file in two pieces, as slow writers do."""
    path = inbox / f"sales-{number:03d}.csv"
    rows = [f"{random.choice(SHOPS)},{random.uniform(1, 50):.2f}\n" for _ in range(random.randint(3, 9))]  # noqa: S311
    with path.open("w") as file:
        file.write("shop,amount\n")
        file.flush()
        time.sleep(0.3)
        file.writelines(rows)
    say("file", f"{path.name} landed, {len(rows)} rows")


def ran_for(run: RunEntry) -> str:
    """Return what a run was for, and how long it took."""
    took = dt.datetime.fromisoformat(run.ended_at or run.started_at) - dt.datetime.fromisoformat(run.started_at)
    return f"{run.job_partition or ''} in {took.total_seconds():.1f} s, asked for by {run.tick}"


def totals(store: Store) -> str:
    """Return what the shops have sold so far."""
    try:
        df = dw.read("by_shop", lake=str(store.root)).collect()
    except DeltaworksError:
        return ""
    return "  =>  " + ", ".join(f"{row['shop']} {row['amount']:.2f}" for row in df.iter_rows(named=True))


def say(what: str, text: str) -> None:
    """Print a line with the time."""
    print(f"{dt.datetime.now():%H:%M:%S}  {what:<10}  {text}", flush=True)  # noqa: DTZ005 - for people, here and now


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
