"""Run times: when each step of a run's latest attempt began and ended, as its log tells."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_BEGINNINGS = ("run_started", "job_started")
_OF_ASSETS = ("partitions_committed", "partition_failed")


@dataclass(slots=True)
class StepTimes:
    """When a step worked."""

    start: dt.datetime
    end: dt.datetime | None = None
    """The last time that something of it ended."""
    going_on: int = 0
    """How many of its calls go on."""
    retries: int = 0


@dataclass(slots=True)
class RunTimes:
    """When the steps of an attempt worked, by asset or by the address of the step."""

    steps: dict[str, StepTimes] = field(default_factory=dict[str, StepTimes])

    def read(self, line: Mapping[str, Any]) -> None:
        """Take what the next line of a log tells."""
        event, at = line.get("event"), line.get("at")
        if event in _BEGINNINGS:
            self.steps.clear()
        elif event is not None and at is not None:
            self._take(str(event), line, dt.datetime.fromisoformat(at))

    def _take(self, event: str, line: Mapping[str, Any], at: dt.datetime) -> None:
        if event == "step_finished":
            if line["fate"] in ("success", "failed"):
                start = at - dt.timedelta(seconds=line["took_s"])
                self._of(line["step"], start).end = at
        elif event == "step_started":
            self._of(_asset(line), at).going_on += 1
        elif event == "step_ended":
            times = self._of(_asset(line), at)
            times.going_on, times.end = times.going_on - 1, at
        elif event in _OF_ASSETS:
            self._of(line["asset"], at).end = at
        elif event == "partition_retried":
            self._of(line["asset"], at).retries += 1

    def _of(self, name: str, at: dt.datetime) -> StepTimes:
        return self.steps.setdefault(name, StepTimes(at))


def _asset(line: Mapping[str, Any]) -> str:
    """Return the asset that a call is of, which messages name before its partitions."""
    return str(line["step"]).partition(" ")[0]
