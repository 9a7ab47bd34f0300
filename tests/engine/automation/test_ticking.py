"""A tick is decided once, by whichever daemon, however long one of them slept meanwhile."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from deltaworks.engine.automation.evaluation import Evaluation
from deltaworks.engine.automation.location_process import Answer
from deltaworks.engine.automation.peers import Peers
from deltaworks.engine.automation.schedule_watch import ScheduleWatch, WatchedSchedule
from deltaworks.engine.automation.ticking import Asker, Ticking
from deltaworks.engine.automation.watch import DueTick, Moment
from deltaworks.engine.definitions.automation.run_request import RunRequest
from deltaworks.engine.definitions.automation.schedule import CatchUp
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.io.marks import Mark, advance_mark
from deltaworks.io.store import Store
from deltaworks.io.ticks import LEDGER, TickEntry, TickKind, close_tick, instant_id, leave_tick, open_ticks, read_ticks

SIX = dt.datetime(2026, 1, 2, 6, tzinfo=dt.UTC)
TICK = instant_id(SIX)
MORNING = WatchedSchedule("morning", (Cron("0 6 * * *"),), "UTC", CatchUp.LAST, 1, True, 60.0)
ANSWER = Evaluation((RunRequest(job="daily"),))


class Daemon:
    """A daemon's part that asks and decides."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.running_s = store, 0.0
        self.asked: list[Tick] = []
        self.carried: list[TickEntry] = []
        self.watch = ScheduleWatch(MORNING, store)
        asker = Asker(lambda: True, self.ask)
        self.ticking = Ticking(store, name, Peers(store, name), asker, self.carried.append, lambda _: None)

    def ask(self, tick: Tick, timeout_s: float, now_s: float) -> int:
        self.asked.append(tick)
        return len(self.asked)

    @property
    def now(self) -> Moment:
        return Moment(SIX, self.running_s)

    def begin(self) -> None:
        self.ticking.begin(MORNING, self.watch, DueTick(TICK, SIX), self.now)

    def hear(self, evaluation: Evaluation | None = ANSWER) -> None:
        self.ticking.hear(Answer(len(self.asked), evaluation, "boom"), {"morning": self.watch}, self.now)

    def take_over(self) -> None:
        self.ticking.take_over({"morning": MORNING}, {"morning": self.watch}, lambda _: False, self.now)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.at(str(tmp_path), durable=False)
    advance_mark(store, "morning", Mark(instant_id(SIX - dt.timedelta(days=1))))
    return store


def sweep(store: Store) -> None:
    """Leave of a tick that was carried out long ago what is kept: the mark is past it."""
    advance_mark(store, "morning", Mark(TICK))
    close_tick(store, "morning", TICK)
    for path in list(store.list(LEDGER)):
        store.delete(path)


def test_who_comes_to_a_tick_of_long_ago_asks_nothing(store: Store) -> None:
    zombie = Daemon(store, "d1")
    sweep(store)

    zombie.begin()

    assert (zombie.asked, open_ticks(store), read_ticks(store, "morning")) == ([], [], [])


def test_who_slept_over_his_question_carries_nothing_out(store: Store) -> None:
    zombie = Daemon(store, "d1")
    zombie.begin()
    assert len(zombie.asked) == 1

    sweep(store)
    zombie.hear()

    assert (zombie.carried, open_ticks(store)) == ([], [])


def test_a_tick_that_is_taken_over_after_the_mark_has_passed_it_is_not_asked_about(store: Store) -> None:
    Daemon(store, "d1").begin()
    leave_tick(store, "morning", TICK)
    advance_mark(store, "morning", Mark(TICK))
    heir = Daemon(store, "d2")

    heir.take_over()

    assert (heir.asked, open_ticks(store)) == ([], [])


def test_a_schedule_fails_for_good_after_five_errors_and_daemons_that_die_are_none(store: Store) -> None:
    daemon = Daemon(store, "d0")
    daemon.begin()
    for number in range(1, 7):
        daemon.ticking.leave()
        daemon = Daemon(store, f"d{number}")
        daemon.take_over()
    assert open_ticks(store)[0].number == 13

    for _ in range(5):
        daemon.hear(None)
        daemon.running_s += 300.0
        daemon.ticking.work(daemon.now)

    assert [tick.attempt for tick in daemon.asked] == [1, 2, 3, 4, 5]
    (entry,) = read_ticks(store, "morning")
    assert (entry.outcome, entry.is_decided, entry.attempt, entry.error) == ("failed", True, 5, "boom")
    assert [each.tick_id for each in daemon.carried] == [TICK]


def test_a_decided_tick_that_is_left_is_carried_on_by_another(store: Store) -> None:
    daemon, heir = Daemon(store, "d1"), Daemon(store, "d2")
    daemon.begin()
    daemon.hear()
    heir.take_over()
    assert heir.carried == []

    leave_tick(store, "morning", TICK)
    heir.take_over()

    assert heir.carried == daemon.carried
    assert [each.kind for each in heir.carried] == [TickKind.SCHEDULE]
