"""What a decided tick asks for happens, though not at once where it cannot begin yet."""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deltaworks.engine.automation.carrying import Carrying
from deltaworks.engine.automation.given_up import retry_tick
from deltaworks.engine.automation.launches import Launch, LaunchEnd, begin_launch
from deltaworks.engine.automation.run_pool import RunPool
from deltaworks.engine.automation.watch import Moment
from deltaworks.errors import RequestError
from deltaworks.io.ledger import write_run
from deltaworks.io.marks import Mark, advance_mark, read_mark
from deltaworks.io.partition_keys import add_keys, read_keys, remove_keys
from deltaworks.io.process import Process
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.store import Store
from deltaworks.io.ticks import (
    AskedRun,
    TickClaim,
    TickEntry,
    TickKind,
    TickOutcome,
    claim_tick,
    decide_tick,
    open_ticks,
    read_claim,
    read_tick,
)

TICK = "000000000001"
NOW = dt.datetime(2026, 1, 2, 6, tzinfo=dt.UTC)

SAYS = "import sys; sys.stdin.readline(); sys.exit('error: no room')"
"""A process that ends with a sentence before it has claimed its run."""

SLEEPS = "import sys, time; sys.stdin.readline(); time.sleep(600)"


class Carrier:
    """A daemon's part that carries ticks out, on a clock that the test turns."""

    def __init__(self, store: Store, program: str = "", most: int = 1) -> None:
        self.store, self.told, self.running_s = store, list[str](), 0.0
        self.pool = RunPool([sys.executable, "-I", "-S", "-c", program], os.environ, most, warm=0)
        self.carrying = Carrying(store, self.pool, self.told.append)

    def work(self, after_s: float = 1.0) -> list[str]:
        """Look once after some time, and return which runs have been begun by then and are not over."""
        self.running_s += after_s
        self.carrying.work(Moment(NOW, self.running_s))
        self.pool.start(self.running_s)
        return [order.launch.run_id for order in self.pool.running]

    def wait(self) -> None:
        """Wait until a process has ended."""
        while not (ended := self.pool.poll()):
            time.sleep(0.005)
        for each in ended:
            self.carrying.ended(each)

    def asked(self) -> tuple[AskedRun, ...]:
        tick = read_tick(self.store, "eager", TICK)
        return () if tick is None else tick.requests


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(str(tmp_path), durable=False)


@pytest.fixture
def carrier(store: Store) -> Iterator[Callable[..., Carrier]]:
    made: list[Carrier] = []

    def make(program: str = "", most: int = 1) -> Carrier:
        made.append(Carrier(store, program, most))
        return made[-1]

    yield make
    for each in made:
        each.pool.terminate()
        while not each.pool.is_idle:
            each.pool.poll()


def decided(store: Store, *runs: str, **changes: object) -> TickEntry:
    """Claim and decide a tick that asks for some runs."""
    claim_tick(store, TickClaim("eager", TICK, TickKind.SENSOR, 1, "d1", Process.current()))
    at, requests = NOW.isoformat(), tuple(AskedRun(run, "daily") for run in runs)
    entry = TickEntry("eager", TickKind.SENSOR, TICK, at, at, TickOutcome.REQUESTED, at, requests=requests, **changes)  # type: ignore[arg-type]
    return decide_tick(store, entry)


def launched(store: Store, number: int, end: LaunchEnd | None) -> None:
    held = begin_launch(store, Launch("eager", TICK, "r1", number), NOW.date(), NOW.date())
    assert held is not None
    held.end(end)


def test_a_run_that_cannot_begin_is_tried_again_after_ever_longer_times(
    store: Store, carrier: Callable[..., Carrier]
) -> None:
    daemon = carrier(SAYS)
    daemon.carrying.take(decided(store, "r1"))
    begun_at: list[float] = []

    for _ in range(60):
        if daemon.work():
            begun_at.append(daemon.running_s)
            daemon.wait()

    assert begun_at == [1, 7, 18, 39]  # 5, 10, 20 s after it was seen that the last one could not
    assert [(each.held_up_by, each.error) for each in daemon.asked()] == [("no room", None)]
    assert daemon.told[0] == "eager: run r1 ended with exit code 1: no room"
    assert open_ticks(store)


def test_what_another_daemon_could_not_begin_is_waited_for_just_so(
    store: Store, carrier: Callable[..., Carrier]
) -> None:
    heir = carrier(SAYS)
    entry = decided(store, "r1")
    for number in (1, 2, 3):
        launched(store, number, LaunchEnd.NOT_NOW)
    heir.carrying.take(entry)

    begun = [bool(heir.work(after_s)) for after_s in (1.0, 19.0, 1.0)]

    assert begun == [False, False, True]
    assert heir.pool.running[0].launch.number == 4


