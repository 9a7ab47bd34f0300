"""Daemons share a lake and nothing else: what one has claimed no other does, and what it leaves another takes over."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from deltaworks.engine.automation.daemon import Daemon, OnStop
from deltaworks.io.heartbeats import read_heartbeats
from deltaworks.io.ledger import read_runs
from deltaworks.io.store import Store
from deltaworks.io.switches import set_switch
from deltaworks.io.ticks import TickClaim, TickKind, claim_tick, instant_id, open_ticks, read_ticks
from tests.acceptance.running import PATIENCE_S, runs, started, wait_until
from tests.engine.automation.house import SCHEDULE, House
from tests.stores.home import CHAIN, Housed, day

YESTERDAY = dt.datetime.now(dt.UTC).replace(hour=6, minute=0, second=0, microsecond=0) - dt.timedelta(days=1)
"""When the schedule of these daemons is due; a run of it is looked up day by day since."""


@pytest.fixture
def house(housed: Housed) -> Iterator[Callable[[str], House]]:
    """Daemons in this process, whose clock stands just after a tick."""
    made: list[House] = []

    def build(code: str) -> House:
        made.append(House(housed.folder, code, Store.at(housed.lake_uri, durable=False), YESTERDAY))
        return made[-1]

    yield build
    for each in made:
        each.close()


def work_until(home: House, is_done: Callable[[], object], daemons: int = 1) -> list[Daemon]:
    """Let new daemons work by turns until something is done; between the turns a store is left in peace."""
    started, deadline_s = [home.daemon() for _ in range(daemons)], time.monotonic() + PATIENCE_S
    while not is_done():
        assert time.monotonic() < deadline_s, home.told
        for each in started:
            each.step()
        time.sleep(0.25)
    return started


def test_a_schedules_tick_becomes_one_run_though_two_daemons_wait_for_it(house: Callable[[str], House]) -> None:
    home = house(SCHEDULE)
    home.begin("morning")

    work_until(home, lambda: home.tick("morning") is not None and not open_ticks(home.store), daemons=2)

    (tick,), (run,) = read_ticks(home.store, "morning"), read_runs(home.store)
    assert (tick.outcome, tick.tick_id) == ("started", instant_id(YESTERDAY))
    assert (run.run_id, run.status, run.job) == (tick.requests[0].run_id, "success", "daily")
    assert len(read_heartbeats(home.store)) == 2


def test_a_dead_daemons_tick_is_taken_over(house: Callable[[str], House]) -> None:
    home = house(SCHEDULE)
    home.begin("morning")
    (dead,) = work_until(home, lambda: open_ticks(home.store))
    dead.close()

    (heir,) = work_until(home, lambda: home.tick("morning") is not None and not open_ticks(home.store))

    (run,) = read_runs(home.store)
    assert run.status == "success"
    heir.stop(OnStop.WAIT)
    heir.run()
    assert all(beat.stopped_at is not None for beat in read_heartbeats(home.store))


def test_a_schedule_that_was_stopped_does_not_tick(house: Callable[[str], House]) -> None:
    home = house(SCHEDULE + SCHEDULE.replace("morning", "other"))
    home.begin("morning", "other")
    set_switch(home.store, "other", is_on=False, by="ann", at=YESTERDAY)

    work_until(home, lambda: home.tick("morning") is not None and not open_ticks(home.store))

    assert home.tick("other") is None


@pytest.mark.telling
def test_of_many_daemons_exactly_one_has_each_tick(house: Callable[[str], House]) -> None:
    store, racers, ticks = house("").store, 6, 5
    gate, won = threading.Barrier(racers), [[False] * ticks for _ in range(racers)]

    def race(number: int) -> None:
        for tick in range(ticks):
            tick_id = instant_id(YESTERDAY + dt.timedelta(days=tick))
            claim = TickClaim("morning", tick_id, TickKind.SCHEDULE, 1, f"d{number}", None)
            gate.wait(PATIENCE_S)
            won[number][tick] = claim_tick(store, claim)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(racers)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE_S)

    assert [sum(each[tick] for each in won) for tick in range(ticks)] == [1] * ticks


FOLLOWING = (
    CHAIN
    + """
orders = dw.external_asset("orders", uri="{orders}", partitions=days, partition_by="day")

@dw.asset(partitions=days, partition_by="day")
def daily(orders: pl.LazyFrame) -> pl.LazyFrame:
    return orders.group_by("day").agg(pl.col("n").sum())

make = dw.define_asset_job("make", "daily", partitions=days)

