"""The bench of states runs, and its rows come out. What they say is for people: a shared machine proves no time."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_case_prints_its_row():
    command = [sys.executable, ROOT / "bench/state.py", "tiny"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    rows = {line[:44].rstrip(): line[64:].split() for line in done.stdout.splitlines()[3:]}
    assert set(rows) >= {
        "status, no index",
        "status",
        "status --partitions",
        "status, one commit after the index",
        "plan, all stale",
        "plan, all missing",
        "status of one-hour commits",
        "list (loads the project)",
        "status of daily tables",
    }
    assert all(float(cpu_s) >= 0 and float(peak_mib) > 0 for cpu_s, peak_mib in rows.values())
