"""A schedule is due once at each tick, whatever happens to clocks, daemons and cron expressions."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltaworks.engine.automation.schedule_watch import ScheduleWatch, WatchedSchedule, begin_now
from deltaworks.engine.automation.uptime import Uptime
from deltaworks.engine.automation.watch import Moment
from deltaworks.engine.definitions.automation.schedule import CatchUp
from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.io.heartbeats import Heartbeat, write_heartbeat
from deltaworks.io.store import Store
from deltaworks.io.ticks import TickEntry, TickKind, TickOutcome, instant_id
from tests.campaign.recorder import recorded

HOUR = dt.timedelta(hours=1)
NOON = dt.datetime(2026, 1, 5, 12, 30, tzinfo=dt.UTC)
HOURLY = WatchedSchedule("hourly", (Cron("0 * * * *"),), "UTC", CatchUp.NONE, 100, True, 60.0)


class Daemon:
    """Watches a schedule, and says that each tick that is due is decided."""

    def __init__(
        self, store: Store, name: str = "d1", watched: WatchedSchedule = HOURLY, at: dt.datetime = NOON
    ) -> None:
        self.store, self.name, self.watch = store, name, ScheduleWatch(watched, store)
        self.now, self.running_s, self.beats = at, 0.0, 0
        self.watched_name, self.uptime = watched.name, Uptime()
        self.ticks: list[str] = []
        self.look()

    def look(self) -> None:
        """Say that it runs, and what it watches, and look then, as a daemon does."""
        self.beats += 1
        moment, at = Moment(self.now, self.running_s), self.now.isoformat()
        self.uptime.note([self.watched_name], moment)
        write_heartbeat(self.store, Heartbeat(self.name, "h", 1, at, at, self.beats, watched=self.uptime.told()))
        while found := self.watch.due(moment):
            for due in found:
                self.ticks.append(due.tick_id[8:13] + ("+" if due.is_catchup else ""))
                self.watch.settled(decided(due.tick_id))

    def wait(self, wall: dt.timedelta, running: dt.timedelta | None = None) -> list[str]:
        """Let time pass, on the wall and for real, and return what was due since."""
        self.ticks.clear()
        self.now += wall
        self.running_s += (wall if running is None else running).total_seconds()
        self.look()
        return list(self.ticks)

    def watched(self, wall: dt.timedelta) -> list[str]:
        """Look once a minute all the time."""
        step, ticks = dt.timedelta(minutes=1), list[str]()
        for _ in range(wall // step):
            ticks += self.wait(step)
        return ticks


def decided(tick_id: str) -> TickEntry:
    return TickEntry("hourly", TickKind.SCHEDULE, tick_id, "", "", TickOutcome.SKIPPED)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(str(tmp_path), durable=False)


def test_a_schedule_begins_with_the_first_tick_after_it_was_first_seen(store: Store) -> None:
    daemon = Daemon(store)

    assert daemon.ticks == []
    assert daemon.watched(2 * HOUR) == ["05T13", "05T14"]


@pytest.mark.parametrize(
    ("catchup", "due"),
    [
        (CatchUp.NONE, []),
        (CatchUp.LAST, ["12T12+"]),
        (CatchUp.ALL, ["12T09+", "12T10+", "12T11+", "12T12+"]),
    ],
)
def test_a_daemon_that_is_back_after_a_week_obeys_catchup(store: Store, catchup: CatchUp, due: list[str]) -> None:
    watched = replace(HOURLY, catchup=catchup, catchup_limit=4)
    Daemon(store, watched=watched).watched(HOUR)

    back = Daemon(store, "d2", watched, NOON + dt.timedelta(days=7))

    assert back.ticks == due
    assert back.watched(HOUR) == ["12T13"]
    # The next one does not take what was forgotten for something that was due while the second one ran.
    assert Daemon(store, "d3", watched, NOON + dt.timedelta(days=7, hours=1)).ticks == []


def test_a_daemon_that_is_back_within_a_minute_has_missed_nothing(store: Store) -> None:
    Daemon(store).watched(dt.timedelta(minutes=29))

    assert Daemon(store, "d2", at=NOON + dt.timedelta(minutes=30)).ticks == ["05T13"]


def test_a_clock_that_is_turned_neither_repeats_nor_skips_a_tick(store: Store) -> None:
    daemon, second = Daemon(store), dt.timedelta(seconds=1)

    assert daemon.wait(3 * HOUR, running=second) == ["05T13", "05T14", "05T15"]
    assert daemon.wait(-3 * HOUR, running=second) == []
    assert daemon.watched(3 * HOUR) == []
    assert daemon.watched(HOUR) == ["05T16"]
    assert daemon.wait(dt.timedelta(days=9), running=second)[-1] == "14T16"
    assert daemon.watched(HOUR) == ["14T17"]


JUMPS = st.lists(st.integers(-300, 300), max_size=12)


@settings(deadline=None, max_examples=30)
@given(JUMPS)
def test_however_the_clock_is_turned_each_hour_that_it_comes_to_is_due_once(tmp_path_factory, jumps: list[int]) -> None:
    turn_the_clock(Store.at(str(tmp_path_factory.mktemp("lake")), durable=False), jumps)


@pytest.mark.soak
def test_however_often_the_clock_is_turned_each_hour_that_it_comes_to_is_due_once(tmp_path: Path) -> None:
    with recorded("a clock that jumps") as row:

        @settings(deadline=None, max_examples=2_000, derandomize=False)
        @given(JUMPS)
        def check(jumps: list[int]) -> None:
            with row.one():
                turn_the_clock(Store.at(str(tmp_path / f"{row.tried}"), durable=False), jumps)

        check()


def turn_the_clock(store: Store, jumps: list[int]) -> None:
    daemon = Daemon(store)
    latest, due = NOON, list[str]()

    for minutes in jumps:
        due += daemon.wait(dt.timedelta(minutes=minutes), running=dt.timedelta(seconds=1))
        latest = max(latest, daemon.now)

    hours = int((latest - NOON + dt.timedelta(minutes=30)) / HOUR)
    assert due == [f"{NOON + n * HOUR:%dT%H}" for n in range(1, hours + 1)]


def test_a_process_that_was_held_up_has_missed_what_was_due_meanwhile(store: Store) -> None:
    daemon = Daemon(store)

    assert daemon.wait(5 * HOUR) == []
    assert daemon.watched(HOUR) == ["05T18"]


def test_what_passed_while_a_schedule_was_not_watched_was_missed(store: Store) -> None:
    """It was out of the code, or off by its definition, while a daemon ran that watched others."""
    daemon = Daemon(store)
    daemon.watched(HOUR)

    daemon.watched_name = "another"
    daemon.watch = ScheduleWatch(replace(HOURLY, name="another"), store)
    daemon.watched(3 * HOUR)
    daemon.watched_name, daemon.watch = "hourly", ScheduleWatch(HOURLY, store)

    assert daemon.watched(HOUR) == ["05T17"]


def test_editing_a_cron_expression_refires_nothing(store: Store) -> None:
    Daemon(store).watched(HOUR)

    edited = replace(HOURLY, crons=(Cron("*/10 * * * *"),), catchup=CatchUp.ALL)
    daemon = Daemon(store, "d2", edited, NOON + HOUR + dt.timedelta(seconds=20))

    assert daemon.ticks == ["05T13"] * 3  # ten, twenty and thirty past, which lie after the last tick
    assert Daemon(store, "d3", HOURLY, daemon.now).ticks == []


def test_a_tick_that_is_not_decided_stays_due_and_holds_up_no_later_one(store: Store) -> None:
    watch = ScheduleWatch(HOURLY, store)
    ticks: list[list[str]] = []

    for minutes in (0, 30, 90):
        due = watch.due(Moment(NOON + dt.timedelta(minutes=minutes), minutes / 1000))
        ticks.append([each.tick_id[11:13] for each in due])
        for each in due:
            if "T13" not in each.tick_id:
                watch.settled(decided(each.tick_id))

    assert ticks == [[], ["13"], ["13", "14"]]
    again = ScheduleWatch(HOURLY, store).due(Moment(NOON + dt.timedelta(minutes=91), 0.0))
    assert [each.tick_id for each in again] == []  # forgotten: nothing says that a daemon ran


def test_a_schedule_that_is_started_begins_now(store: Store) -> None:
    Daemon(store, watched=replace(HOURLY, catchup=CatchUp.ALL)).watched(HOUR)

    begin_now(store, "hourly", NOON + dt.timedelta(days=2))

    assert Daemon(store, "d2", replace(HOURLY, catchup=CatchUp.ALL), NOON + dt.timedelta(days=2, hours=1)).ticks == [
        "07T13+"
    ]


def test_a_tick_from_before_the_clock_was_turned_back_skips_none_before_it(tmp_path: Path) -> None:
    begin_now(Store(tmp_path, durable=False), "hourly", NOON)
    watch = ScheduleWatch(replace(HOURLY, catchup=CatchUp.ALL), Store(tmp_path, durable=False))
    two = instant_id(NOON.replace(hour=14, minute=0))

    assert watch.due(Moment(NOON, 0.0)) == []
    watch.settled(decided(two))  # a dead daemon had begun it at half past two, and this one has taken it over
    due = watch.due(Moment(NOON + 2 * HOUR, 10.0))

    assert [tick.tick_id[11:13] for tick in due] == ["13", "14"]
