"""A cluster over TCP whose workers, and whose scheduler, are killed while it works."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import deltaworks as dw
from tests.acceptance.conftest import Here
from tests.acceptance.dask_cluster import DaskCluster, dask_cluster, wait_until
from tests.acceptance.running import HEAD, PATIENCE_S, reached, release, started

MODULE = """
import os
import time
from pathlib import Path
import polars as pl
import deltaworks as dw

HERE = Path(__file__).parent
days = dw.DailyPartitions(start="2023-01-01", end="{end}")
retry = dw.RetryPolicy(max_retries={retries}, delay_s=0.1)

@dw.asset(partitions=days, partition_by="day", retry=retry)
def raw(partition: dw.Partition, log: dw.Logger) -> pl.LazyFrame:
    (HERE / "calls" / str(time.time_ns())).touch()
    time.sleep({sleep_s})
    print("print of", partition.key)
    log.info("log of %s", partition.key)
    return pl.LazyFrame({{"day": [partition.start] * 3, "n": [partition.start.toordinal() % 7, 1, 2]}})

@dw.asset(partitions=days, partition_by="day", retry=retry)
def total(raw: pl.LazyFrame) -> pl.LazyFrame:
    time.sleep({sleep_s})
    return raw.group_by("day").agg(pl.col("n").sum())
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask")) as found:
        yield found


def written(here: Here, address: str, end: str, sleep_s: float, retries: int) -> None:
    (here.folder / "calls").mkdir()
    here.write("tables.py", MODULE.format(end=end, sleep_s=sleep_s, retries=retries))
    settle(here, address)


def settle(here: Here, address: str) -> None:
    here.write("deltaworks.toml", f'modules = ["tables"]\n[executor]\nkind = "dask"\nscheduler = "{address}"\n')


def times_committed(here: Here, asset: str) -> Counter[str]:
    """How many commits hold each partition."""
    found: Counter[str] = Counter()
    for commit in here.run("history", asset, "-n", "100000", "--json").json:
        for first, last in commit["partitions"]["ranges"]:
            days = pl.date_range(pl.lit(first).str.to_date(), pl.lit(last).str.to_date(), eager=True)
            found.update(str(day) for day in days)
    return found


@contextmanager
def meanwhile(do: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do something in a thread, which is told when the context is over."""
    over, faults = threading.Event(), list[BaseException]()

    def guarded() -> None:
        try:
            do(over)
        except BaseException as error:  # noqa: BLE001
            faults.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not faults, faults


def verify_as_local(here: Here, days: int) -> None:
    """Each partition was committed once, and is what threads make of it."""
    local = Here(here.folder.parent / "local")
    local.folder.mkdir()
    (local.folder / "calls").mkdir()
    local.write("tables.py", (here.folder / "tables.py").read_text().replace("time.sleep", "float"))
    assert local.run("backfill").code == 0
    for asset in ("raw", "total"):
        counts = times_committed(here, asset)
        assert (len(counts), set(counts.values())) == (days, {1})
        made, expected = (dw.read(asset, lake=each.lake).collect() for each in (here, local))
        assert_frame_equal(made, expected, check_row_order=False)


def test_workers_and_then_the_scheduler_die_and_nothing_is_lost_or_doubled(here: Here, cluster: DaskCluster) -> None:
    days = 60
    written(here, cluster.heal().address, "2023-03-02", 0.1, retries=0)
    first: Path = here.lake / "raw" / "_delta_log" / f"{0:020}.json"

    def kill(over: threading.Event) -> None:
        for number in range(3):
            calls = 4 + 4 * number
            wait_until(lambda: over.is_set() or len(list((here.folder / "calls").iterdir())) >= calls, "calls")  # noqa: B023
            cluster.kill_worker(number % 2)
        wait_until(lambda: over.is_set() or first.exists(), "a first commit")
        cluster.kill_scheduler()

    with meanwhile(kill):
        ended = here.run("backfill", "--json")

    assert ended.code == 1
    assert ended.sentence == (
        f"The Dask scheduler at {cluster.address} is gone. What is committed stays; start it again, and `deltaworks "
        "runs retry` makes what is left."
    )
    told = here.run("runs", "show", "--json").json
    assert (told["status"], told["reason"]) == ("failure", ended.sentence)
    assert told["dashboard"].startswith("http://127.0.0.1:")
    before = times_committed(here, "raw")
    assert 0 < len(before) < days

    settle(here, cluster.heal().address)
    rest = here.run("runs", "retry", "latest", "--json")

    assert rest.code == 0, rest.out
    verify_as_local(here, days)
    log = here.run("runs", "logs", "--json").out
    assert "print of 2023-03-01" in log
    assert "log of 2023-03-01" in log


OTHERWISE = """
import os
import polars as pl
import deltaworks as dw

LIMIT = int(os.environ.get("LIMIT_OF_THE_TEST", "1"))

@dw.asset
def numbers() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [LIMIT]})
"""


def test_a_cluster_with_other_code_is_refused_before_anything_is_made(
    here: Here, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.write("tables.py", OTHERWISE)
    settle(here, cluster.heal().address)
    monkeypatch.setenv("LIMIT_OF_THE_TEST", "5")  # here alone: the workers have been there before

    ended = here.run("backfill", "--json")

    assert ended.code == 2, ended.out
    assert re.match(
        r"Dask worker tcp://\S+: its worker process cannot load the project: the code of numbers is 1:\w+ there "
        r"\(\S+tables.py:8\), expected 1:\w+ as where the run is coordinated; bring the same project to both\.$",
        ended.sentence,
    ), ended.sentence
    assert here.run("status", "--json").json["assets"][0]["partitions"]["missing"] == 1


def test_a_run_on_a_cluster_is_canceled_within_seconds(here: Here, cluster: DaskCluster) -> None:
    held = (
        HEAD
        + """
@dw.asset(partitions=days, partition_by="day")
def orders(partition: dw.Partition) -> LazyFrame[Row]:
    if partition.key != "2024-01-01":
        hold("second")
    return rows(partition)
"""
    )
    here.write("tables.py", held)
    settle(here, cluster.heal().address)
    with started(here, "backfill", "--json") as process:
        reached(here, "second")
        asked_s = time.monotonic()
        assert here.run("runs", "cancel", "latest").code == 0
        told, _ = process.communicate(timeout=PATIENCE_S)

    print(f"canceled after {time.monotonic() - asked_s:.1f} s")
    assert process.returncode != 0
    assert here.run("runs", "show", "--json").json["status"] == "canceled", told
    release(here, "second")
    assert here.run("backfill").code == 0
    assert sum(times_committed(here, "orders").values()) == 10, "the crews of the canceled run commit nothing"


@pytest.mark.soak
def test_a_year_with_a_hundred_killed_workers(here: Here, cluster: DaskCluster) -> None:
    days, kills = 365, 100
    written(here, cluster.heal().address, "2024-01-01", 0.8, retries=50)
    rng, killed = random.Random(13), 0

    def kill(over: threading.Event) -> None:
        nonlocal killed
        while killed < kills and not over.wait(rng.uniform(1.0, 4.0)):
            cluster.kill_worker(rng.randrange(2))
            killed += 1

    with meanwhile(kill):
        made = here.run("backfill", "--json")

    print(f"{killed} workers were killed")
    assert made.code == 0, made.out
    assert killed == kills, "the year was over before: let its calls take longer"
    verify_as_local(here, days)
