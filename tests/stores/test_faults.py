"""A request to the store fails, whichever and however: nothing is doubled or lost, and the run ends or says why.

What is in the lake is read past the proxy, by nothing of the product.
"""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from deltaworks.engine.workspace.project import Origin
from deltaworks.io.ledger import read_runs
from deltaworks.io.marks import Mark, advance_mark
from deltaworks.io.store import Store
from deltaworks.io.stores.storage import Patience, Storage, Storages
from deltaworks.io.ticks import instant_id, open_ticks, read_tick, read_ticks
from tests.acceptance.conftest import Result
from tests.engine.automation.house import House
from tests.stores.conftest import reach
from tests.stores.home import Home, Housed
from tests.stores.proxy import Fault, Proxy, proxied
from tests.stores.servers import Server
from tests.stores.test_automation import YESTERDAY

TABLES = """
two = dw.DailyPartitions(start="2024-01-01", end="2024-01-03")

@dw.asset(partitions=two, partition_by="day")
def base(partition: dw.Partition) -> LazyFrame[Row]:
    return rows(partition, partition.start.day)

@dw.asset
def total(base: LazyFrame[Row]) -> pl.LazyFrame:
    return base.select(pl.col("n").sum())
"""
MINUTE = dt.timedelta(minutes=1)
PATIENCE_S = 120.0
ENOUGH = 40
"""Requests that a run makes at least."""
KEYS = ["2024-01-01", "2024-01-02"]
PATIENCE = Patience(timeout_s=1, max_retries=3, retry_timeout_s=10)
"""So that what is not answered is asked again soon."""
HURRIED = Storage("hurried", (), PATIENCE)
IMPATIENT = f"""lake_storage = "{HURRIED.name}"
[storage.{HURRIED.name}]
timeout_s = {PATIENCE.timeout_s}
max_retries = {PATIENCE.max_retries}
retry_timeout_s = {PATIENCE.retry_timeout_s}
"""


@dataclass(frozen=True)
class Faulty:
    """A store behind a proxy, and projects with a lake of their own in it."""

    proxy: Proxy
    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def project(self) -> Housed:
        """A new project that reaches its lake through the proxy."""
        folder = self.folder / uuid.uuid4().hex[:8]
        folder.mkdir()
        reach(self.proxy.server, self.monkeypatch)
        housed = Housed(folder, home=Home(f"{self.proxy.server.root}/{folder.name}"))
        return housed.given(TABLES, IMPATIENT)

    def requests(self, act: Callable[[], object]) -> int:
        """How many requests somebody makes."""
        self.proxy.counted()
        act()
        return sum(self.proxy.counted().values())


