"""RunAsked: a run that a tick has asked for, before a daemon has begun it."""

from __future__ import annotations

from dataclasses import dataclass

from deltaworks.io.ticks import open_ticks, read_tick
from deltaworks.web.workspace import Sight


@dataclass(frozen=True, slots=True)
class RunAsked:
    """A run that is to begin."""

    run_id: str
    tick: str
    """Of which schedule, sensor or conditions: `nightly 20240105T060000Z`."""


def run_asked(sight: Sight, run_id: str) -> RunAsked | None:
    """Return what asks for a run; none: no tick that is open does.

    Cost: a listing of the open ticks and a read of each; there are a few at a time.
    """
    store = sight.project.store
    for claim in open_ticks(store):
        tick = read_tick(store, claim.name, claim.tick_id)
        asked = () if tick is None else tick.requests
        if any(each.run_id == run_id and not (each.answered_by or each.error) for each in asked):
            return RunAsked(run_id, f"{claim.name} {claim.tick_id.lstrip('0')}")
    return None
