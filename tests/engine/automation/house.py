"""A project, its lake and its daemons, in the test's own process; what they start are real processes."""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from deltaworks.engine.automation.code_watch import CodeWatch
from deltaworks.engine.automation.daemon import Daemon, DaemonParts, moment
from deltaworks.engine.automation.location import Location
from deltaworks.engine.automation.location_load import load_surroundings
from deltaworks.engine.automation.run_pool import RunPool
from deltaworks.engine.automation.schedule_watch import WatchedSchedule
from deltaworks.engine.automation.watch import Moment
from deltaworks.engine.workspace.project import Origin
from deltaworks.io.marks import Mark, advance_mark
from deltaworks.io.store import Store
from deltaworks.io.ticks import TickEntry, instant_id, read_ticks

DUE = dt.datetime(2026, 1, 2, 6, 0, tzinfo=dt.UTC)
"""The only tick of the schedules below that the clock comes to."""

TABLES = """
import os, time
import polars as pl
import deltaworks as dw

days = dw.DailyPartitions(start="2026-01-01")

@dw.asset(partitions=days, partition_by="day")
def numbers(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"day": [partition.start], "n": [1]})

daily = dw.define_asset_job("daily", "numbers", partitions=days)
"""

SCHEDULE = """
morning = dw.define_schedule("morning", job=daily, cron="0 6 * * *", catchup="last", tags={"team": "ops"})
"""


class House:
    """A project, its lake, and daemons whose clock on the wall stands still just after a tick."""

    def __init__(
        self, folder: Path, code: str, store: Store | None = None, due: dt.datetime = DUE, origin: Origin | None = None
    ) -> None:
        self.folder, self.told, self.due, self.now = folder, list[str](), due, due + dt.timedelta(seconds=5)
        self.passed_s = 0.0
        """How much time has passed beside that which really has."""
        self.store = store or Store.at(folder / "lake", durable=False)
        self.origin = origin or Origin(file=folder / "tables.py", lake=str(self.store.root))
        self.daemons: list[Daemon] = []
        self.pools: list[RunPool] = []
        self.write(code)

    def write(self, code: str) -> None:
        """Write the project's code."""
        (self.folder / "tables.py").write_text(TABLES + code)

    def begin(self, *names: str) -> None:
        """Let schedules begin before the tick."""
        for name in names:
            advance_mark(self.store, name, Mark(instant_id(self.due - dt.timedelta(days=1))))

    def daemon(
        self, *, most: int = 2, warm: int = 0, maintenance: WatchedSchedule | None = None, is_dev: bool = False
    ) -> Daemon:
        self.location = Location(partial(load_surroundings, self.origin), os.environ)
        program = [sys.executable, "-P", "-m", "deltaworks.cli.run_child", self.origin.to_text()]
        pool = RunPool(program, os.environ, most, warm)
        self.pools.append(pool)
        code = CodeWatch(self.folder) if is_dev else None
        parts = DaemonParts(self.store, self.location, pool, self.told.append, maintenance, code, clock=self.clock)
        self.daemons.append(Daemon(parts))
        return self.daemons[-1]

    def close(self) -> None:
        """End its daemons and all that they have started."""
        for daemon in self.daemons:
            daemon.close()
        for pool in self.pools:
            pool.terminate()
            while not pool.is_idle:
                pool.poll()

    def clock(self) -> Moment:
        return Moment(self.now, moment().running_s + self.passed_s)

    def work_until(self, daemon: Daemon, is_done: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + 60
        while not is_done():
            assert time.monotonic() < deadline_s, self.told
            daemon.step()
            time.sleep(0.02)

    def tick(self, name: str) -> TickEntry | None:
        return next(iter(read_ticks(self.store, name, 1)), None)
