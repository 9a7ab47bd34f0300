"""StepEvents: what a run of a job tells while it goes on, for progress and logs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from deltaworks.engine.execution.events import RunEnded, RunNoted, Stopping
from deltaworks.engine.planning.step_agenda import Fate


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A run of a job begins."""

    run_id: str
    job: str
    ops: int
    kept: int
    """How many steps an earlier run has done, from whose failure this one goes on."""


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A step ended, or it is known that it will not be run."""

    step: str
    fate: Fate
    reason: str | None
    took_s: float


@dataclass(frozen=True, slots=True)
class StepRetried:
    """A step failed and will be tried again."""

    step: str
    reason: str
    delay_s: float


StepEvent: TypeAlias = JobStarted | StepFinished | StepRetried | RunEnded | RunNoted | Stopping
StepEventSink: TypeAlias = Callable[[StepEvent], None]
