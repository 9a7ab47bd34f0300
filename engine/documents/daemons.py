"""Daemons as JSON: whether they live, what they watch and run, and what is wrong with them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from deltaworks.io.heartbeats import LEASE_S, Heartbeat


def daemon_json(beat: Heartbeat, now: dt.datetime) -> dict[str, Any]:
    """Return how a daemon is as JSON: `running`, `stopped` in order, or `dead` without a word."""
    silent_s = beat.silent_s(now)
    state = "stopped" if beat.stopped_at else "dead" if beat.is_gone or silent_s > LEASE_S else "running"
    names = ("watched", "on", "asked", "carried_out", "running", "queued", "warm", "lost_runs", "location_pid")
    told = (*names, "fault", "failing", "alerts_waiting", "alerts_problem")
    return {
        "daemon_id": beat.daemon_id,
        "state": state,
        "host": beat.host,
        "pid": beat.pid,
        "started_at": beat.started_at,
        "beaten_at": beat.beaten_at,
        "stopped_at": beat.stopped_at,
        "silent_s": round(silent_s, 1),
        **{name: beat.facts.get(name) for name in told},
    }
