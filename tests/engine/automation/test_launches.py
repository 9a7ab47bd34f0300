"""A run that a tick asks for is at one process at a time, and it is seen when none is at it."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pytest

from deltaworks.engine.automation.launches import (
    HeldLaunch,
    Launch,
    LaunchEnd,
    RunLook,
    RunSigns,
    RunState,
    begin_launch,
)
from deltaworks.io.folding import find_foldable, fold_runs
from deltaworks.io.ledger import write_run
from deltaworks.io.process import Process
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.store import Store
from deltaworks.io.ticks import TickClaim, TickKind, claim_tick, close_tick

TICK = "2026-01-02T0600Z"
TODAY = dt.date(2026, 1, 2)
NOW = dt.datetime(2026, 1, 2, 6, 1, tzinfo=dt.UTC)


class Tick:
    """An open tick that asks for one run."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.at(str(folder), durable=False)
        claim_tick(self.store, TickClaim("morning", TICK, TickKind.SCHEDULE, 1, "d1", Process.current()))
        self.signs = RunSigns(self.store)

    def launch(self, number: int = 1) -> Launch:
        return Launch("morning", TICK, "r1", number)

    def begin(self, number: int = 1) -> HeldLaunch | None:
        return begin_launch(self.store, self.launch(number), TODAY, TODAY)

    def look(self, running_s: float = 0.0) -> RunLook:
        return self.signs.look(self.launch(), TODAY, NOW, running_s)

    def is_at(self, number: int, **changes: object) -> None:
        """Let the process of a launch be another one."""
        document = json.loads(self.store.read(self.launch(number).path) or b"")
        document["process"] |= changes
        self.store.put(self.launch(number).path, json.dumps(document).encode())

    def write(self, status: RunStatus, at: dt.datetime = NOW) -> None:
        write_run(self.store, RunEntry("r1", status, "job run", at.isoformat(), heartbeat_at=at.isoformat()))


@pytest.fixture
def tick(tmp_path: Path) -> Tick:
    return Tick(tmp_path)


def test_a_run_has_one_process_at_a_time_and_none_when_it_is_over(tick: Tick) -> None:
    assert tick.look() == RunLook(RunState.AWAITED)
    assert tick.begin() is not None
    assert tick.begin() is None
    assert tick.look() == RunLook(RunState.BEGUN, 1)

    tick.write(RunStatus.SUCCESS)

    assert tick.look().state is RunState.OVER
    assert tick.begin(2) is None


def test_a_process_that_is_seen_to_live_is_at_its_run_however_long_it_says_nothing(tick: Tick) -> None:
    tick.begin()
    assert tick.look(0.0).state is RunState.BEGUN

    assert tick.look(3600.0) == RunLook(RunState.BEGUN, 1)

    tick.is_at(1, born=None, pid=4_000_000)
    assert tick.look(3601.0) == RunLook(RunState.LOST, 1, lost=1)


def test_a_process_elsewhere_is_at_its_run_as_long_as_it_says_so(tick: Tick, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deltaworks.engine.automation.launches.BEAT_S", 0.01)
    held = tick.begin()
    assert held is not None
    elsewhere = replace(Process.current(), host="elsewhere")
    monkeypatch.setattr(Process, "current", lambda: elsewhere)
    tick.is_at(1, host="elsewhere")
    first = tick.store.read(tick.launch().path)
    assert tick.look(0.0).state is RunState.BEGUN

    held.start()
    while tick.store.read(tick.launch().path) == first:
        pass
    held.end(None)

    assert tick.look(40.0).state is RunState.BEGUN
    assert tick.look(69.0).state is RunState.BEGUN
    assert tick.look(71.0) == RunLook(RunState.LOST, 1, lost=1)


def test_what_a_process_says_at_its_end_tells_a_refusal_from_a_loss(tick: Tick) -> None:
    ends = (LaunchEnd.NOT_NOW, LaunchEnd.NEVER, None, LaunchEnd.NEVER, LaunchEnd.NEVER)
    looks: list[RunLook] = []

    for number, end in enumerate(ends, start=1):
        held = tick.begin(number)
        assert held is not None
        held.end(end)
        if end is None:
            tick.is_at(number, born=None, pid=4_000_000)
        looks.append(tick.look())

    assert [(look.state.value, look.launches, look.lost, look.refused, look.is_unfit) for look in looks] == [
        ("refused", 1, 0, 1, False),
        ("refused", 2, 0, 2, False),
        ("lost", 3, 1, 0, False),
        ("refused", 4, 1, 1, False),
        ("refused", 5, 1, 2, True),
    ]


def test_the_ten_thousandth_launch_is_later_than_the_one_before_it(tick: Tick) -> None:
    for number in (9_999, 10_000):
        held = tick.begin(number)
        assert held is not None
        held.end(LaunchEnd.NOT_NOW)

    assert (tick.look().launches, tick.look().refused) == (10_000, 2)


def test_a_daemon_that_slept_begins_no_run_of_a_tick_that_was_closed(tick: Tick) -> None:
    close_tick(tick.store, "morning", TICK)

    assert tick.begin() is None
    assert list(tick.store.list("_deltaworks/claims")) == []
    assert tick.store.names("_deltaworks/claims/ticks/morning") == []


def test_a_run_that_was_folded_while_its_tick_is_open_is_over(tick: Tick) -> None:
    tick.begin()
    tick.is_at(1, born=None, pid=4_000_000)
    tick.write(RunStatus.SUCCESS, NOW - dt.timedelta(days=9))
    fold_runs(tick.store, find_foldable(tick.store, TODAY))

    assert tick.look().state is RunState.OVER
    assert tick.begin(2) is None
