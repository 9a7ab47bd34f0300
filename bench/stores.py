"""What an object store is asked, by a backfill for each partition and by a daemon that has nothing to do: `make bench`.

And how long a status takes if the store is far: there the proxy holds each request up.

moto stands for the store, and a proxy before it counts. Requests are what a real store bills and what its distance
makes slow; how long moto takes says nothing. `stores.py tiny` shows only that every case runs.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rows import Row, keep
from ways import IN_TURN, OURS

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the servers are those of the tests

from tests.stores.proxy import Proxy, proxied  # noqa: E402
from tests.stores.servers import moto  # noqa: E402

TINY = sys.argv[1:] == ["tiny"]
DAYS, TABLES, IDLE_S, DISTANCE_S = (4, 3, 2.0, 0.001) if TINY else (365, 100, 60.0, 0.025)
COMMAND = [sys.executable, "-m", "deltaworks"]
READS, WRITES = ("get", "head", "list"), ("put", "post", "delete")
POLL_S = 1.0
"""How often the sensors below are asked."""

BACKFILLED = """
import datetime as dt
import polars as pl
import deltaworks as dw

days = dw.DailyPartitions(start="2023-01-01", end=dt.date(2023, 1, 1) + dt.timedelta(days={days}))

@dw.asset(partitions=days, partition_by="day")
def base(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({{"day": [partition.start], "n": [1]}})

@dw.asset(partitions=days, partition_by="day")
def child(base: pl.LazyFrame) -> pl.LazyFrame:
    return base

@dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.ranges(max_partitions=50))
def in_ranges(base: pl.LazyFrame) -> pl.LazyFrame:
    return base
"""

WATCHED = """
import polars as pl
import deltaworks as dw

made = []
for n in range({tables}):
    @dw.asset(name=f"t{{n}}")
    def table() -> pl.LazyFrame:
        return pl.LazyFrame({{"n": [1]}})
    made.append(table)

job = dw.define_asset_job("job", "t0")
sensors = []
for table in made:
    @dw.asset_sensor(asset=table, job=job, name=f"on_{{table.key}}", interval_s={poll_s})
    def sensor(commits: dw.Commits):
        return dw.SkipReason("only watched")
    sensors.append(sensor)

