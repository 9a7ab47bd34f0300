"""The bench of the browser UI runs through, on next to nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.mark.soak
def test_sizes_memory_and_times_are_measured():
    ran = subprocess.run([sys.executable, "web.py", "tiny"], cwd=BENCH, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    for told in ("all scripts", "first page", "largest page", "MB PSS", "CPU of /assets/h0"):
        assert told in ran.stdout
