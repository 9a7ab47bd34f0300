"""Process: which process on which machine does something, told so that others on that machine see when it is gone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ENDED = "ZX"
"""The states, in `/proc/<pid>/stat`, of a process that has ended and that its parent has not asked about yet."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process."""

    host: str
    pid: int
    born: str | None = None
    """Tells it from all others that ever have its id: the boot of the machine, the namespace of process ids and the
    start within that boot. None: the system does not tell."""

    @classmethod
    def current(cls) -> Process:
        """Return this process."""
        pid = os.getpid()
        return cls(socket.gethostname(), pid, _born(pid))

    def is_gone(self) -> bool:
        """Return whether it is seen to have ended; of a process elsewhere nothing is seen, so it is not."""
        return self.lives() is False

    def lives(self) -> bool | None:
        """Return whether it is seen to run; none: nothing is seen of it, or its id may be another one's by now."""
        if self.host != socket.gethostname():
            return None
        if self.born is not None:
            here, sight = _sight(), self.born.rpartition(" ")[0]
            # Another boot or another namespace may be another machine of the same name.
            return _born(self.pid) == self.born if sight == here else None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except (PermissionError, OverflowError):
            return None
        return None


@cache
def _sight() -> str | None:
    """Return what two processes have in common that can see each other; none: the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _born(pid: int) -> str | None:
    """Return what tells a process that runs here from all others; none: there is none, or the system does not tell."""
    sight = _sight()
    if sight is None:
        return None
    try:
        # The name in parentheses may hold anything; after it come the state and, as the 20th, the start in ticks.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in _ENDED else f"{sight} {fields[19]}"


def held_memory_mb(pid: int) -> float:
    """Return how much memory a process holds, in millions of bytes; one that has ended holds none."""
    if sys.platform == "linux":
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
        except (FileNotFoundError, ProcessLookupError):
            return 0.0
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return int(shown.stdout or 0) * 1024 / 1e6
