"""Carrying: what a decided tick asks for is started unless it is there, and followed until all of it is over.

Any daemon can do it, from the decision alone: what is done already is found in the lake.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from deltaworks.engine.automation.launches import MOST_LOST, Launch, RunLook, RunSigns, RunState
from deltaworks.engine.automation.maintenance import MAINTENANCE
from deltaworks.engine.automation.run_pool import RunEnded, RunOrder, RunPool
from deltaworks.engine.automation.watch import Moment, backoff_s
from deltaworks.io.marks import marked
from deltaworks.io.partition_keys import change_keys_once
from deltaworks.io.run_keys import own_run_key
from deltaworks.io.store import Store
from deltaworks.io.ticks import AskedRun, TickEntry, TickOutcome, close_tick, leave_tick, note_tick, tick_is_open

LOOK_S = 1.0
"""How often it is looked how far the runs of a tick are that other processes carry out."""


LONGEST_KEPT = 1_000
"""How many characters a cursor may have that stays in the history of ticks."""


@dataclass
class _Tries:
    """What this daemon knows of its tries to begin a run, none of which has."""

    ended: RunEnded | None = None
    """The last process that it had begin the run, if that has ended."""
    unheard: int = 0
    """How many processes in a row have ended without having claimed the run."""
    count: int = 0
    """How many in a row could not begin it, whoever started them."""
    since_s: float = 0.0
    """When that was first seen."""


@dataclass
class _Carried:
    """A decided tick, and how far its runs are."""

    entry: TickEntry
    noted: TickEntry
    """As the ledger has it."""
    is_prepared: bool = False
    is_closed: bool = False
    """Whether others have seen to all of it, while this daemon was held up."""
    submitted: dict[str, int] = field(default_factory=dict[str, int])
    """By run: the number of the launch that is in the hands of this daemon's pool."""
    begun: set[str] = field(default_factory=set[str])
    over: set[str] = field(default_factory=set[str])
    tries: dict[str, _Tries] = field(default_factory=dict[str, _Tries])
    look_at_s: float = 0.0

    @property
    def since(self) -> dt.date:
        """The day on which the tick was asked about."""
        return dt.datetime.fromisoformat(self.entry.started_at).date()

    def awaited(self) -> list[AskedRun]:
        """Return the runs of which more is to come."""
        return [
            each
            for each in self.entry.requests
            if each.run_id not in self.over and each.answered_by is None and each.error is None
        ]

    def mark(self, run_id: str, *, error: str | None = None, held_up_by: str | None = None) -> None:
        """Say of a run why it was given up, or could not begin yet; or neither."""
        requests = (
            replace(each, error=error, held_up_by=held_up_by) if each.run_id == run_id else each
            for each in self.entry.requests
        )
        self.entry = replace(self.entry, requests=tuple(requests))