defs = dw.Definitions(made, jobs=[job], sensors=sensors)
"""


def main() -> None:
    """Measure, and print what came out."""
    with moto() as server, proxied(server) as proxy, tempfile.TemporaryDirectory() as name:
        folder, environ = Path(name), {**os.environ, **proxy.server.environ}
        show_backfill(proxy, folder, environ)
        show_idle(proxy, folder, environ)
        show_far(proxy, folder, environ)


def lay_out(folder: Path, proxy: Proxy, name: str, code: str) -> None:
    """Write a project with a lake of its own."""
    (folder / "deltaworks.toml").write_text(
        f'lake = "{proxy.server.root}/{name}"\nmodules = ["tables"]\n[daemon]\nwarm = 0\n'
    )
    (folder / "tables.py").write_text(code)


def show_backfill(proxy: Proxy, folder: Path, environ: Mapping[str, str]) -> None:
    """Print what a backfill asks for each partition that it commits, asset by asset, and what nothing to do costs."""
    lay_out(folder, proxy, "backfill", BACKFILLED.format(days=DAYS))
    print(f"\nrequests of `deltaworks backfill` over {DAYS} partitions, and for each that was committed")
    print(f"{'':24} {'puts':>6} {'each':>6} {'reads':>6} {'each':>6}  of these")
    for what in ("base", "child", "in_ranges", "child, all fresh"):
        proxy.counted()
        asset = what.partition(",")[0]
        subprocess.run([*COMMAND, "backfill", asset], cwd=folder, env=environ, check=True, capture_output=True)
        counted = proxy.counted()
        puts, reads = (sum(counted[kind] for kind in kinds) for kinds in (WRITES, READS))
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counted.items()))
        keep(
            Row(
                "a backfill in an object store",
                what,
                {"puts": puts / DAYS, "reads": reads / DAYS},
                sizes={"partitions": DAYS},
            )
        )
        print(f"{what:24} {puts:6} {puts / DAYS:6.2f} {reads:6} {reads / DAYS:6.2f}  {kinds}", flush=True)


def show_idle(proxy: Proxy, folder: Path, environ: Mapping[str, str]) -> None:
    """Print what a daemon asks while nothing happens, for each table that it watches and poll."""
    lay_out(folder, proxy, "idle", WATCHED.format(tables=TABLES, poll_s=POLL_S))
    subprocess.run([*COMMAND, "materialize", "*"], cwd=folder, env=environ, check=True, capture_output=True)
    proxy.counted()
    with daemon(folder, environ):
        while marked(proxy) < TABLES:
            time.sleep(1.0)
        asked = asked_in(proxy, IDLE_S)
    of_tables = Counter({kind: count for (kind, where), count in asked.items() if where == "a table"})
    beside = {f"{kind} of {where}": count for (kind, where), count in asked.items() if where != "a table"}
    polls = IDLE_S / POLL_S
    each = round(sum(of_tables.values()) / polls / TABLES, 1)
    keep(Row("a daemon over an object store", OURS, {"requests": each}, sizes={"tables": TABLES}))
    print(f"\nrequests of an idle daemon over {TABLES} tables with a sensor each, a look every {POLL_S:g} s")
    print(f"of tables, each poll and table: {each:.1f}  {dict(of_tables)}")
    print(f"of everything else, each second: {sum(beside.values()) / IDLE_S:.2f}  {beside}", flush=True)


def show_far(proxy: Proxy, folder: Path, environ: Mapping[str, str]) -> None:
    """Print how long a status takes in a store that is far, beside what its requests take one after the other."""
    proxy.distance_s = DISTANCE_S
    proxy.counted()
    began_s = time.perf_counter()
    subprocess.run([*COMMAND, "status"], cwd=folder, env=environ, check=True, capture_output=True)
    took_s = time.perf_counter() - began_s
    requests = sum(proxy.counted().values())
    proxy.distance_s = 0.0
    for way, wall_s in ((OURS, took_s), (IN_TURN, requests * DISTANCE_S)):
        keep(Row("status in a far object store", way, {"wall_s": wall_s}, sizes={"tables": TABLES}))
    print(f"\nstatus of {TABLES} tables, {DISTANCE_S * 1000:g} ms a request: {took_s:.2f} s for {requests} requests,")
    print(f"which take {requests * DISTANCE_S:.2f} s one after the other", flush=True)


def marked(proxy: Proxy) -> int:
    """Return how many sensors have been asked: each begins by noting where it is."""
    with proxy.lock:
        return sum(each.kind == "put" and "/_deltaworks/state/" in str(each) for each in proxy.requests)


def asked_in(proxy: Proxy, seconds: float) -> Counter[tuple[str, str]]:
    """Return how many requests of each kind are made in a while, and about what."""
    proxy.counted()
    time.sleep(seconds)
    with proxy.lock:
        asked = list(proxy.requests)
    return Counter((each.kind, about(str(each))) for each in asked)


def about(request: str) -> str:
    """Return what of a lake a request is about: a table, or a folder of the engine."""
    _, _, inside = request.partition("/_deltaworks/")
    return inside.partition("/")[0] or "a table"


@contextmanager
def daemon(folder: Path, environ: Mapping[str, str]) -> Iterator[None]:
    """Run a daemon that has looked at everything once."""
    process = subprocess.Popen([*COMMAND, "daemon"], cwd=folder, env=environ, stderr=subprocess.DEVNULL)
    try:
        status = [*COMMAND, "daemon", "--status", "--json"]
        while True:
            told = subprocess.run(status, cwd=folder, env=environ, capture_output=True, check=False)
            if any(each["watched"] for each in json.loads(told.stdout)["daemons"]):
                break
            time.sleep(0.5)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


if __name__ == "__main__":
    main()
