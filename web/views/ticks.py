"""Ticks: when something was asked, what came of it, and the runs that it asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from deltaworks.engine.documents.ticks import asked_text
from deltaworks.io.ticks import TickEntry, TickOutcome
from deltaworks.web.workspace import Sight

STATUS = {
    TickOutcome.REQUESTED: "running",
    TickOutcome.STARTED: "success",
    TickOutcome.SKIPPED: "missing",
    TickOutcome.FAILED: "failed",
}
"""By outcome, the status whose glyph it has."""

SHOWN_RUNS = 5


@dataclass(frozen=True, slots=True)
class AskedRow:
    """A run that a tick asked for."""

    run_id: str
    """Empty: it was not begun, so there is no page of it."""
    told: str


@dataclass(frozen=True, slots=True)
class TickRow:
    """A tick in a line."""

    tick_id: str
    name: str
    """As people read it: a sensor's ticks are counted."""
    at: dt.datetime
    outcome: str
    status: str
    attempt: int
    runs: tuple[AskedRow, ...]
    more_runs: int
    told: str
    """Why it asks for nothing, or what failed."""
    retry_at: dt.datetime | None
    is_catchup: bool
    waiting: int
    """How many partitions its conditions left for later."""


def tick_row(sight: Sight, tick: TickEntry) -> TickRow:
    """Return a tick in a line."""
    runs = tuple(
        AskedRow("" if each.answered_by or each.error else each.run_id, asked_text(each))
        for each in tick.requests[:SHOWN_RUNS]
    )
    return TickRow(
        tick_id=tick.tick_id,
        name=tick.tick_id.lstrip("0"),
        at=dt.datetime.fromisoformat(tick.scheduled_at),
        outcome=tick.outcome.value,
        status=STATUS[tick.outcome],
        attempt=tick.attempt,
        runs=runs,
        more_runs=len(tick.requests) - len(runs),
        told=sight.from_folder(tick.error or tick.skip_reason or ""),
        retry_at=None if tick.retry_at is None else dt.datetime.fromisoformat(tick.retry_at),
        is_catchup=tick.is_catchup,
        waiting=sum(tick.left.values()),
    )


def tick_rows(sight: Sight, ticks: Sequence[TickEntry]) -> tuple[TickRow, ...]:
    """Return ticks in lines."""
    return tuple(tick_row(sight, tick) for tick in ticks)
