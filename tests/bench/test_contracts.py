"""The bench of contracts runs, and its rows come out. What they say is for people: a shared machine proves no time."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.soak
def test_every_way_prints_its_row():
    command = [sys.executable, ROOT / "bench/contracts.py", "tiny"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    rows = {line[:46].rstrip(): line[46:].split() for line in done.stdout.splitlines()}
    large = [
        rows[name] for name in rows if name.startswith(("Polars writes", "deltaworks writes", "pandera validates"))
    ]
    assert len(large) == 5
    assert all(float(cpu_s) > 0 and float(peak_mib) > 0 and float(ratio) > 0 for cpu_s, peak_mib, ratio in large)
    assert float(rows["deltaworks"][0]) > 0
    assert float(rows["pandera"][0]) > 0
