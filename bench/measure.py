"""Measure a command as the operating system accounts for it: CPU of all its processes, peak memory, wall time."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run of a command took."""

    cpu_s: float
    wall_s: float
    peak_mib: float
    """Resident memory of the largest process."""


def measure(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Measurement:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; the message has what it printed.
    """
    started = time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None, "a pipe was asked for"
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - started
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{printed[-2000:]}")
    return Measurement(usage.ru_utime + usage.ru_stime, wall_s, usage.ru_maxrss / 1024)
