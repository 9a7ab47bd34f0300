"""Measure a command as the operating system accounts for it: CPU of all its processes, peak memory, wall time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LOOK_S = 0.05
"""How often the memory of a command's processes is added up."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run of a command took."""

    cpu_s: float
    wall_s: float
    peak_mib: float
    """Resident memory of all its processes together, as they were seen at one time; pages that they share count in each
    of them. At least the most that one process held at any time, which the system itself knows."""


def measure(
    command: Sequence[str], folder: Path, environ: Mapping[str, str], cap_mib: float | None = None
) -> Measurement:
    """Run a command to its end; with a cap, all its processes are killed once they take more memory together.

    It may keep what it compiles, as installed packages are: a machine that forbids this would measure the compiler.

    Raises:
        RuntimeError: it failed, and the message has what it printed; or it took more than the cap.
    """
    started = time.perf_counter()
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(
        command, cwd=folder, env={**given, **environ}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None, "a pipe was asked for"
        watch = _Watch(process.pid, cap_mib)
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        watch.end()
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - started
    # On Linux it would count what this process holds, which the command was once forked from.
    largest_mib = watch.largest_mib if sys.platform == "linux" else usage.ru_maxrss / 1024**2
    peak_mib = max(watch.peak_mib, largest_mib)
    if cap_mib is not None and peak_mib > cap_mib:
        raise RuntimeError(f"{' '.join(command)} took {peak_mib:,.0f} MiB of memory, more than {cap_mib:,.0f}")
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{printed[-2000:]}")
    return Measurement(usage.ru_utime + usage.ru_stime, wall_s, peak_mib)


class _Watch:
    """Adds up the memory of a process and all below it, from now until it is told that the process is gone."""

    def __init__(self, pid: int, cap_mib: float | None) -> None:
        self._pid, self._cap_mib = pid, cap_mib
        self.peak_mib = self.largest_mib = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(LOOK_S):
            found = dict(_tree(self._pid))
            self.peak_mib = max(self.peak_mib, sum(found.values()))
            self.largest_mib = max([self.largest_mib, *map(_high_water_mib, found)])
            if self._cap_mib is not None and self.peak_mib > self._cap_mib:
                for pid in found:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                return


def _tree(root: int) -> Iterator[tuple[int, float]]:
    """Yield a process and all below it, each with the MiB that it holds."""
    if sys.platform == "linux":
        yield from _tree_of_linux(root)
        return
    shown = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=True)
    rows = [[int(each) for each in line.split()] for line in shown.stdout.splitlines()]
    below: dict[int, list[int]] = {}
    for pid, parent, _ in rows:
        below.setdefault(parent, []).append(pid)
    held = {pid: kib / 1024 for pid, _, kib in rows}
    left = [root]
    while left:
        pid = left.pop()
        if pid in held:
            yield pid, held[pid]
            left += below.get(pid, ())


def _tree_of_linux(root: int) -> Iterator[tuple[int, float]]:
    """Yield the same at a tenth of the cost, so that looking takes no processor from what is looked at."""
    left, page_bytes = [root], os.sysconf("SC_PAGE_SIZE")
    while left:
        place = Path("/proc") / str(left.pop())
        with suppress(FileNotFoundError, ProcessLookupError):  # it ends just now
            pages = int((place / "statm").read_text().split()[1])
            yield int(place.name), pages * page_bytes / 1024**2
            for task in (place / "task").iterdir():
                left += map(int, (task / "children").read_text().split())


def _high_water_mib(pid: int) -> float:
    """Return the most that a process has held; of one that is gone, and where there is no /proc, nothing."""
    with suppress(FileNotFoundError, ProcessLookupError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)
    return 0.0


def tree(root: int) -> list[int]:
    """Return a process and all that live below it."""
    return [pid for pid, _ in _tree(root)]


def pss_mb(*pids: int) -> float:
    """Return the memory of processes, what they share with others by its share, in millions of bytes; on Linux."""
    return sum(map(_pss_bytes, pids)) / 1e6


def cpu_s(*pids: int) -> float:
    """Return the CPU that processes have used, those included that they started and waited for; on Linux."""
    return sum(map(_ticks, pids)) / os.sysconf("SC_CLK_TCK")


def _pss_bytes(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):  # it ends just now
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return 0


def _ticks(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        # Of itself in user and kernel, then the same of the children that it has waited for.
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return 0
