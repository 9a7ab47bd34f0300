"""Daemons as JSON: whether they live, what they watch and run, and what is wrong with them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from deltaworks.io.heartbeats import LEASE_S, Heartbeat
from deltaworks.io.switches import Switch


def daemons_json(beats: Sequence[Heartbeat], pause: Switch | None, now: dt.datetime) -> dict[str, Any]:
    """Return the daemons of a lake as JSON, and `paused`: who has paused them and when, or none."""
    told = None if pause is None else {name: value for name, value in asdict(pause).items() if name != "is_on"}
    return {"daemons": [daemon_json(beat, now) for beat in beats], "paused": told}


def daemon_json(beat: Heartbeat, now: dt.datetime) -> dict[str, Any]:
    """Return how a daemon is as JSON: `running`, `stopped` in order, or `dead` without a word."""
    silent_s = beat.silent_s(now)
    state = "stopped" if beat.stopped_at else "dead" if beat.is_gone or silent_s > LEASE_S else "running"
    names = ("watched", "on", "asked", "carried_out", "running", "queued", "warm", "lost_runs", "location_pid")
    told = (*names, "is_paused", "fault", "failing", "alerts_waiting", "alerts_problem")
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
