"""Sensors in a daemon: what one of them does wrong is its own affair, and what it asks for happens."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deltaworks.io.partition_keys import read_keys
from deltaworks.io.store import Store
from deltaworks.io.ticks import TickEntry, TickOutcome, read_ticks
from tests.acceptance.conftest import Project

SENSORS = """
import time
import polars as pl
import deltaworks as dw

customers = dw.DynamicPartitions("customers")

@dw.asset(partitions=customers, partition_by="customer")
def invoices(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"customer": [partition.key], "sum": [len(partition.key)]})

bill = dw.define_asset_job("bill", invoices, partitions=customers)

@dw.sensor(job=bill, interval_s=0.3, timeout_s=1)
def hangs() -> None:
    time.sleep(3600)

@dw.sensor(job=bill, interval_s=0.3)
def raises() -> None:
    raise ValueError("the shop is closed")

@dw.sensor(job=bill, interval_s=0.3)
def garbage() -> dict[str, int]:
    return {"run": 7}

@dw.sensor(job=bill, interval_s=0.3)
def floods():
    for number in range(100_000):
        yield dw.RunRequest(partition="acme", run_key=str(number))

@dw.sensor(job=bill, interval_s=0.3)
def counts(tick: dw.Tick) -> dw.SensorResult:
    number = int(tick.cursor or 0) + 1
    if number != 2:
        return dw.SensorResult(cursor=str(number), skip="it counts")
    return dw.SensorResult([dw.RunRequest(partition="acme")], str(number), {customers: ["acme"]})

@dw.run_status_sensor(status="success", jobs=[bill], interval_s=0.3)
def cheers(run: dw.Run) -> dw.SkipReason:
    return dw.SkipReason(f"{run.job} {run.partition} {run.status}, asked for by {run.tick}")
"""


@contextmanager
def daemon(project: Project, more: str = "") -> Iterator[None]:
    project.write("deltaworks.toml", 'lake = "./lake"\nmodules = ["tables"]\n[daemon]\nwarm = 0\n' + more)
    with (project.folder / "daemon.log").open("w") as log:
        command = [sys.executable, "-m", "deltaworks", "daemon"]
        process = subprocess.Popen(command, cwd=project.folder, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def wait_until(holds: Callable[[], object], log: Path) -> None:
    deadline = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def test_what_one_sensor_does_wrong_does_not_stop_the_others(project: Project) -> None:
    project.write("tables.py", SENSORS)
    store = Store(project.lake, durable=False)

    def last(name: str) -> TickEntry | None:
        return next(iter(read_ticks(store, name, 1)), None)

    def all_failed() -> bool:
        found = map(last, ("hangs", "raises", "garbage", "floods"))
        return all(tick is not None and tick.outcome is TickOutcome.FAILED for tick in found)

    def went_on() -> bool:
        counted = last("counts")
        cheered = [tick.skip_reason for tick in read_ticks(store, "cheers")]
        return (
            any("acme" in (reason or "") for reason in cheered) and counted is not None and int(counted.cursor or 0) > 5
        )

    with daemon(project):
        wait_until(all_failed, project.folder / "daemon.log")
        wait_until(went_on, project.folder / "daemon.log")

    errors = {name: tick.error or "" for name in ("hangs", "raises", "garbage", "floods") if (tick := last(name))}
    cheered = [tick.skip_reason for tick in read_ticks(store, "cheers") if "acme" in (tick.skip_reason or "")]
    assert "longer" in errors["hangs"]
    assert "ValueError: the shop is closed" in errors["raises"]
    assert "sensor 'garbage' answered {'run': 7}" in errors["garbage"]
    assert "sensor 'floods' asks for more than 1,000 runs at one tick" in errors["floods"]
    assert read_keys(store, "customers") == ("acme",)
    assert cheered == ["bill acme success, asked for by counts/000000000002"]
