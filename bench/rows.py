"""Rows: what each run of a bench found, a line of JSON each, so that tables and charts come from the same figures.

Benches print for people. When the environment variable `BENCH_ROWS` names a file, their rows are added to it, too.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from measure import Measurement

WHERE = "BENCH_ROWS"
PACKAGES = ("deltaworks", "polars", "deltalake", "pandera")

Fingerprint = Sequence[float]
"""What equal tables agree in: numbers of rows, and sums rounded to what parallel sums agree in."""


@cache
def this_machine() -> dict[str, str | float]:
    """Return what kind of machine this is; nothing that tells it from others of its kind."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(memory_bytes / 1024**3),
    }


@dataclass(frozen=True, slots=True)
class Row:
    """One way, once, in one case."""

    case: str
    way: str
    figures: Mapping[str, float]
    """By name, each ending in its unit."""
    round: int = 0
    """Rows of one round ran one after the other: only these are compared."""
    sizes: Mapping[str, float | str] = field(default_factory=dict)
    fingerprint: Fingerprint | None = None
    """Of the result; none if there is no table to compare."""
    versions: Mapping[str, str] = field(default_factory=lambda: installed(PACKAGES))
    machine: Mapping[str, str | float] = field(default_factory=this_machine)
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    load: float = field(default_factory=lambda: round(os.getloadavg()[0], 1))
    """Processes that wanted a core, on average over the minute before: walls beside others say little."""


def keep(row: Row) -> None:
    """Add a row to the file that the environment names, if it does."""
    if where := os.environ.get(WHERE):
        with Path(where).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(row)) + "\n")


def measured(found: Measurement) -> dict[str, float]:
    """Return what a command took, as figures."""
    return {"cpu_s": round(found.cpu_s, 3), "wall_s": round(found.wall_s, 3), "peak_mib": round(found.peak_mib, 1)}


def read(paths: Sequence[Path]) -> list[Row]:
    """Return the rows of files, in their order."""
    return [Row(**json.loads(line)) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def installed(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of those packages that this interpreter has."""
    found: dict[str, str] = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
