"""Entry: the note of a run that the ledger keeps, as it begins."""

from __future__ import annotations

import datetime as dt
import getpass
import secrets
from dataclasses import replace

from deltaworks.engine.execution.progress import held_back
from deltaworks.engine.planning.plan import Plan
from deltaworks.io.ledger import write_run
from deltaworks.io.process import Process
from deltaworks.io.record import Kind
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.store import Store


def begin_entry(command: str, started: dt.datetime, kind: Kind = Kind.MATERIALIZE) -> RunEntry:
    """Return the entry of a run of this process that starts now, with an id of its own."""
    here = Process.current()
    return RunEntry(
        new_run_id(started),
        RunStatus.RUNNING,
        command,
        started.isoformat(),
        heartbeat_at=started.isoformat(),
        host=here.host,
        pid=here.pid,
        born=here.born,
        user=user_name(),
        kind=kind,
    )


def note_held_back(store: Store, plan: Plan, entry: RunEntry) -> RunEntry:
    """Keep that a run has failed before it could begin, since all that it was to make is held back.

    Raises:
        StorageError: the lake cannot be written.
    """
    failures = tuple(held_back(plan))
    skipped = plan.left_out_count
    ended = replace(
        entry,
        status=RunStatus.FAILURE,
        ended_at=entry.heartbeat_at,
        failed=len(failures),
        failures=failures,
        skipped=skipped,
    )
    write_run(store, ended)
    return ended


def user_name() -> str | None:
    """Return the name of the user whose process this is; none: the system has none for its number."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None


def new_run_id(started: dt.datetime) -> str:
    """Return an id that no other run has and that sorts by the second in which the run started."""
    return f"{started.astimezone(dt.UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def calls_before(entry: RunEntry) -> int:
    """Return the number after which an attempt numbers its calls, by which files are named.

    Attempts of one run begin apart by more microseconds than they make calls, even if nobody knows of them any more.
    """
    if entry.attempt_started_at is None:
        return 0
    return int(dt.datetime.fromisoformat(entry.attempt_started_at).timestamp() * 1_000_000)