def test_a_run_that_the_loaded_project_refuses_twice_is_given_up(store: Store, carrier: Callable[..., Carrier]) -> None:
    daemon = carrier(SAYS)
    daemon.carrying.take(decided(store, "r1"))
    daemon.work()
    launched(store, 1, LaunchEnd.NEVER)  # as this daemon's process would have
    daemon.wait()
    daemon.work()
    assert open_ticks(store)

    launched(store, 2, LaunchEnd.NEVER)
    daemon.work()

    tick = read_tick(store, "eager", TICK)
    assert tick is not None
    assert (tick.outcome, [(each.error, each.held_up_by) for each in tick.requests]) == ("failed", [("no room", None)])
    assert open_ticks(store) == []
    assert [each.run_id for each in retry_tick(store, "eager", TickKind.SENSOR, TICK)] == ["r1"]
    entry = read_tick(store, "eager", TICK)
    assert entry is not None
    daemon.carrying.take(entry)
    assert daemon.work() == ["r1"]
    with pytest.raises(RequestError, match="tick 000000000001 has no run that was given up"):
        retry_tick(store, "eager", TickKind.SENSOR, TICK)


def test_who_slept_while_others_carried_a_tick_out_begins_nothing_again(
    store: Store, carrier: Callable[..., Carrier]
) -> None:
    zombie = carrier(SAYS)
    zombie.carrying.take(decided(store, "r1"))
    zombie.work()
    for path in list(store.list("_deltaworks/claims")):
        store.delete(path)
    zombie.wait()

    assert [zombie.work(400.0) for _ in range(3)] == [[], [], []]
    assert len(zombie.carrying) == 0


def test_keys_are_changed_once_whoever_goes_on_with_a_tick(store: Store, carrier: Callable[..., Carrier]) -> None:
    add_keys(store, "shops", ["old"], "ann", NOW)
    entry = decided(store, "r1", new_keys={"shops": ("new", "old")}, gone_keys={"shops": ("gone",)})
    before, heir, sleeper = carrier(SLEEPS), carrier(SLEEPS), carrier(SLEEPS)
    before.carrying.take(entry)
    before.work()
    assert read_keys(store, "shops") == ("new", "old")
    remove_keys(store, "shops", ["new", "old"], "ann", NOW)
    add_keys(store, "shops", ["gone"], "ann", NOW)

    taken_over = read_tick(store, "eager", TICK)
    assert taken_over is not None
    heir.carrying.take(taken_over)
    heir.work()
    sleeper.carrying.take(entry)  # as it was before anybody had changed a key
    sleeper.work()

    assert read_keys(store, "shops") == ("gone",)


def test_runs_that_wait_are_left_to_others_by_a_daemon_that_stops(
    store: Store, carrier: Callable[..., Carrier]
) -> None:
    daemon, heir = carrier(SLEEPS), carrier(SLEEPS)
    daemon.carrying.take(decided(store, "r1", "r2"))
    assert daemon.work() == ["r1"]
    launched(store, 1, None)  # as its process does; it is this one, which lives

    daemon.carrying.leave_queued()

    claim, entry = read_claim(store, "eager", TICK), read_tick(store, "eager", TICK)
    assert claim is not None
    assert (claim.number, claim.daemon_id, claim.process) == (2, "", None)
    assert entry is not None
    heir.carrying.take(entry)
    assert heir.work() == ["r2"]
    assert daemon.work() == ["r1"]
    assert len(daemon.carrying) == 0


def test_a_tick_is_over_when_its_runs_are(store: Store, carrier: Callable[..., Carrier]) -> None:
    daemon = carrier(SLEEPS, most=2)
    daemon.carrying.take(decided(store, "r1", "r2"))
    assert daemon.work() == ["r1", "r2"]

    for run_id in ("r1", "r2"):
        write_run(store, RunEntry(run_id, RunStatus.FAILURE, "job run", NOW.isoformat(), NOW.isoformat()))
        assert open_ticks(store)
        daemon.work()

    tick = read_tick(store, "eager", TICK)
    assert tick is not None
    assert (tick.outcome, open_ticks(store)) == ("started", [])


def test_a_long_cursor_is_kept_by_the_mark_alone(store: Store, carrier: Callable[..., Carrier]) -> None:
    cursors: list[str | None] = []
    for is_marked in (False, True):
        daemon = carrier()
        daemon.carrying.take(decided(store, cursor="f" * 2_000))
        if is_marked:
            advance_mark(store, "eager", Mark(TICK, "f" * 2_000))
        daemon.work()
        tick = read_tick(store, "eager", TICK)
        cursors.append(tick and tick.cursor)

    mark = read_mark(store, "eager", TickKind.SENSOR)
    assert cursors == ["f" * 2_000, None]
    assert mark is not None
    assert mark.cursor == "f" * 2_000
    assert open_ticks(store) == []
