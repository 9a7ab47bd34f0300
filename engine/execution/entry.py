"""Entry: the note of a run that the ledger keeps, as it begins."""

from __future__ import annotations

import datetime as dt
import os
import secrets
import socket

from deltaworks.io.ledger import RunEntry, RunStatus
from deltaworks.io.record import Kind


def begin_entry(command: str, started: dt.datetime, kind: Kind = Kind.MATERIALIZE) -> RunEntry:
    """Return the entry of a run of this process that starts now, with an id of its own."""
    return RunEntry(
        new_run_id(started),
        RunStatus.RUNNING,
        command,
        started.isoformat(),
        heartbeat_at=started.isoformat(),
        host=socket.gethostname(),
        pid=os.getpid(),
        kind=kind,
    )


def new_run_id(started: dt.datetime) -> str:
    """Return an id that no other run has and that sorts by the second in which the run started."""
    return f"{started.astimezone(dt.UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
