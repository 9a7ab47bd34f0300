"""Carrying: what a decided tick asks for is started unless it is there, and followed until all of it is over.

Any daemon can do it, from the decision alone: what is done already is found in the lake.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from deltaworks.engine.automation.launches import MOST_LAUNCHES, Launch, RunLook, RunSigns, RunState
from deltaworks.engine.automation.run_pool import RunEnded, RunOrder, RunPool
from deltaworks.engine.automation.upkeep import UPKEEP
from deltaworks.engine.automation.watch import Moment
from deltaworks.io.partition_keys import add_keys, remove_keys
from deltaworks.io.run_keys import own_run_key
from deltaworks.io.store import Store
from deltaworks.io.ticks import AskedRun, TickEntry, TickOutcome, close_tick, note_tick

LOOK_S = 1.0
"""How often it is looked how far the runs of a tick are that other processes carry out."""

_REFUSED = 2
"""The exit code of a command that found its request or the definitions wrong, and has run nothing."""


@dataclass
class _Carried:
    """A decided tick, and how far its runs are."""

    entry: TickEntry
    noted: TickEntry
    """As the ledger has it."""
    is_prepared: bool = False
    submitted: dict[str, int] = field(default_factory=dict[str, int])
    """By run: the number of the launch that is in the hands of this daemon's pool."""
    begun: set[str] = field(default_factory=set[str])
    over: set[str] = field(default_factory=set[str])
    refused: dict[str, str] = field(default_factory=dict[str, str])
    """By run: what a process said that ended without having begun it."""
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
        if ended.code != 0:
            self._tell(f"{launch.name}: run {launch.run_id} ended with exit code {ended.code}: {ended.said}")
        if launch.name == UPKEEP:
            carried.over.add(launch.run_id)  # it is no run that the ledger knows
        elif ended.code == _REFUSED:
            carried.refused[launch.run_id] = ended.said

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
            self._note(carried)
            if not carried.awaited():
                close_tick(self._store, *key)
                del self._carried[key]

    def _prepare(self, carried: _Carried) -> None:
        """Change the keys as the tick asks for, and find out which of its runs were asked for before."""
        entry = carried.entry
        at, by = dt.datetime.fromisoformat(entry.started_at), f"{entry.kind} {entry.name}"
        for name, keys in entry.gone_keys.items():
            remove_keys(self._store, name, keys, by, at)
        for name, keys in entry.new_keys.items():
            add_keys(self._store, name, keys, by, at)
        requests: list[AskedRun] = []
        for asked in entry.requests:
            key = asked.run_key
            owner = entry.tick_id if key is None else own_run_key(self._store, entry.name, key, entry.tick_id)
            requests.append(asked if owner == entry.tick_id else replace(asked, answered_by=owner))
        carried.entry, carried.is_prepared = replace(entry, requests=tuple(requests)), True

    def _see_to(self, carried: _Carried, asked: AskedRun, moment: Moment) -> None:
        """Look how far a run is, and have it carried out if nobody does."""
        launch = Launch(carried.entry.name, carried.entry.tick_id, asked.run_id, 1)
        if asked.run_id in carried.submitted and asked.run_id in carried.begun:
            return  # the pool says when it has ended
        look = self._signs.look(launch, carried.since, moment.now, moment.running_s)
        match look.state:
            case RunState.OVER:
                carried.begun.add(asked.run_id)
                carried.over.add(asked.run_id)
                self._signs.forget(asked.run_id)
            case RunState.BEGUN:
                carried.begun.add(asked.run_id)
            case RunState.AWAITED:
                self._submit(carried, asked, launch)
            case RunState.LOST if look.entry is None and asked.run_id in carried.refused:
                self._mark(carried, asked.run_id, carried.refused[asked.run_id])
            case RunState.LOST:
                carried.begun.add(asked.run_id)
                self._launch_again(carried, asked, launch, look)

    def _launch_again(self, carried: _Carried, asked: AskedRun, launch: Launch, look: RunLook) -> None:
        if asked.run_id in carried.submitted:
            return
        self.lost_runs += 1
        if look.launches >= MOST_LAUNCHES:
            self._tell(f"{launch.name}: run {asked.run_id} was lost {look.launches} times, and is given up")
            self._mark(carried, asked.run_id, f"its process was lost {look.launches} times")
            return
        self._tell(f"{launch.name}: run {asked.run_id} was lost; it is launched again")
        self._submit(carried, asked, replace(launch, number=look.launches + 1))

    def _submit(self, carried: _Carried, asked: AskedRun, launch: Launch) -> None:
        if asked.run_id not in carried.submitted:
            carried.submitted[asked.run_id] = launch.number
            arguments = _arguments(carried.entry, asked)
            self._pool.submit(RunOrder(launch, arguments, asked.config, carried.since.isoformat()))

    def _mark(self, carried: _Carried, run_id: str, error: str) -> None:
        requests = (replace(each, error=error) if each.run_id == run_id else each for each in carried.entry.requests)
        carried.entry = replace(carried.entry, requests=tuple(requests))

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


def _arguments(entry: TickEntry, asked: AskedRun) -> tuple[str, ...]:
    """Return the arguments of the command that carries a run out."""
    if asked.job == UPKEEP:
        return ("maintain",)
    tick = f"--tick={entry.name}/{entry.tick_id}"
    if asked.assets:
        return ("automation", "run", f"--run-id={asked.run_id}", tick)
    partition = () if asked.partition is None else (f"--partition={asked.partition}",)
    tags = (f"--tag={key}={value}" for key, value in asked.tags.items())
    return ("job", "run", asked.job, f"--run-id={asked.run_id}", *partition, *tags, tick)
