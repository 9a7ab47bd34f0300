"""Sensors that are asked by hand, from the cursor that their last answer left, about real tables, files and runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import write_deltalake

import deltaworks as dw
from deltaworks.engine.automation.asking import Surroundings, ask, described
from deltaworks.engine.automation.evaluation import Evaluation
from deltaworks.engine.automation.watch import Moment, Watch
from deltaworks.engine.definitions.automation.sensor import Sensor
from deltaworks.io.marks import Mark, advance_mark, next_id, read_mark
from deltaworks.io.store import Store
from deltaworks.io.ticks import TickEntry, TickKind, TickOutcome

NOW = dt.datetime(2024, 1, 10, 12, tzinfo=dt.UTC)
DAYS = dw.DailyPartitions(start="2024-01-01", end="2024-01-06")


class Watching:
    """One sensor of a project, and the lake that it looks at."""

    def __init__(self, folder: Path, sensor: Sensor, *assets: Any, jobs: Any = (), **resources: Any) -> None:
        self.sensor, self.store = sensor, Store(folder / "lake", durable=False)
        self.definitions = dw.Definitions(assets, resources, jobs=jobs, sensors=[sensor])
        self.cursor: str | None = None
        self.now = NOW
        self.running_s = 0.0

    def ask(self) -> Evaluation:
        """Ask it, and go on from the cursor that it leaves."""
        around = Surroundings(self.definitions, self.store, {}, self.now)
        found = ask(around, dw.Tick(self.sensor.name, self.now, self.cursor))
        self.cursor = found.cursor or self.cursor
        return found

    def asked(self) -> list[Any]:
        """Ask it, and return the partition or the run key of each request."""
        return [each.partition or each.run_key for each in self.ask().requests]

    def watch(self) -> Watch:
        """Return what the daemon asks whether the sensor is due."""
        (watched,) = described(self.definitions)
        return watched.watch(self.store)

    def is_due(self, watch: Watch, after_s: float = 1.0) -> bool:
        """Return whether the sensor is due some time later; if so, it is asked and the tick settled."""
        self.running_s += after_s
        self.now += dt.timedelta(seconds=after_s)
        found = watch.due(Moment(self.now, self.running_s))
        for tick in found:
            self.cursor = tick.cursor
            evaluation = self.ask()
            if evaluation.requests or evaluation.cursor is not None:
                advance_mark(self.store, self.sensor.name, Mark(tick.tick_id, self.cursor))
            at = self.now.isoformat()
            watch.settled(
                TickEntry(
                    self.sensor.name, TickKind.SENSOR, tick.tick_id, at, at, TickOutcome.SKIPPED, cursor=self.cursor
                )
            )
        return bool(found)

    @property
    def next_tick(self) -> str:
        return next_id(read_mark(self.store, self.sensor.name, TickKind.SENSOR))


def write_days(folder: Path, *days: int, mode: Any = "append", **metadata: Any) -> None:
    """Write a row for some days of January 2024, as somebody who has never heard of deltaworks."""
    rows = pl.DataFrame({"day": [dt.date(2024, 1, day) for day in days], "n": list(days)})
    write_deltalake(str(folder), rows, mode=mode, partition_by=["day"], **metadata)


def key(day: int) -> str:
    return f"2024-01-{day:02d}"


def keys(*days: int) -> list[str]:
    return [key(day) for day in days]


Tables = Mapping[str, dw.Commits]
