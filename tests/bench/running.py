"""Run a bench as a user does."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


def ran(bench: str, *arguments: str) -> list[str]:
    """Run a bench to its end and return the lines that it printed."""
    command = [sys.executable, str(ROOT / "bench" / bench), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if line.strip()]


def example() -> ModuleType:
    """Return the module of the flights example."""
    place = ROOT / "examples" / "flights" / "flights.py"
    spec = importlib.util.spec_from_file_location("the_flights_example", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
