"""RunRequest: what a schedule or a sensor answers when it is asked whether something should run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Asks for a run of a job."""

    partition: str | None = None
    """The key that the job runs for; none: the job is not partitioned."""
    run_key: str | None = None
    """What makes the request one of a kind: the same key, asked for again by the same schedule or sensor, is no second
    run. None: each tick asks for a run of its own."""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """As `deltaworks job run --config` takes it; it overrides the job's own."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Words about the run, beside those of the job."""
    job: str | None = None
    """The name of the job; none: the one that the schedule or sensor is defined with."""


@dataclass(frozen=True, slots=True)
class SkipReason:
    """Says why nothing should run."""

    reason: str
