"""A daemon asks at ticks, has runs carried out, and lives through whatever the project's functions do."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import pytest

import deltaworks as dw
from deltaworks.engine.automation.daemon import OnStop
from deltaworks.engine.automation.launches import Launch
from deltaworks.engine.automation.run_pool import RunOrder, RunPool
from deltaworks.engine.automation.schedule_watch import WatchedSchedule
from deltaworks.engine.automation.sensor_watch import WatchedSensor
from deltaworks.engine.automation.switching import pause_daemons
from deltaworks.engine.definitions.automation.schedule import CatchUp
from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.io.heartbeats import read_heartbeats
from deltaworks.io.ledger import read_runs
from deltaworks.io.marks import Mark, advance_mark
from deltaworks.io.switches import set_switch
from deltaworks.io.ticks import instant_id, number_id, open_ticks
from tests.engine.automation.house import DUE, SCHEDULE, House

MISBEHAVED = """
@dw.schedule(job=daily, cron="0 6 * * *", catchup="last", timeout_s=1.0)
def hangs(tick: dw.Tick):
    while True:
        pass

@dw.schedule(job=daily, cron="0 6 * * *", catchup="last")
def raises(tick: dw.Tick):
    raise ValueError("boom")

@dw.schedule(job=daily, cron="0 6 * * *", catchup="last")
def talks_rubbish(tick: dw.Tick):
    return 5

@dw.schedule(job=daily, cron="0 6 * * *", catchup="last")
def asks_for_another_day(tick: dw.Tick):
    return dw.RunRequest(partition="2031-01-01")

@dw.schedule(job=daily, cron="0 6 * * *", catchup="last")
def floods(tick: dw.Tick):
    return (dw.RunRequest(partition="2026-01-01") for _ in range(100_000))

@dw.schedule(job=daily, cron="0 6 * * *", catchup="last")
def leaves(tick: dw.Tick):
    time.sleep(0.3)
    os._exit(3)

@dw.schedule(job=daily, cron="0 6 * * *", catchup="last")
def behaves(tick: dw.Tick):
    return dw.SkipReason(f"not at {tick.scheduled_at:%H:%M}, attempt {tick.attempt}")