class Carrying:
    """The decided ticks that one daemon carries out."""

    def __init__(self, store: Store, pool: RunPool, tell: Callable[[str], None]) -> None:
        """Begin with none."""
        self._store, self._pool, self._tell = store, pool, tell
        self._signs = RunSigns(store)
        self._carried: dict[tuple[str, str], _Carried] = {}
        self.lost_runs = 0
        """How many runs were found lost."""

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._carried

    def __len__(self) -> int:
        return len(self._carried)

    def take(self, entry: TickEntry) -> None:
        """Carry a decided tick out from now on."""
        self._carried.setdefault((entry.name, entry.tick_id), _Carried(entry, entry))

    def ended(self, ended: RunEnded) -> None:
        """Hear that a process of the pool has ended."""
        launch = ended.order.launch
        carried = self._carried.get((launch.name, launch.tick_id))
        if carried is None or carried.submitted.get(launch.run_id) != launch.number:
            return
        del carried.submitted[launch.run_id]
        carried.look_at_s = 0.0
        tries = carried.tries.setdefault(launch.run_id, _Tries())
        tries.ended, tries.unheard = ended, tries.unheard + 1
        if ended.code != 0:
            self._tell(f"{launch.name}: run {launch.run_id} ended with exit code {ended.code}: {ended.said}")

    def work(self, moment: Moment) -> None:
        """Look after every tick that is due to be looked after.

        Raises:
            StorageError: the lake cannot be read or written; what is to be done is done the next time.
        """
        for key, carried in list(self._carried.items()):
            if moment.running_s < carried.look_at_s:
                continue
            carried.look_at_s = moment.running_s + LOOK_S
            if not carried.is_prepared:
                self._prepare(carried)
            for asked in carried.awaited():
                self._see_to(carried, asked, moment)
            if carried.is_closed:
                del self._carried[key]
                continue
            self._note(carried)
            if not carried.awaited():
                self._forget_cursor(carried.entry)
                close_tick(self._store, *key)
                del self._carried[key]

    def _forget_cursor(self, entry: TickEntry) -> None:
        """Keep a long cursor in the mark alone: that of a sensor on many files would fill the ledger, tick by tick."""
        if entry.cursor is None or len(entry.cursor) <= LONGEST_KEPT:
            return
        mark = marked(self._store, entry.name)
        if mark is not None and mark >= entry.tick_id:  # whoever reads the decision from now on moves nothing by it
            note_tick(self._store, replace(entry, cursor=None))

    def leave_queued(self) -> None:
        """Leave to others what has runs that wait for others here; those that go on end by themselves.

        Raises:
            StorageError: the lake cannot be read or written.
        """
        left = {(order.launch.name, order.launch.tick_id) for order in self._pool.queued}
        self._pool.drop_queued()  # first: what cannot be left now is left when this daemon is gone
        for key in left:
            leave_tick(self._store, *key)
            self._carried.pop(key, None)

    def _prepare(self, carried: _Carried) -> None:
        """Change the keys as the tick asks for, and find out which of its runs were asked for before."""
        entry = carried.entry
        self._change_keys(carried)
        requests: list[AskedRun] = []
        for asked in entry.requests:
            key = asked.run_key
            owner = entry.tick_id if key is None else own_run_key(self._store, entry.name, key, entry.tick_id)
            requests.append(asked if owner == entry.tick_id else replace(asked, answered_by=owner))
        carried.entry, carried.is_prepared = replace(carried.entry, requests=tuple(requests)), True

    def _change_keys(self, carried: _Carried) -> None:
        entry = carried.entry
        names = sorted({*entry.gone_keys, *entry.new_keys})
        if entry.are_keys_changed or not names:
            return
        at, by = dt.datetime.fromisoformat(entry.started_at), f"{entry.kind} {entry.name}"
        for name in names:
            gone, new = entry.gone_keys.get(name, ()), entry.new_keys.get(name, ())
            change_keys_once(self._store, name, gone, new, by, at, f"{entry.name}/{entry.tick_id}")
        carried.entry = carried.noted = replace(entry, are_keys_changed=True)
        note_tick(self._store, carried.entry)

    def _see_to(self, carried: _Carried, asked: AskedRun, moment: Moment) -> None:
        """Look how far a run is, and have it carried out if nobody does."""
        run_id = asked.run_id
        if self._pool.has_queued(run_id) or (run_id in carried.submitted and run_id in carried.begun):
            return  # the pool says when it has ended
        launch = Launch(carried.entry.name, carried.entry.tick_id, run_id, 1)
        look = self._signs.look(launch, carried.since, moment.now, moment.running_s)
        tries = carried.tries.setdefault(run_id, _Tries())
        match look.state:
            case RunState.OVER:
                self._has_begun(carried, asked, tries)
                carried.over.add(run_id)
                self._signs.forget(run_id)
            case RunState.BEGUN:
                self._has_begun(carried, asked, tries)
            case _ if run_id in carried.submitted:
                pass  # the pool says how it has ended
            case RunState.AWAITED if tries.unheard and not tick_is_open(self._store, launch.name, launch.tick_id):
                carried.is_closed = True
            case RunState.REFUSED if look.is_unfit:
                carried.mark(run_id, error=_said(tries))
            case RunState.LOST if tries.ended is None or not tries.ended.is_refusal(look.launches):
                self._launch_again(carried, asked, look)
            case _:
                self._try(carried, asked, look, tries, moment)

    def _has_begun(self, carried: _Carried, asked: AskedRun, tries: _Tries) -> None:
        tries.unheard = 0
        carried.begun.add(asked.run_id)
        if asked.held_up_by is not None:
            carried.mark(asked.run_id)

    def _try(self, carried: _Carried, asked: AskedRun, look: RunLook, tries: _Tries, moment: Moment) -> None:
        """Have a run begun that is not; if that was tried before, a while after that."""
        count = max(tries.unheard, look.refused)
        if count != tries.count:
            tries.count, tries.since_s = count, moment.running_s
            carried.mark(asked.run_id, held_up_by=_said(tries))
        if count == 0 or moment.running_s >= tries.since_s + backoff_s(count):
            self._submit(carried, asked, look.launches + 1)

    def _launch_again(self, carried: _Carried, asked: AskedRun, look: RunLook) -> None:
        carried.begun.add(asked.run_id)
        self.lost_runs += 1
        name = carried.entry.name
        if look.lost >= MOST_LOST:
            self._tell(f"{name}: run {asked.run_id} was lost {look.lost} times, and is given up")
            carried.mark(asked.run_id, error=f"its process was lost {look.lost} times")
            return
        self._tell(f"{name}: run {asked.run_id} was lost; it is launched again")
        self._submit(carried, asked, look.launches + 1)

    def _submit(self, carried: _Carried, asked: AskedRun, number: int) -> None:
        launch = Launch(carried.entry.name, carried.entry.tick_id, asked.run_id, number)
        carried.submitted[asked.run_id] = number
        self._pool.submit(RunOrder(launch, _arguments(carried.entry, asked), asked.config, carried.since.isoformat()))

    def _note(self, carried: _Carried) -> None:
        """Write how far the tick is, where that has changed."""
        entry = carried.entry
        is_started = all(each.run_id in carried.begun for each in carried.awaited())
        outcome = TickOutcome.STARTED if is_started and entry.requests else entry.outcome
        if entry.requests and all(each.error is not None for each in entry.requests):
            outcome = TickOutcome.FAILED
        noted = replace(entry, outcome=outcome)
        if noted != carried.noted:
            note_tick(self._store, noted)
            carried.entry = carried.noted = noted


def _said(tries: _Tries) -> str:
    ended = tries.ended
    return (ended and ended.said) or "the process that was to begin it could not"


def _arguments(entry: TickEntry, asked: AskedRun) -> tuple[str, ...]:
    """Return the arguments of the command that carries a run out."""
    if asked.job == MAINTENANCE:
        return ("maintain",)
    tick = f"--tick={entry.name}/{entry.tick_id}"
    if asked.assets:
        return ("automation", "run", f"--run-id={asked.run_id}", tick)
    partition = () if asked.partition is None else (f"--partition={asked.partition}",)
    tags = (f"--tag={key}={value}" for key, value in asked.tags.items())
    return ("job", "run", asked.job, f"--run-id={asked.run_id}", *partition, *tags, tick)
