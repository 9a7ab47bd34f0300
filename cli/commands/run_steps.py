"""The steps of a run of a job of ops, as `deltaworks runs show` tells them: a tree."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from deltaworks.cli.output import Cell, Table
from deltaworks.engine.documents.instants import duration_text

if TYPE_CHECKING:
    from deltaworks.engine.execution.jobs.step_tree import StepBranch
    from deltaworks.io.run_entry import RunEntry
    from deltaworks.io.store import Store

SHOWN_COPIES = 20
"""How many things below one stand in the table for people, those that failed first; --json has them all."""

_TONES = {"success": "good", "failed": "bad", "blocked": "stale", "canceled": "stale"}


def steps_of(store: Store, run: RunEntry, *, is_over: bool) -> tuple[StepBranch, ...]:
    """Return the steps of a run, if it is one of a job of ops of which something is recorded."""
    # Imported here: --help must not load Polars.
    from deltaworks.engine.execution.jobs.step_tree import read_step_tree
    from deltaworks.io.step_records import StepRecords

    return read_step_tree(StepRecords(store, run.run_id), is_over=is_over) if run.job is not None else ()


def steps_table(steps: Sequence[StepBranch]) -> Iterator[Table]:
    """Yield the steps as a table, what is below one indented."""
    rows = [row for each in steps for row in _rows(each, 0)]
    if rows:
        yield Table(("step", "status", "tries#", "took#", "reason"), rows)


def steps_text(steps: Sequence[StepBranch]) -> str:
    """Return how many steps there are of each status."""
    counts = Counter(step.status for each in steps for step in each.steps())
    return ", ".join(f"{count:,} {status}" for status, count in counts.most_common())


def _rows(branch: StepBranch, depth: int) -> Iterator[tuple[str | Cell, ...]]:
    status = "kept" if branch.is_kept else branch.status
    is_step = branch.step is not None
    yield (
        Cell("  " * depth + branch.name, "strong" if is_step else ""),
        Cell(status, _TONES.get(branch.status, "quiet")),
        f"{branch.tries:,}" if branch.tries else Cell("-", "quiet"),
        duration_text(dt.timedelta(seconds=branch.took_s)) if branch.tries else Cell("-", "quiet"),
        Cell(branch.reason or "", _TONES.get(branch.status, "quiet")),
    )
    below = list(branch.below.values())
    shown = below if len(below) <= SHOWN_COPIES else sorted(below, key=lambda each: each.status != "failed")
    for each in shown[:SHOWN_COPIES]:
        yield from _rows(each, depth + 1)
    if len(below) > SHOWN_COPIES:
        yield (Cell(f"{'  ' * (depth + 1)}{len(below) - SHOWN_COPIES:,} more; --json lists them all", "quiet"),) + (
            "",
        ) * 4
