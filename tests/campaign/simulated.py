"""Simulated daemons: what daemons do with ticks, on a clock, a store and processes that a machine moves.

Several daemons share a lake, none of which is a process: each does one round when the machine says so, and may die at
any failpoint or store call of it, with all that it had in memory. What carries runs out goes on without it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from deltaworks.engine.automation.carrying import Carrying
from deltaworks.engine.automation.evaluation import Evaluation
from deltaworks.engine.automation.launches import begin_launch
from deltaworks.engine.automation.location_process import Answer
from deltaworks.engine.automation.peers import Peers
from deltaworks.engine.automation.run_pool import RunEnded, RunOrder, RunPool
from deltaworks.engine.automation.schedule_watch import WatchedSchedule
from deltaworks.engine.automation.ticking import Asker, Ticking
from deltaworks.engine.automation.watch import Moment
from deltaworks.engine.definitions.automation.run_request import RunRequest
from deltaworks.engine.definitions.automation.schedule import CatchUp
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.io.failpoints import Step, acting
from deltaworks.io.heartbeats import Heartbeat, write_heartbeat
from deltaworks.io.ledger import write_run
from deltaworks.io.process import Process as Here
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.store import Store
from tests.exactness.failing_store import Crash, Death, FailingStore, Trigger
from tests.exactness.failing_store import Moment as When

BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
EVERY = dt.timedelta(minutes=10)
LEASE_S = 30.0
NAME = "tenth"
WATCHED = WatchedSchedule(NAME, (Cron("*/10 * * * *"),), "UTC", CatchUp.ALL, 100_000, True, 60.0)


@dataclass
class Process:
    """What carries a run out, in three steps."""

    order: RunOrder
    done: int = 0
    ended: bool = False

    def go_on(self, store: Store, effects: list[str]) -> None:
        """Do the next step: begin the run unless another one has, have the effect, and write how it ended."""
        launch, since = self.order.launch, dt.date.fromisoformat(self.order.since)
        self.done += 1
        match self.done:
            case 1:
                self.ended = begin_launch(store, launch, since, since) is None
            case 2:
                effects.append(launch.tick_id)
            case _:
                at = dt.datetime.combine(since, dt.time(), dt.UTC).isoformat()
                write_run(store, RunEntry(launch.run_id, RunStatus.SUCCESS, "effect", at, at))
                self.ended = True


@dataclass
class Pool:
    """The executor of one daemon: it only hands over."""

    processes: list[Process]
    """Of all daemons; they outlive them."""
    own: list[Process] = field(default_factory=list[Process])

    @property
    def queued(self) -> Sequence[RunOrder]:
        return ()

    def has_queued(self, run_id: str) -> bool:
        return False

    def drop_queued(self) -> None:
        return

    def submit(self, order: RunOrder) -> None:
        self.own.append(Process(order))
        self.processes.append(self.own[-1])

    def poll(self) -> list[RunEnded]:
        ended = [each for each in self.own if each.ended]
        self.own = [each for each in self.own if not each.ended]
        return [RunEnded(each.order, 0, "") for each in ended]


@dataclass(frozen=True)
class End:
    """Where a daemon dies in a round: at the n-th time it comes to a step, or at a store call."""

    step: Step | None
    method: str
    number: int
    moment: When


class SimulatedDaemon:
    """One daemon, which forgets everything when it dies."""

    def __init__(self, lake: Path, number: int, processes: list[Process]) -> None:
        self.trigger = Trigger("", 0, When.BEFORE)
        self.store = FailingStore(lake, False, self.trigger)
        self.own_id, self.beats = f"d{number:04d}", 0
        self.answers: list[Answer] = []
        self.pool = Pool(processes)
        self.carrying = Carrying(self.store, cast("RunPool", self.pool), lambda _: None)
        self.peers = Peers(self.store, self.own_id, LEASE_S)
        asker = Asker(lambda: True, self._ask)
        self.ticking = Ticking(self.store, self.own_id, self.peers, asker, self.carrying.take, lambda _: None)
        self.watch = WATCHED.watch(self.store)

    def round(self, now: Moment, death: End | None = None) -> bool:
        """Do what a daemon does again and again; return whether it lives."""
        if death is not None:
            self.trigger.method, self.trigger.call, self.trigger.moment = death.method, death.number, death.moment
            self.trigger.calls.clear()
        try:
            with nullcontext() if death is None else acting(Death(self.trigger, death.step, death.number)):
                self._work(now)
        except Crash:
            return False
        self.trigger.method = ""
        return True

    def _work(self, now: Moment) -> None:
        at = now.now.isoformat()
        here = Here.current()  # which lives, so that others judge a daemon by whether its heartbeats change
        write_heartbeat(self.store, Heartbeat(self.own_id, here.host, here.pid, at, at, self.beats, here.born))
        self.beats += 1
        for due in self.watch.due(now):
            self.ticking.begin(WATCHED, self.watch, due, now)
        while self.answers:
            self.ticking.hear(self.answers.pop(0), {NAME: self.watch}, now)
        self.ticking.work(now)
        self.peers.look(now.running_s)
        self.ticking.take_over({NAME: WATCHED}, {NAME: self.watch}, self.carrying.__contains__, now)
        self.carrying.work(now)
        for ended in self.pool.poll():
            self.carrying.ended(ended)

    def _ask(self, tick: Tick, timeout_s: float, now_s: float) -> int:
        self.answers.append(Answer(self.beats * 1000 + len(self.answers), Evaluation((RunRequest(job="effect"),))))
        return self.answers[-1].number
