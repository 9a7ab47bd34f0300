"""What benches measure of memory is that of all processes together, and a cap on it is kept."""

import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench"

HELD = "held = bytearray({}); held[::4096] = bytes([1]) * len(held[::4096])"

MEASURED = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(BENCH)!r})
from measure import measure

below = {HELD.format(120_000_000)!r} + "; import time; time.sleep(0.5)"
command = {HELD.format(80_000_000)!r} + f"; import subprocess, sys; subprocess.run([sys.executable, '-c', {{below!r}}])"
cap = float(sys.argv[1]) if sys.argv[1:] else None
print(measure([sys.executable, "-c", command], Path(), {{}}, cap_mib=cap).peak_mib)
"""


def measured(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", MEASURED, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_memory_of_all_processes_counts() -> None:
    assert float(measured().stdout) > 190


def test_processes_that_take_more_than_a_cap_together_are_ended() -> None:
    done = measured("150")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(" MiB of memory, more than 150")