@dw.asset_sensor(asset=orders, job=make)
def on_orders(commits: dw.Commits):
    for key in commits.partitions():
        yield dw.RunRequest(partition=key, run_key=f"orders-{commits.version}-{key}")

@dw.run_status_sensor(status="success", jobs=[make], interval_s=0.3)
def cheers(run: dw.Run) -> dw.SkipReason:
    return dw.SkipReason(f"{run.job} {run.partition} {run.status}")
"""
)
WATCHED = "[daemon]\nwarm = 0\n"


def following(housed: Housed) -> Housed:
    """A project with a sensor on a table that somebody else writes, which has a row."""
    housed.home.append("theirs/orders", day(1, 1), partition_by=["day"])
    return housed.given(FOLLOWING.replace("{orders}", housed.home.uri("theirs/orders")), WATCHED)


def test_a_commit_of_others_becomes_a_run_by_a_daemon(housed: Housed) -> None:
    following(housed)

    with started(housed, "daemon") as daemon:
        wait_until(lambda: housed.did("sensor", "ticks", "on_orders")["ticks"], "the sensor's first look")
        housed.home.append("theirs/orders", day(2, 7))
        wait_until(lambda: [run["status"] for run in runs(housed)] == ["success"], "the run")
        wait_until(lambda: "make 2024-01-02 success" in housed.said("sensor", "ticks", "cheers"), "the status sensor")
        daemon.terminate()
        assert daemon.wait(PATIENCE_S) == 0

    assert [row[1] for row in housed.rows("daily")] == [7]
    assert housed.did("sensor", "cursor", "on_orders")["cursor"]


def test_a_sensor_can_be_stopped_started_and_set_back(housed: Housed) -> None:
    following(housed)

    stopped = housed.said("sensor", "stop", "on_orders")
    listed = housed.did("sensor", "list")["sensors"]
    housed.said("sensor", "start", "on_orders")
    previewed = housed.said("sensor", "preview", "on_orders")

    assert "stopped" in stopped
    assert {each["sensor"]: each["is_on"] for each in listed} == {"on_orders": False, "cheers": True}
    assert "asks for nothing" in previewed


EAGER = CHAIN.replace("@dw.asset(partitions", "@dw.asset(automation=dw.AutomationCondition.eager(), partitions")


def test_what_is_missing_and_what_changes_is_made_by_its_condition(housed: Housed) -> None:
    housed.given(EAGER.replace("@dw.asset\n", "@dw.asset(automation=dw.AutomationCondition.eager())\n"))

    first = housed.did("automation", "tick")
    housed.home.append("lake/base", day(2, 20))
    second = housed.did("automation", "tick")

    assert first["totals"]["materialized"] > 0
    assert housed.counts("total") == {"fresh": 1}
    assert second["totals"]["materialized"] == 2
    assert housed.rows("total") == [(2 * (1 + 2 + 20 + 3 + 4 + 5),)]


SOURCE = """
@dw.observable_source(partitions=days)
def answers():
    return dict.fromkeys(["2024-01-01", "2024-01-02"], (HERE / "seen").read_text())

@dw.asset(partitions=days, partition_by="day")
def kept(answers: pl.LazyFrame) -> pl.LazyFrame:
    return answers.with_columns(day=pl.col("partition").str.to_date())
"""


def test_a_source_without_a_log_is_observed(housed: Housed) -> None:
    housed.given(SOURCE)
    housed.write("seen", "1")
    housed.did("backfill")
    version = housed.home.table("lake/answers").version()

    housed.did("materialize", "answers")
    assert housed.home.table("lake/answers").version() == version, "nothing changed"
    housed.write("seen", "2")
    housed.did("materialize", "answers")

    assert housed.counts("kept") == {"stale": 2, "missing": 3}
    assert housed.did("backfill")["totals"]["materialized"] == 2
    assert housed.did("history", "answers")[0]["kind"] == "observe"


def test_a_daemon_says_how_it_is(housed: Housed) -> None:
    following(housed)
    assert housed.run("daemon", "--status", "--json").json["daemons"] == []

    with started(housed, "daemon") as daemon:
        wait_until(lambda: any(each["watched"] for each in status(housed)), "its first heartbeat")
        (beat,) = status(housed)
        daemon.terminate()
        daemon.wait(PATIENCE_S)

    assert (beat["state"], beat["pid"], beat["watched"]) == ("running", daemon.pid, 2)
    assert [each["state"] for each in status(housed)] == ["stopped"]


def status(housed: Housed) -> list[dict[str, object]]:
    found: list[dict[str, object]] = housed.run("daemon", "--status", "--json").json["daemons"]
    return found
