"""The report of the fault campaign: `docs/faults.md` from the rows that were recorded, one line for each fault.

    python -m tests.campaign.report ROWS.jsonl PAGE.md

writes the page and prints its table. Of a test that was recorded more than once, the last time counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.campaign.matrix import MATRIX, Fault

HEAD = """# What happens when it dies: the fault campaign

Every kind of fault is made many times, and after each of them the lake is compared with what was acknowledged: nothing
of that may be lost, no row be there twice, no partition half. The comparison reads logs and data without the engine.

    make soak            # all of it, some hours; SEED=7 repeats the chance of a campaign
    .venv/bin/python -m pytest -m soak tests/campaign    # the faults of runs, minutes

`make soak` writes what it counted to `docs/faults.jsonl`, and this page from that. Short versions of these lines are in
`make test`. A process dies at a random moment, or at one of the named steps of `io/failpoints.py`, which do nothing
unless `DELTAWORKS_FAILPOINTS` is set: with `commit.after_put=kill@2` a run dies after its second commit.

"""


def rows_of(file: Path) -> dict[str, list[dict[str, Any]]]:
    """The recorded rows of each fault."""
    latest: dict[tuple[str, str], dict[str, Any]] = {}
    for line in file.read_text("utf-8").splitlines():
        row: dict[str, Any] = json.loads(line)
        latest[row["fault"], row["test"]] = row
    found: dict[str, list[dict[str, Any]]] = {}
    for (fault, _), row in latest.items():
        found.setdefault(fault, []).append(row)
    return found


def line_of(fault: Fault, rows: Sequence[dict[str, Any]]) -> str:
    """The line of a fault."""
    if not rows:
        return f"| {fault.name} | {fault.method} | {fault.promise} | not run | | | | | | |"
    sums = {what: sum(row[what] for row in rows) for what in ("tried", "survived", "lost", "doubled", "partial")}
    goal = "" if sums["tried"] >= fault.goal else f" of {fault.goal:,}"
    seeds = list(dict.fromkeys(str(row["seed"]) for row in rows))
    counts = [f"{sums['tried']:,}{goal}", *(f"{sums[what]:,}" for what in ("survived", "lost", "doubled", "partial"))]
    return (
        "| "
        + " | ".join(
            [
                fault.name,
                fault.method,
                fault.promise,
                *counts,
                rows[-1]["at"],
                ", ".join(seeds) if len(seeds) < 4 else "several",
            ]
        )
        + " |"
    )


def page(found: dict[str, list[dict[str, Any]]]) -> str:
    """The whole page."""
    unknown = found.keys() - {fault.name for fault in MATRIX}
    assert not unknown, f"the matrix has no {unknown}"
    title = "| fault | how | promise | tried | survived | lost | doubled | partial | date | seed |"
    lines = [title, "|---|---|---|---:|---:|---:|---:|---:|---|---|"]
    lines += [line_of(fault, found.get(fault.name, ())) for fault in MATRIX]
    notes = [f"- {fault.name}: {row['note']}." for fault in MATRIX for row in found.get(fault.name, ()) if row["note"]]
    failures = [f"- {name}: {row['failure']}" for name, rows in found.items() for row in rows if row["failure"]]
    machines = dict.fromkeys(row["machine"] for rows in found.values() for row in rows)
    took_h = sum(row["took_s"] for rows in found.values() for row in rows) / 3600
    ran = f"Machine: {'; '.join(machines)}. All that stands above took {took_h:.1f} hours.\n"
    parts = [HEAD, "\n".join(lines), "\n\n", ran]
    parts += ["\n## Also counted\n\n", "\n".join(notes), "\n"] if notes else []
    parts += ["\n## Not survived\n\n", "\n".join(failures), "\n"] if failures else []
    return "".join(parts)


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    text = page(rows_of(source))
    target.write_text(text, "utf-8")
    print(text.removeprefix(HEAD))
