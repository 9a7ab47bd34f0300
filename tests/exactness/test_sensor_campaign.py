"""Every commit of others is reflected downstream, and nothing is built twice from the same inputs.

Outside writers commit at random moments while a daemon runs: several within one tick, and just when the downstream has
been finished. At the end the downstream holds what the upstream holds, and each of its partitions was built anew only
because a commit had changed it since. How long a commit waited for its run is printed.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake
from deltalake.exceptions import CommitFailedError

from deltaworks.io.ledger import read_runs
from deltaworks.io.log import Commit, tail
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.store import Store
from tests.campaign.recorder import recorded

TABLES = """
import polars as pl
import deltaworks as dw

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-11")
orders = dw.external_asset("orders", uri="theirs/orders", partitions=days, partition_by="day")

@dw.asset(partitions=days, partition_by="day")
def daily(orders: pl.LazyFrame) -> pl.LazyFrame:
    return orders.group_by("day").agg(pl.col("n").sum(), pl.len().cast(pl.Int64).alias("rows"))

make = dw.define_asset_job("make", "daily", skip_fresh=True)

@dw.asset_sensor(asset=orders, job=make)
def follow(commits: dw.Commits) -> dw.RunRequest:
    return dw.RunRequest(run_key=f"orders-{commits.version}")
"""
SETTINGS = """
lake = "./lake"
modules = ["tables"]
[daemon]
max_runs = 2
warm = 1
"""


@dataclass
class Campaign:
    folder: Path
    committed_at: dict[int, dt.datetime] = field(default_factory=dict[int, dt.datetime])
    """By version of the upstream."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def orders(self) -> Path:
        return self.folder / "theirs" / "orders"

    @property
    def store(self) -> Store:
        return Store(self.folder / "lake", durable=False)

    def write(self, chance: random.Random) -> None:
        """Append a row to one to three days; of two writers at once one may have to try again."""
        days = chance.sample(range(1, 11), chance.randint(1, 3))
        rows = pl.DataFrame({"day": [dt.date(2024, 1, day) for day in days], "n": days})
        while True:
            try:
                write_deltalake(str(self.orders), rows, mode="append", partition_by=["day"])
            except CommitFailedError:
                continue
            break

    def write_many(self, count: int, seed: int) -> None:
        """Write at random moments: at once, within a tick, a while later, or when the downstream has just changed."""
        chance = random.Random(seed)
        for _ in range(count):
            pause = chance.choice(("none", "none", "short", "long", "downstream"))
            if pause == "downstream":
                before, deadline = self.made(), time.monotonic() + 2
                while self.made() == before and time.monotonic() < deadline:
                    time.sleep(0.002)
            elif pause != "none":
                time.sleep(chance.uniform(0.0, 0.1 if pause == "short" else 0.8))
            self.write(chance)

    def made(self) -> int:
        return len(list((self.folder / "lake" / "daily" / "_delta_log").glob("*.json")))

    def upstream(self) -> list[Commit]:
        return list(tail(Store(self.orders.parent, durable=False), "orders", -1))

    def downstream(self) -> list[Commit]:
        return list(tail(self.store, "daily", -1))

    def is_reflected(self) -> bool:
        """Whether everything that was committed upstream is downstream, and nobody is at anything."""
        if any(not run.status.is_over for run in read_runs(self.store)) or not self.made():
            return False
        return self.found(self.orders, ordered=False).equals(self.found(self.folder / "lake" / "daily", ordered=True))

    def found(self, table: Path, *, ordered: bool) -> pl.DataFrame:
        df = pl.read_delta(str(table))
        if not ordered:
            df = df.group_by("day").agg(pl.col("n").sum(), pl.len().cast(pl.Int64).alias("rows"))
        return df.select("day", "n", "rows").sort("day")

    def waits_s(self) -> list[float]:
        """How long each commit waited for a run that read it to start."""
        runs = {run.run_id: run for run in read_runs(self.store)}
        readers = [
            (pin.version, dt.datetime.fromisoformat(runs[commit.record.run_id].started_at))
            for commit in self.downstream()
            if commit.record is not None and commit.record.run_id in runs
            for group in commit.record.groups
            for pin in group.inputs.values()
        ]
        waits: list[float] = []
        for commit in self.upstream()[1:]:
            starts = [start for version, start in readers if version >= commit.version]
            at = dt.datetime.fromtimestamp(commit.timestamp_ms / 1000, dt.UTC)
            waits.append(max(0.0, (min(starts) - at).total_seconds()))
        return sorted(waits)


@contextmanager
def daemon(folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "deltaworks", "daemon"]
    with (folder / "daemon.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=dict(os.environ), stdout=log, stderr=log)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def wait_until(holds: object, folder: Path, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline, (folder / "daemon.log").read_text()
        time.sleep(0.1)


def run_campaign(folder: Path, commits: int, writers: int, seed: int) -> Campaign:
    (folder / "tables.py").write_text(TABLES)
    (folder / "deltaworks.toml").write_text(SETTINGS)
    campaign = Campaign(folder)
    campaign.write(random.Random(seed))
    with daemon(folder):
        wait_until(lambda: list((folder / "lake").glob("_deltaworks/state/ticks/follow/*.json")), folder)
        share = commits // writers
        threads = [
            threading.Thread(target=campaign.write_many, args=(share, seed + number)) for number in range(writers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_until(campaign.is_reflected, folder)
    return campaign


def judge(campaign: Campaign, commits: int) -> None:
    runs: list[RunEntry] = read_runs(campaign.store)
    changed_at: dict[str, list[int]] = {}
    for commit in campaign.upstream():
        for key in commit.changed_keys:
            changed_at.setdefault(str(key), []).append(commit.version)

    read_at: dict[str, int] = {}
    twice: list[tuple[str, int, int]] = []
    for commit in campaign.downstream():
        for group in commit.record.groups if commit.record is not None else ():
            (pin,) = group.inputs.values()
            for key in group.keys or ():
                before = read_at.get(key, -1)
                if not any(before < version <= pin.version for version in changed_at[key]):
                    twice.append((key, before, pin.version))
                read_at[key] = pin.version

    assert len(campaign.upstream()) == commits + 1
    assert twice == []
    assert {run.status for run in runs} == {RunStatus.SUCCESS}
    assert len({run.run_id for run in runs}) == len(runs)


def test_ten_commits_are_reflected_and_nothing_is_built_twice(tmp_path: Path) -> None:
    campaign = run_campaign(tmp_path, commits=10, writers=1, seed=7)

    judge(campaign, commits=10)


@pytest.mark.soak
def test_a_thousand_commits_are_reflected_and_nothing_is_built_twice(tmp_path: Path) -> None:
    with recorded("commits by others while a daemon runs") as row:
        campaign = run_campaign(tmp_path, commits=1_000, writers=2, seed=row.seed)
        row.tried = 1_000
        judge(campaign, commits=1_000)
        row.survived, waits = 1_000, campaign.waits_s()
        p95 = waits[int(len(waits) * 0.95)]
        row.note = f"from commit to the start of its run: median {statistics.median(waits):.2f} s, p95 {p95:.2f} s"
