"""Tick: one moment at which a schedule or a sensor is asked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tick:
    """What a function of a schedule or a sensor is told of the moment."""

    name: str
    """Of the schedule or sensor."""
    scheduled_at: dt.datetime
    """The instant that it stands for, in the zone of the schedule; of a sensor, when it was due, in UTC."""
    cursor: str | None = None
    """What a sensor's last answer that was recorded left as its cursor; none: it has left none yet."""
    attempt: int = 1
    """Counts the attempts at this very tick: an earlier one failed, or its daemon died."""
