"""Run a bench as a user does."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def ran(bench: str, *arguments: str) -> list[str]:
    """Run a bench to its end and return the lines that it printed."""
    command = [sys.executable, str(ROOT / "bench" / bench), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if line.strip()]
