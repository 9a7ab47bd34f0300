"""Upkeep: `deltaworks maintain` as a tick of the daemon's own, for which no user code is asked."""

from __future__ import annotations

from deltaworks.engine.automation.schedule_watch import WatchedSchedule
from deltaworks.engine.automation.watch import DueTick, Moment
from deltaworks.engine.definitions.automation.schedule import CatchUp
from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.io.process import Process
from deltaworks.io.store import Store
from deltaworks.io.ticks import (
    AskedRun,
    TickClaim,
    TickEntry,
    TickKind,
    TickOutcome,
    claim_tick,
    decide_tick,
    read_tick,
    tick_run_id,
)

UPKEEP = "_maintain"
"""The name of its ticks, and of what they run; no schedule and no job can have it."""


def watched_upkeep(cron: str) -> WatchedSchedule:
    """Return what is known of maintenance that is due by a cron expression, in UTC."""
    return WatchedSchedule(UPKEEP, (Cron(cron),), "UTC", CatchUp.LAST, 1, True, 0.0)


def decide_upkeep(store: Store, due: DueTick, daemon_id: str, moment: Moment) -> tuple[TickEntry | None, bool]:
    """Decide a tick, and return the decision and whether this daemon carries it out; none: another one is at it.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    claim = TickClaim(UPKEEP, due.tick_id, TickKind.SCHEDULE, 1, daemon_id, Process.current())
    decided = read_tick(store, UPKEEP, due.tick_id)
    if decided is not None or not claim_tick(store, claim):
        return decided, False
    run_id = tick_run_id(UPKEEP, due.tick_id, due.scheduled_at, None, 0)
    at = moment.now.isoformat()
    entry = TickEntry(
        name=UPKEEP,
        kind=TickKind.SCHEDULE,
        tick_id=due.tick_id,
        scheduled_at=due.scheduled_at.isoformat(),
        started_at=at,
        outcome=TickOutcome.REQUESTED,
        ended_at=at,
        requests=(AskedRun(run_id, UPKEEP),),
        is_catchup=due.is_catchup,
    )
    return decide_tick(store, entry), True