@pytest.fixture
def faulty(s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    with proxied(s3) as proxy:
        yield Faulty(proxy, tmp_path, monkeypatch)


@contextmanager
def past(proxy: Proxy) -> Iterator[None]:
    """Reach the store past its proxy."""
    with pytest.MonkeyPatch.context() as patch:
        reach(proxy.upstream, patch)
        yield


def look(faulty: Faulty, housed: Housed, *, is_whole: bool) -> None:
    """See what is in the lake of a project, past the proxy."""
    with past(faulty.proxy):
        found = [path for path in housed.home.objects("lake") if path.endswith(f"_delta_log/{0:020d}.json")]
        tables = {path.split("/")[1] for path in found}
        made = {asset: [key for key, _ in housed.home.made(f"lake/{asset}")] for asset in tables}
        rows = {asset: housed.rows(asset) for asset in tables}
    for asset, keys in made.items():
        assert len(keys) == len(set(keys)), f"{asset}: {keys} were made twice"
    expected = [(dt.date(2024, 1, number), number) for number in (1, 2)]
    assert rows.get("base", []) == [row for row in expected if row[0].isoformat() in made.get("base", [])]
    assert rows.get("total", []) in ([], [(3,)])
    if is_whole:
        assert (sorted(made["base"]), made["total"]) == (KEYS, [""])


def ended_or_said_why(done: Result) -> bool:
    """Whether a run succeeded; if not, it must have said in sentences what it was that failed."""
    assert "Traceback" not in done.err + done.out, done.err
    if done.code == 0:
        return True
    assert done.code == 1, (done.code, done.out, done.err)
    told = done.sentence if done.err.startswith("error: ") or "\nerror: " in done.err else str(done.json["failures"])
    assert "s3://" in told, told
    return False


def run_and_run_again(faulty: Faulty, fail: Callable[[], None]) -> None:
    """Let something fail while a backfill runs; the next one makes what is left."""
    housed = faulty.project()
    fail()
    done = housed.run("backfill", "--json")
    faulty.proxy.heal()

    is_done = ended_or_said_why(done)
    look(faulty, housed, is_whole=is_done)
    again = housed.did("backfill")
    assert again["status"] == "success"
    if is_done:
        assert again["totals"]["materialized"] == 0
    look(faulty, housed, is_whole=True)


LOG = f"base/_delta_log/{1:020d}.json"


@pytest.mark.parametrize("fault", [Fault.ERROR_503, Fault.LOST_REPLY, Fault.LATE_500])
def test_a_commit_that_meets_a_fault_is_there_once(fault: Fault, faulty: Faulty) -> None:
    run_and_run_again(faulty, lambda: faulty.proxy.fail(fault, about=f"/{LOG}"))

    assert [fault for _, fault in faulty.proxy.failed] == [fault]


@pytest.mark.soak
@pytest.mark.parametrize("fault", Fault)
def test_whichever_request_of_a_run_meets_a_fault_nothing_is_doubled_or_lost(fault: Fault, faulty: Faulty) -> None:
    for number in count(1):
        before = len(faulty.proxy.failed)
        run_and_run_again(faulty, lambda number=number: faulty.proxy.fail(fault, first=number))
        if len(faulty.proxy.failed) == before:
            break  # a run makes fewer requests than that

    assert number > ENOUGH, "what was it that failed?"


@pytest.mark.soak
@pytest.mark.parametrize("fault", [Fault.ERROR_503, Fault.RESET, Fault.LOST_REPLY])
def test_from_whichever_request_on_the_store_is_down_a_run_says_so(fault: Fault, faulty: Faulty) -> None:
    requests = faulty.requests(lambda: faulty.project().did("backfill"))

    for number in range(1, requests + 1, 3):
        run_and_run_again(faulty, lambda number=number: faulty.proxy.fail(fault, first=number, times=10**9))


MINUTELY = """
minutes = dw.CronPartitions("* * * * *", start="2026-01-01")

@dw.asset(partitions=minutes, partition_by="minute")
def minutely(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"minute": [partition.start], "n": [1]})

each_minute = dw.define_asset_job("each_minute", "minutely", partitions=minutes)
clock = dw.define_schedule("clock", job=each_minute, cron="* * * * *", catchup="all")
"""


class Ticking:
    """A daemon behind the proxy, and a clock that jumps from tick to tick and else goes as clocks do."""

    def __init__(self, faulty: Faulty) -> None:
        self.faulty, self.housed, self.jumped = faulty, faulty.project(), dt.timedelta()
        store = Store.at(self.housed.lake_uri, durable=False, profile=HURRIED.name, profiles=Storages((HURRIED,)))
        self.home = House(self.housed.folder, MINUTELY, store, YESTERDAY, Origin(folder=self.housed.folder))
        advance_mark(self.home.store, "clock", Mark(instant_id(YESTERDAY)))
        self.begun_s, self.daemon = time.monotonic(), self.home.daemon(warm=1)

    def now(self) -> dt.datetime:
        return YESTERDAY + dt.timedelta(seconds=time.monotonic() - self.begun_s) + self.jumped

    def pass_a_tick(self) -> None:
        """Let the next tick be due, and the daemon work until everything that was due is over."""
        due = self.now().replace(second=0, microsecond=0) + MINUTE
        self.jumped += due - self.now()
        deadline_s = time.monotonic() + PATIENCE_S
        while not self.is_over(due):
            assert time.monotonic() < deadline_s, self.home.told
            self.home.now = self.now()
            self.daemon.step()
            time.sleep(0.1)

    def is_over(self, due: dt.datetime) -> bool:
        """Whether the tick has led to a run, which is over; seen past the proxy."""
        with past(self.faulty.proxy):
            return read_tick(self.home.store, "clock", instant_id(due)) is not None and not open_ticks(self.home.store)

    def assert_one_run_each(self) -> None:
        with past(self.faulty.proxy):
            ticks = {tick.tick_id: tick for tick in read_ticks(self.home.store, "clock")}
            runs = {run.run_id: run for run in read_runs(self.home.store)}
            made = self.housed.home.made("lake/minutely")
        assert sorted(ticks) == [instant_id(YESTERDAY + number * MINUTE) for number in range(1, len(ticks) + 1)]
        assert {tick.outcome for tick in ticks.values()} == {"started"}
        assert sorted(runs) == sorted(tick.requests[0].run_id for tick in ticks.values())
        assert {run.status for run in runs.values()} == {"success"}
        assert sorted(run_id for _, run_id in made) == sorted(runs)
        assert len({key for key, _ in made}) == len(ticks)


@pytest.mark.soak
@pytest.mark.parametrize("fault", Fault)
def test_whichever_request_of_a_tick_meets_a_fault_it_leads_to_one_run(fault: Fault, faulty: Faulty) -> None:
    ticking = Ticking(faulty)
    try:
        ticking.pass_a_tick()
        requests = faulty.requests(ticking.pass_a_tick)
        for number in range(1, requests + 1):
            faulty.proxy.fail(fault, first=number)
            ticking.pass_a_tick()
    finally:
        ticking.home.close()

    ticking.assert_one_run_each()
    assert len(faulty.proxy.failed) > ENOUGH
