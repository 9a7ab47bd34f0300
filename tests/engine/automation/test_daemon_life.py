"""A daemon lives through broken projects, sleep and signals, and nothing that is due is lost or doubled by them."""

from __future__ import annotations

import datetime as dt
import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from deltaworks.cli.commands.daemon import run_until_stopped
from deltaworks.engine.automation.daemon import OnStop
from deltaworks.engine.automation.maintenance import MAINTENANCE, watched_maintenance
from deltaworks.engine.automation.schedule_watch import WatchedSchedule
from deltaworks.engine.definitions.automation.schedule import CatchUp
from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.io.heartbeats import read_heartbeats
from deltaworks.io.ledger import read_runs
from deltaworks.io.marks import read_mark
from deltaworks.io.process import Process
from deltaworks.io.run_entry import RunStatus
from deltaworks.io.ticks import TickClaim, TickKind, claim_tick, instant_id, open_ticks
from tests.engine.automation.house import DUE, SCHEDULE, House

SLEEPS = """
@dw.asset
def slow() -> pl.LazyFrame:
    time.sleep(600)
    return pl.LazyFrame({"n": [1]})

slow_job = dw.define_asset_job("slow_job", "slow")
nap = dw.define_schedule("nap", job=slow_job, cron="0 6 * * *", catchup="last")
"""


def test_what_was_asked_for_before_the_project_broke_is_run_when_it_is_mended(house: Callable[[str], House]) -> None:
    home = house(SCHEDULE)
    home.begin("morning")
    daemon = home.daemon()
    home.work_until(daemon, lambda: (tick := home.tick("morning")) is not None and tick.requests)

    home.write("raise RuntimeError('half of it is written')")
    home.work_until(daemon, lambda: (tick := home.tick("morning")) and tick.requests[0].held_up_by)
    tick = home.tick("morning")
    home.write(SCHEDULE)
    home.passed_s += 5.0
    home.work_until(daemon, lambda: not open_ticks(home.store))

    assert tick is not None
    assert "half of it is written" in (tick.requests[0].held_up_by or "")
    assert [(run.status, run.tick) for run in read_runs(home.store)] == [("success", f"morning/{instant_id(DUE)}")]
    ended = home.tick("morning")
    assert ended is not None
    assert (ended.outcome, ended.requests[0].held_up_by) == ("started", None)


def test_maintenance_that_a_dead_daemon_had_claimed_is_done_by_the_next_one(house: Callable[[str], House]) -> None:
    home = house("")
    home.begin(MAINTENANCE)
    dead = TickClaim(MAINTENANCE, instant_id(DUE), TickKind.SCHEDULE, 1, "dead", Process("here", 1))
    claim_tick(home.store, dead)
    daemon = home.daemon(maintenance=watched_maintenance("0 6 * * *"))
    home.work_until(daemon, lambda: any("watching" in told for told in home.told))
    daemon.step()

    home.passed_s += 30.0
    home.work_until(daemon, lambda: not open_ticks(home.store))

    tick = home.tick(MAINTENANCE)
    assert tick is not None
    assert (tick.outcome, tick.requests[0].job) == ("started", MAINTENANCE)
    assert read_runs(home.store) == []


def test_a_machine_that_slept_for_a_week_has_missed_what_was_due(
    house: Callable[[str], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = house("")
    schedule = WatchedSchedule("often", (Cron("*/5 * * * *"),), "UTC", CatchUp.NONE, 100, True, 1.0)

    def refuse(*_: object, **_named: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("subprocess.Popen", refuse)
    daemon = home.daemon()
    home.location.watched, home.location.loads = (schedule,), 1
    daemon.step()
    daemon.step()
    week = dt.timedelta(days=7)

    home.now, home.passed_s = home.now + week, week.total_seconds()
    daemon.step()

    mark = read_mark(home.store, "often", TickKind.SCHEDULE)
    assert mark is not None
    assert mark.tick_id == instant_id(DUE + week)
    (beat,) = read_heartbeats(home.store)
    assert [end - start for start, end in beat.up("often")] == [dt.timedelta(), dt.timedelta()]


def test_the_project_is_loaded_anew_when_its_files_change_and_asked_when_there_is_room(
    house: Callable[[str], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = house("")
    home.begin("morning")
    daemon = home.daemon(is_dev=True)
    home.work_until(daemon, lambda: "watching 0 schedules and sensors" in home.told)

    home.write(SCHEDULE)
    home.passed_s += 1.0
    with monkeypatch.context() as patched:
        patched.setattr("deltaworks.engine.automation.daemon.MOST_QUEUED", 0)
        home.work_until(daemon, lambda: "watching 1 schedules and sensors" in home.told)
        daemon.step()
        assert open_ticks(home.store) == []
    daemon.step()

    assert "loading the project anew: tables.py" in home.told
    assert [each.name for each in open_ticks(home.store)] == ["morning"]


def test_a_signal_loads_the_project_anew_and_another_one_cancels_runs(house: Callable[[str], House]) -> None:
    home = house("import time")
    home.begin("nap")
    daemon = home.daemon()

    def send() -> None:
        try:
            wait_until(lambda: home.told)
            home.write("import time" + SLEEPS)
            os.kill(os.getpid(), signal.SIGHUP)
            wait_until(lambda: [run for run in read_runs(home.store) if run.status is RunStatus.RUNNING])
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=send)
    sender.start()
    run_until_stopped(daemon, OnStop.CANCEL)
    sender.join()

    assert "loading the project anew: somebody asked for it" in home.told
    assert [run.status for run in read_runs(home.store)] == ["canceled"]
    assert read_heartbeats(home.store)[0].stopped_at is not None


def wait_until(holds: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 60
    while not holds() and time.monotonic() < deadline_s:
        time.sleep(0.02)
