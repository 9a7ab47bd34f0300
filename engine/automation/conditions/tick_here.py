"""TickHere: one tick of the conditions, decided and carried out by a process that is no daemon.

It claims, decides and launches as daemons do, by the same objects. So it may run beside them, and be killed: what it
leaves is gone on with by a daemon, or put away by the next tick of this kind, which then asks for what is left.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import replace

from deltaworks.engine.automation.conditions.asked_run import end_unbegun
from deltaworks.engine.automation.conditions.asking import AskedConditions
from deltaworks.engine.automation.conditions.pending import started_on
from deltaworks.engine.automation.evaluation import Evaluation, asked_runs
from deltaworks.engine.automation.launches import Launch, RunSigns, RunState, begin_launch
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.errors import RequestError
from deltaworks.io.condition_notes import NAME
from deltaworks.io.marks import Mark, advance_mark, next_id, read_mark
from deltaworks.io.process import Process
from deltaworks.io.run_lookup import look_up_run_of
from deltaworks.io.store import Store
from deltaworks.io.ticks import (
    AskedRun,
    TickClaim,
    TickEntry,
    TickKind,
    TickOutcome,
    claim_tick,
    close_tick,
    decide_tick,
    note_tick,
    open_ticks,
    read_tick,
    tick_run_id,
)

PATIENCE_S = 30.0
"""How long it is waited for a daemon that is at the same tick."""

_LOOK_S = 0.2


def decide_here(conditions: AskedConditions, store: Store, now: Callable[[], dt.datetime], by: str) -> TickEntry:
    """Decide the next tick, with all that it asks for as one run, and return it.

    Raises:
        RequestError: a daemon is at the tick for long.
        LogGap: a commit of one of the lake's own tables is missing or damaged.
        StorageError: the lake cannot be read or written.
    """
    given_up_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < given_up_s:
        mark, at = read_mark(store, NAME, TickKind.SENSOR), now()
        tick_id, cursor = next_id(mark), None if mark is None else mark.cursor
        decided = read_tick(store, NAME, tick_id)
        if decided is not None:
            advance_mark(store, NAME, Mark(tick_id, decided.cursor))
        elif not claim_tick(store, TickClaim(NAME, tick_id, TickKind.SENSOR, 1, by, Process.current())):
            time.sleep(_LOOK_S)
        else:
            entry = _entry(tick_id, cursor, at, _asked(conditions, store, tick_id, cursor, at))
            if not entry.is_decided:
                note_tick(store, entry)
                close_tick(store, NAME, tick_id)
                return entry
            decided = decide_tick(store, entry)
            advance_mark(store, NAME, Mark(tick_id, decided.cursor))
            if decided == entry:
                return entry
    raise RequestError(
        f"Others are at the conditions of this lake for more than {PATIENCE_S:g} s; `deltaworks daemon --status` shows "
        "which daemons there are."
    )


def carry_out_here(store: Store, entry: TickEntry, carry: Callable[[AskedRun], None], now: dt.datetime) -> None:
    """Carry out what a tick asks for in this process, run by run, and close it; what others have begun is theirs.

    Raises:
        StorageError: the lake cannot be read or written. What `carry` raises passes through, and the tick is closed.
    """
    since = started_on(entry)
    try:
        for asked in entry.requests:
            held = begin_launch(store, Launch(NAME, entry.tick_id, asked.run_id, 1), since, now.date())
            if held is None:
                continue
            held.start()
            try:
                carry(asked)
            finally:
                held.end(None)
    finally:
        if entry.requests:
            note_tick(store, replace(entry, outcome=TickOutcome.STARTED))
        close_tick(store, NAME, entry.tick_id)


def put_away(store: Store, command: str, now: dt.datetime) -> None:
    """Close the ticks that processes have left that are gone, so that what is left of them is asked for anew.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    for claim in open_ticks(store):
        is_left = not claim.daemon_id or (claim.process is not None and claim.process.is_gone())
        if claim.name != NAME or not is_left:
            continue
        entry = read_tick(store, NAME, claim.tick_id)
        if entry is not None:
            advance_mark(store, NAME, Mark(entry.tick_id, entry.cursor))
        awaited = [] if entry is None else [each for each in entry.requests if each.error is None]
        ended = [entry is None or _is_ended(store, entry, asked, command, now) for asked in awaited]
        if all(ended):
            close_tick(store, NAME, claim.tick_id)


def _asked(conditions: AskedConditions, store: Store, tick_id: str, cursor: str | None, at: dt.datetime) -> Evaluation:
    try:
        return conditions.ask(cursor, at, in_one_run=True)
    except BaseException:
        close_tick(store, NAME, tick_id)  # else others would wait for a decision that does not come
        raise


def _is_ended(store: Store, entry: TickEntry, asked: AskedRun, command: str, now: dt.datetime) -> bool:
    """Return whether nothing more comes of a run; one that no process has begun is ended by that."""
    launch, since = Launch(NAME, entry.tick_id, asked.run_id, 1), started_on(entry)
    look = RunSigns(store).look(launch, since, now, time.monotonic())
    if look.state in (RunState.OVER, RunState.BEGUN):
        return look.state is RunState.OVER
    if look_up_run_of(store, asked.run_id, since, now.date()) is not None:
        return True  # it was lost, and the ledger tells that
    if begin_launch(store, replace(launch, number=look.launches + 1), since, now.date()) is None:
        return False
    tick = f"{NAME}/{entry.tick_id}"
    unbegun = replace(begin_entry(command, now), run_id=asked.run_id, tick=tick)
    end_unbegun(store, unbegun, "the process that was to begin it is gone", now, is_canceled=True)
    return True


def _entry(tick_id: str, cursor: str | None, at: dt.datetime, answer: Evaluation) -> TickEntry:
    ids = (tick_run_id(NAME, tick_id, at, None, place) for place in range(len(answer.assets)))
    return TickEntry(
        name=NAME,
        kind=TickKind.SENSOR,
        tick_id=tick_id,
        scheduled_at=at.isoformat(),
        started_at=at.isoformat(),
        outcome=TickOutcome.REQUESTED if answer.assets else TickOutcome.SKIPPED,
        ended_at=at.isoformat(),
        requests=asked_runs(answer, ids),
        skip_reason=answer.skip_reason,
        cursor=answer.cursor or cursor,
        is_decided=answer.cursor is not None,
        left=answer.left,
    )
