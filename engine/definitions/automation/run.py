"""Run: what a sensor is told of a run that ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from deltaworks.io.run_entry import RunStatus


@dataclass(frozen=True, slots=True)
class Run:
    """A run that ended."""

    run_id: str
    status: RunStatus
    job: str | None
    """None: it was started by a command such as `backfill`."""
    partition: str | None
    """What its job ran for."""
    failures: Mapping[str, str]
    """Why each partition or step that failed did: by `asset partition`, or by the address of the step."""
    tick: str | None
    """`name/tick` of the schedule or sensor that asked for it; none: a person did."""
    tags: Mapping[str, str]
    started_at: dt.datetime
    ended_at: dt.datetime | None
    """None: it was lost."""
    attempt: int = 1
    """Which attempt at it ended."""
    reason: str | None = field(default=None)
    """Why it was stopped."""
