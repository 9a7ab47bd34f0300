"""Pacing: how fast an asset of a run is made, what is left of it and which partition it is at, as texts."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from deltaworks.engine.documents.instants import duration_text

if TYPE_CHECKING:
    from deltaworks.io.asset_outcome import AssetOutcome

_SLOW = 10
"""Below so many partitions a second, a rate has a decimal."""


def rate_text(outcome: AssetOutcome) -> str:
    """Return how many partitions a second come, or a minute where that is less than one; empty: nobody knows."""
    rate = outcome.rate
    if not rate:
        return ""
    if rate < 1:
        return f"{rate * 60:.1f}/min"
    return f"{rate:.1f}/s" if rate < _SLOW else f"{rate:,.0f}/s"


def left_text(outcome: AssetOutcome) -> str:
    """Return how long the rest will take; empty: nobody knows, or nothing is left."""
    return "" if outcome.left_s is None else f"{duration_text(dt.timedelta(seconds=outcome.left_s))} left"


def stopping_text(reason: str | None, *, is_urgent: bool) -> str:
    """Return what happens to a run that somebody asked to stop."""
    why = "" if reason is None else f", {reason}"
    if is_urgent:
        return f"stopping{why}: what has begun has 2 s to end"
    return f"stopping{why}: what has begun is finished; Ctrl-C now ends at once"


def current_text(outcome: AssetOutcome) -> str:
    """Return the partitions of the call that goes on; empty: none does, or it makes a whole table."""
    return (outcome.current or "").removeprefix(outcome.asset).lstrip()
