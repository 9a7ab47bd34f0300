"""The bench of the daemon runs through, on next to nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.mark.soak
def test_idling_and_reacting_are_measured():
    ran = subprocess.run([sys.executable, "daemon.py", "tiny"], cwd=BENCH, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    assert "code location" in ran.stdout
    assert "median" in ran.stdout
