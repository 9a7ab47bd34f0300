"""Given up: have runs begun after all that a tick asked for and that were given up."""

from __future__ import annotations

from dataclasses import replace

from deltaworks.errors import RequestError
from deltaworks.io.process import Process
from deltaworks.io.store import Store
from deltaworks.io.ticks import (
    AskedRun,
    TickClaim,
    TickKind,
    TickOutcome,
    claim_tick,
    leave_tick,
    note_tick,
    read_tick,
)


def retry_tick(store: Store, name: str, kind: TickKind, tick_id: str) -> tuple[AskedRun, ...]:
    """Open a tick again, and return its runs that were given up, which a daemon begins now.

    Raises:
        RequestError: there is no such tick, nothing of it was given up, or it is not over.
        StorageError: the lake cannot be read or written.
    """
    whose, entry = f"{kind} {name!r}", read_tick(store, name, tick_id)
    if entry is None:
        raise RequestError(
            f"{whose} has no tick {tick_id!r} that was answered; `deltaworks {kind} ticks {name}` shows them."
        )
    given_up = tuple(each for each in entry.requests if each.error is not None)
    if not given_up:
        hint = ", since its function failed; `deltaworks job run` makes what it should have" if entry.error else ""
        raise RequestError(f"{whose}: tick {tick_id} has no run that was given up{hint}.")
    # In the name of this process, so that nobody goes on with it before all is written.
    if not claim_tick(store, TickClaim(name, tick_id, kind, 1, "retry", Process.current())):
        raise RequestError(f"{whose}: tick {tick_id} has other runs that go on; try again when they are over.")
    requests = tuple(replace(each, error=None) for each in entry.requests)
    note_tick(store, replace(entry, requests=requests, outcome=TickOutcome.REQUESTED))
    leave_tick(store, name, tick_id)
    return given_up
