"""FreshnessChange: what a sensor on freshness is told: an asset has become late, or is on time again."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FreshnessChange:
    """An asset that has become late, or is on time again."""

    asset: str
    """Its key."""
    is_late: bool
    """Whether it lags more than it may now; else it did, and does not any more."""
    since: dt.datetime
    """When what was committed that it did not include when it became late."""
    due_at: dt.datetime
    """From when on that had to be included."""
    sentence: str
    """How far it lagged when it became late, and which commit was not included."""