"""


def test_functions_that_misbehave_hold_up_no_other(house: Callable[[str], House]) -> None:
    home = house(MISBEHAVED)
    names = ("hangs", "raises", "talks_rubbish", "asks_for_another_day", "floods", "leaves", "behaves")
    home.begin(*names)
    daemon = home.daemon()

    home.work_until(daemon, lambda: all(home.tick(name) is not None for name in names))

    ticks = {name: home.tick(name) for name in names}
    errors = {name: tick.error or "" for name, tick in ticks.items() if tick is not None}
    assert errors["raises"].startswith("ValueError: boom (")
    assert errors["talks_rubbish"].startswith("schedule 'talks_rubbish' answered 5; expected RunRequest")
    assert "has no partition '2031-01-01'" in errors["asks_for_another_day"]
    assert errors["floods"].startswith("schedule 'floods' asks for more than 1,000 runs at one tick")
    assert "before it answered" in errors["leaves"] or "timeout_s" in errors["leaves"]
    assert "timeout_s=1" in errors["hangs"] or "before it answered" in errors["hangs"]
    for name in ("hangs", "leaves", "raises", "talks_rubbish", "floods"):
        tick = ticks[name]
        assert tick is not None
        assert (tick.outcome, tick.is_decided, tick.retry_at is not None) == ("failed", False, True)
    home.work_until(daemon, lambda: (tick := home.tick("behaves")) is not None and tick.is_decided)
    behaved = home.tick("behaves")
    assert behaved is not None
    assert (behaved.skip_reason or "").startswith("not at 06:00, attempt ")
    assert read_runs(home.store) == []


def test_a_dead_daemons_tick_is_taken_over_and_a_stopped_schedule_does_not_tick(house: Callable[[str], House]) -> None:
    home = house(SCHEDULE.replace('"morning"', '"stopped"').replace("morning =", "stopped =") + SCHEDULE)
    home.begin("morning", "stopped")
    set_switch(home.store, "stopped", is_on=False, by="ann", at=DUE)
    dead = home.daemon()
    home.work_until(dead, lambda: bool(open_ticks(home.store)))
    # Its location answers no more, and it says that it has ended: what it has claimed is left behind.
    dead.close()
    (left,) = open_ticks(home.store)

    heir = home.daemon()
    home.work_until(heir, lambda: home.tick("morning") is not None and not open_ticks(home.store))

    tick, (run,) = home.tick("morning"), read_runs(home.store)
    assert tick is not None
    assert (left.number, left.daemon_id) == (1, dead.daemon_id)
    assert (tick.outcome, home.tick("stopped")) == ("started", None)
    assert (run.run_id, run.status, run.job, run.job_partition) == (
        tick.requests[0].run_id,
        "success",
        "daily",
        "2026-01-01",
    )
    assert (run.tick, run.tags) == (f"morning/{instant_id(DUE)}", ("team=ops",))
    assert dw.read("numbers", lake=home.folder / "lake").collect().height == 1
    heir.stop(OnStop.WAIT)
    heir.run()
    beats = {beat.daemon_id: beat for beat in read_heartbeats(home.store)}
    assert [beats[each.daemon_id].stopped_at is not None for each in (dead, heir)] == [True, True]
    assert (beats[heir.daemon_id].facts["watched"], beats[heir.daemon_id].facts["on"]) == (2, 1)


def test_paused_daemons_begin_nothing_until_they_are_resumed(house: Callable[[str], House]) -> None:
    home = house(SCHEDULE)
    home.begin("morning")
    pause_daemons(home.store, is_paused=True, by="ann", at=home.now)
    daemon = home.daemon()

    home.work_until(daemon, lambda: any(each.facts.get("watched") == 1 for each in read_heartbeats(home.store)))
    for _ in range(20):
        home.passed_s += 10.0
        daemon.step()

    (beat,) = read_heartbeats(home.store)
    assert (beat.facts["is_paused"], beat.watched) == (True, {})
    assert (home.tick("morning"), open_ticks(home.store)) == (None, [])

    pause_daemons(home.store, is_paused=False, by="bob", at=home.now)
    home.passed_s += 10.0
    home.work_until(daemon, lambda: home.tick("morning") is not None and not open_ticks(home.store))

    tick = home.tick("morning")
    assert tick is not None
    assert (tick.outcome, tick.is_catchup) == ("started", True), "as after a time without daemons"


def test_a_daemon_lives_through_names_of_another_kind_and_processes_that_cannot_be_started(
    house: Callable[[str], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = house("")
    schedule = WatchedSchedule("both", (Cron("0 6 * * *"),), "UTC", CatchUp.LAST, 1, True, 1.0)
    sensor = WatchedSensor("each", None, 1.0, True, 1.0)
    advance_mark(home.store, "both", Mark(number_id(1)))
    advance_mark(home.store, "each", Mark(instant_id(DUE)))

    def refuse(*_: object, **_named: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("subprocess.Popen", refuse)
    daemon = home.daemon(warm=1)
    home.location.watched, home.location.loads = (schedule, sensor), 1
    daemon.step()
    daemon.step()

    uri = home.store.uri("_deltaworks/state/ticks")
    no_schedule = f"both: {uri}/both/{number_id(1)}.json says how far something else named 'both' was, and no schedule"
    no_sensor = f"each: {uri}/each/{instant_id(DUE)}.json says how far something else named 'each' was, and no sensor"
    assert any(told.startswith(no_schedule) for told in home.told)
    assert any(told.startswith(no_sensor) for told in home.told)
    assert "starting a process: [Errno 12] Cannot allocate memory" in home.told
    refused = "its process could not be started ([Errno 12] Cannot allocate memory)"
    assert home.told.count(f"the project cannot be loaded: {refused}") == 1


def test_a_run_whose_process_cannot_be_started_is_begun_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = RunPool([sys.executable, "-c", ""], os.environ, most=1, warm=0)
    order = RunOrder(Launch("morning", instant_id(DUE), "r1", 1), (), {}, "2026-01-02")
    pool.submit(order)

    def refuse(*_: object, **_named: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patched:
        patched.setattr("subprocess.Popen", refuse)
        with pytest.raises(OSError, match="Cannot allocate memory"):
            pool.start(0.0)
    assert (pool.queued, pool.running) == ((order,), ())

    pool.start(1.0)

    assert (pool.queued, pool.running) == ((), (order,))
    while not (ended := pool.poll()):
        time.sleep(0.01)
    assert [each.order for each in ended] == [order]
