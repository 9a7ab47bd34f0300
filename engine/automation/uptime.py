"""Uptime: from when to when one daemon has watched each schedule, by the clock on its wall."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping

from deltaworks.engine.automation.watch import Moment

RESTART = dt.timedelta(seconds=60)
"""Who is back within this time has missed nothing."""

_KEPT = 4
"""How many stretches of one schedule are told: what was due in earlier ones was decided in them."""

Stretch = tuple[dt.datetime, dt.datetime]


def is_gap(before: Moment | None, now: Moment) -> bool:
    """Return whether a daemon was held up so long between two looks that it did not run meanwhile."""
    return before is None or now.running_s - before.running_s > RESTART.total_seconds()


class Uptime:
    """What one daemon has watched."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._stretches: dict[str, list[Stretch]] = {}
        self._at_it: set[str] = set()
        """What was watched at the last look."""
        self._looked: Moment | None = None

    def note(self, names: Collection[str], moment: Moment) -> bool:
        """Note which schedules are watched at a moment, and return whether one is that was not at the last look."""
        if is_gap(self._looked, moment):
            self._at_it.clear()
        for name in names:
            stretches = self._stretches.setdefault(name, [])
            if name in self._at_it:
                start, _ = stretches[-1]
                stretches[-1] = min(start, moment.now), moment.now  # the clock may have been turned back
            else:
                stretches[:] = [*stretches, (moment.now, moment.now)][-_KEPT:]
        before, self._at_it, self._looked = self._at_it, set(names), moment
        return not self._at_it <= before

    def told(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """Return the stretches of each schedule, the last one last, for a heartbeat."""
        return {
            name: tuple((start.isoformat(), end.isoformat()) for start, end in stretches)
            for name, stretches in self._stretches.items()
        }
