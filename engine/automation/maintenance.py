"""Maintenance: `deltaworks maintain` as a tick of the daemon's own, for which no user code is asked."""

from __future__ import annotations

from deltaworks.engine.automation.evaluation import Evaluation
from deltaworks.engine.automation.schedule_watch import WatchedSchedule
from deltaworks.engine.definitions.automation.run_request import RunRequest
from deltaworks.engine.definitions.automation.schedule import CatchUp
from deltaworks.engine.definitions.partitions.cron import Cron

MAINTENANCE = "_maintain"
"""The name of its ticks, and of what they run; no schedule and no job can have it."""

ANSWER = Evaluation((RunRequest(job=MAINTENANCE),))
"""What each of its ticks asks for."""


def watched_maintenance(cron: str) -> WatchedSchedule:
    """Return what is known of maintenance that is due by a cron expression, in UTC."""
    return WatchedSchedule(MAINTENANCE, (Cron(cron),), "UTC", CatchUp.LAST, 1, True, 0.0)
