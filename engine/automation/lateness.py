"""Lateness: since when a schedule owes a tick, for whatever reason: no daemon, one that hangs, one that is behind."""

from __future__ import annotations

import datetime as dt

from deltaworks.engine.automation.schedule_watch import WatchedSchedule
from deltaworks.engine.definitions.automation.schedule import Schedule
from deltaworks.io.marks import read_mark
from deltaworks.io.store import Store
from deltaworks.io.ticks import TickKind, instant_of

GRACE = dt.timedelta(minutes=2)
"""How long after its instant a tick may be decided; so long takes a daemon that starts, or a function that thinks."""


def late_since(schedule: Schedule, store: Store, now: dt.datetime) -> dt.datetime | None:
    """Return the oldest tick of a schedule that should be decided by now and is not; none: it is on time.

    A schedule that no daemon has watched yet owes nothing: it begins with the first tick after that.

    Raises:
        StorageError: how far the schedule is cannot be read.
    """
    mark = read_mark(store, schedule.name, TickKind.SCHEDULE)
    if mark is None:
        return None
    owed = next(iter(WatchedSchedule.of(schedule).rhythm.next(instant_of(mark.tick_id), 1)), None)
    return owed if owed is not None and now - owed > GRACE else None
