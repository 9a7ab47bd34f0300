"""Two hosts share a lake in an object store and nothing else: no tick or run is lost or doubled, whatever happens."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from deltaworks.io.ledger import read_runs
from deltaworks.io.marks import Mark, advance_mark
from deltaworks.io.store import Store
from deltaworks.io.ticks import instant_id, open_ticks, read_ticks
from tests.stores.conftest import reach
from tests.stores.home import Home, Housed
from tests.stores.hosts import AHEAD_S, Host, ahead, in_groups, in_namespaces, may_make_namespaces
from tests.stores.servers import Server

pytestmark = pytest.mark.soak

MINUTELY = """
minutes = dw.CronPartitions("* * * * *", start="2026-01-01")

@dw.asset(partitions=minutes, partition_by="minute")
def numbers(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"minute": [partition.start], "n": [1]})

each_minute = dw.define_asset_job("each_minute", "numbers", partitions=minutes)

@dw.schedule(job=each_minute, cron="* * * * *", catchup="all")
def minutely(tick: dw.Tick) -> dw.RunRequest:
    return dw.RunRequest(partition=minutes.key_before(tick.scheduled_at))
"""
SETTINGS = """lake_storage = "hurried"
[daemon]
warm = 1
max_runs = 2
[storage.hurried]
timeout_s = 2
max_retries = 2
retry_timeout_s = 6
"""
TICKS = 12
"""How many are due when the daemons start; more come every minute."""
LONGER_THAN_A_LEASE_S = 30.0
PATIENCE_S = 600.0


class Shared:
    """A lake on which daemons of two hosts work, looked at by a way of one's own."""

    def __init__(self, housed: Housed) -> None:
        self.housed, self.store = housed, Store.at(housed.lake_uri, durable=False)
        self.begun = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) - dt.timedelta(minutes=TICKS)
        housed.given(MINUTELY, SETTINGS)
        advance_mark(self.store, "minutely", Mark(instant_id(self.begun)))

    def wait_for_runs(self, count: int) -> None:
        """Wait until so many runs have succeeded."""
        deadline_s = time.monotonic() + PATIENCE_S
        while sum(run.status == "success" for run in read_runs(self.store)) < count:
            assert time.monotonic() < deadline_s, self.told()
            time.sleep(0.5)

    def finish(self) -> None:
        """Stop the schedule, and wait until everything that it asked for is over."""
        self.housed.said("schedule", "stop", "minutely")
        deadline_s = time.monotonic() + PATIENCE_S
        while open_ticks(self.store) or any(not run.status.is_over for run in read_runs(self.store)):
            assert time.monotonic() < deadline_s, self.told()
            time.sleep(0.5)

    def told(self) -> str:
        """What the daemons have said."""
        return "\n".join(log.read_text()[-5000:] for log in sorted(self.housed.folder.glob("*.log")))

    def assert_each_once(self) -> None:
        ticks = {tick.tick_id: tick for tick in read_ticks(self.store, "minutely")}
        expected = [instant_id(self.begun + dt.timedelta(minutes=number)) for number in range(1, len(ticks) + 1)]
        runs = {run.run_id: run for run in read_runs(self.store)}
        made = self.housed.home.made("lake/numbers")

        assert sorted(ticks) == expected
        assert len(expected) >= TICKS
        assert {tick.outcome for tick in ticks.values()} == {"started"}, self.told()
        assert sorted(runs) == sorted(tick.requests[0].run_id for tick in ticks.values())
        assert {run.status for run in runs.values()} == {"success"}, self.told()
        assert Counter(made).most_common(1)[0][1] == 1, "no partition is made twice by a run"
        assert {run_id for _, run_id in made} == set(runs)
        assert len({key for key, _ in made}) == len(made) == len(self.housed.rows("numbers")) == len(ticks)


@pytest.fixture(params=["namespaces", "groups"])
def hosts(request: pytest.FixtureRequest, s3: Server) -> Iterator[tuple[Host, Host]]:
    if request.param == "namespaces" and not may_make_namespaces():
        pytest.skip("needs the right to make network namespaces")
    with (in_namespaces if request.param == "namespaces" else in_groups)(s3) as both:
        yield both


@pytest.fixture
def shared(s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shared:
    reach(s3, monkeypatch)
    return Shared(Housed(tmp_path, home=Home(f"{s3.root}/{tmp_path.name}")))


def test_a_host_that_is_cut_off_for_a_while_neither_loses_nor_doubles_anything(
    hosts: tuple[Host, Host], shared: Shared
) -> None:
    first, second = hosts
    with first.started(shared.housed.folder, "daemon") as one, second.started(shared.housed.folder, "daemon") as two:
        shared.wait_for_runs(3)
        first.cut()
        time.sleep(LONGER_THAN_A_LEASE_S)
        assert (one.poll(), two.poll()) == (None, None), shared.told()
        first.heal()
        shared.wait_for_runs(TICKS)
        second.cut()
        time.sleep(3.0)
        second.heal()
        shared.finish()
        for process in (one, two):
            process.terminate()
            assert process.wait(PATIENCE_S) == 0, shared.told()

    shared.assert_each_once()


def test_a_host_that_dies_while_it_is_cut_off_is_taken_over(hosts: tuple[Host, Host], shared: Shared) -> None:
    first, second = hosts
    with second.started(shared.housed.folder, "daemon"):
        with first.started(shared.housed.folder, "daemon"):
            shared.wait_for_runs(2)
            first.cut()
        shared.finish()

    shared.assert_each_once()


def test_hosts_whose_clocks_differ_by_minutes_share_the_ticks(hosts: tuple[Host, Host], shared: Shared) -> None:
    clock = ahead()
    if clock is None:
        pytest.skip("needs libfaketime: apt-get install faketime")
    first, second = hosts
    first.clock = clock
    with first.started(shared.housed.folder, "daemon"), second.started(shared.housed.folder, "daemon"):
        shared.wait_for_runs(TICKS + AHEAD_S // 60)
        shared.finish()

    shared.assert_each_once()
