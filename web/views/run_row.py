"""RunRow: a run in a line, as every list of runs shows it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from deltaworks.io.run_entry import RunEntry
from deltaworks.web.workspace import Sight

_NAMED = 3


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in a line."""

    run_id: str
    status: str
    what: str
    """Its job, or what it does to which assets."""
    user: str | None
    started_at: dt.datetime
    ended_at: dt.datetime | None
    made: int
    failed: int
    planned: int
    """How many partitions it is to make, of which those skipped are none; zero: it is a run of ops."""


def run_row(sight: Sight, run: RunEntry) -> RunRow:
    """Return a run in a line."""
    return RunRow(
        run_id=run.run_id,
        status=sight.run_status(run).value,
        what=run.job or _deed(run),
        user=run.tick or run.user,
        started_at=dt.datetime.fromisoformat(run.started_at),
        ended_at=None if run.ended_at is None else dt.datetime.fromisoformat(run.ended_at),
        made=run.materialized,
        failed=run.failed,
        planned=sum(step.planned - step.skipped for step in run.steps),
    )


def _deed(run: RunEntry) -> str:
    verb = run.command.partition(" ")[0]
    names = [step.asset for step in run.steps]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{verb} {', '.join(names[:_NAMED])}{more}".rstrip()
