"""A project of three daily assets that real processes work on: a source, its child and a trailing week."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any

import polars as pl

from deltaworks.engine.execution.observe import observe
from deltaworks.engine.planning.status import Status
from deltaworks.engine.workspace.project import Origin, load_project
from tests.exactness.naive import History, read_history

ASSETS = ("source", "child", "week")
START = dt.date(2024, 1, 1)
PATIENCE_S = 120
"""How long anything is waited for."""

MODULE = '''
import datetime as dt
import os
import time
from pathlib import Path
from typing import Annotated

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame

START = dt.date({start:%Y, %-m, %-d})
FACTOR = 1
days = dw.DailyPartitions(start=START, end=START + dt.timedelta(days={days}))


class Row(pa.DataFrameModel):
    day: pl.Date
    n: int
    x: float


def linger() -> None:
    """Take some time, and the first time wait until so many processes are here."""
    time.sleep({seconds})
    crowd, here = int(os.environ.get("CROWD", "0")), Path(__file__).with_name("here")
    if crowd:
        here.mkdir(exist_ok=True)
        (here / str(os.getpid())).touch()
        deadline = time.monotonic() + 60
        while len(list(here.iterdir())) < crowd and time.monotonic() < deadline:
            time.sleep(0.005)


@dw.asset(partitions=days, partition_by="day")
def source(partition: dw.Partition) -> LazyFrame[Row]:
    linger()
    number = (partition.start - START).days
    n = pl.int_range(3 + number % 4, dtype=pl.Int64, eager=True)
    return pl.LazyFrame({{"n": n}}).select(
        day=pl.lit(partition.start), n=pl.col("n") * FACTOR, x=(pl.col("n") + number).cast(pl.Float64).sqrt()
    )


@dw.asset(partitions=days, partition_by="day")
def child(source: LazyFrame[Row]) -> LazyFrame[Row]:
    return source.with_columns(x=pl.col("x") / 3)


@dw.asset(partitions=days, partition_by="day")
def week(
    child: Annotated[LazyFrame[Row], dw.Input(mapping=dw.TimeWindowMapping(start_offset=-6))],
    partition: dw.Partition,
) -> LazyFrame[Row]:
    return child.select(day=pl.lit(partition.start), n=pl.col("n").sum(), x=pl.col("x").mean())
'''


@dataclass(frozen=True)
class Processes:
    """The project in a folder; commands on it are processes of their own."""

    folder: Path
    days: int

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    @property
    def keys(self) -> list[str]:
        return [(START + dt.timedelta(days=number)).isoformat() for number in range(self.days)]

    @contextmanager
    def start(self, *arguments: str, crowd: int = 0) -> Iterator[subprocess.Popen[str]]:
        """Start a command; at the end it is gone, whatever happened."""
        process = subprocess.Popen(
            [sys.executable, "-m", "deltaworks", *arguments],
            cwd=self.folder,
            env={**os.environ, "CROWD": str(crowd), "POLARS_MAX_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *arguments: str, crowd: int = 0) -> tuple[int, str]:
        """Run a command to its end; return its exit code and all that it said."""
        with self.start(*arguments, crowd=crowd) as process:
            out, _ = process.communicate(timeout=PATIENCE_S)
            return process.returncode, out

    def histories(self) -> dict[str, History]:
        return {asset: read_history(self.lake / asset) for asset in ASSETS}

    def runs(self) -> list[dict[str, Any]]:
        """The runs that stand in the ledger."""
        files = (self.lake / "_deltaworks" / "ledger" / "runs").rglob("2*.json")
        return [json.loads(file.read_text("utf-8")) for file in files]

    def statuses(self) -> dict[str, set[str]]:
        """The statuses that the partitions of each asset have, as another reader of the lake finds them."""
        project = load_project(Origin(folder=self.folder), {}, dt.datetime.now(dt.UTC))
        seen = observe(project.graph, project.store)
        return {str(key): {Status(value).word for value in each.status} for key, each in seen.status.items()}


def write_project(folder: Path, days: int, seconds: float = 0) -> Processes:
    """Write the project; each call of the source takes so many seconds at least."""
    name = f"project_{folder.name}".replace("-", "_")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "deltaworks.toml").write_text(f'modules = ["{name}"]\ndurable = false\n', "utf-8")
    (folder / f"{name}.py").write_text(MODULE.format(start=START, days=days, seconds=seconds), "utf-8")
    return Processes(folder, days)


@contextmanager
def without_claims(folder: Path) -> Iterator[None]:
    """Delete what appears in a folder."""
    is_over = Flag()

    def delete() -> None:
        while not is_over.wait(0.005):
            for file in folder.glob("*.json"):
                file.unlink(missing_ok=True)

    thread = Thread(target=delete)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def rows(table: Path) -> dict[str, list[tuple[object, ...]]]:
    """The rows of each partition of a table, as Polars reads it; floats to nine digits."""
    df = (
        pl.read_delta(str(table))
        .select(pl.col("day").dt.to_string("%Y-%m-%d"), "n", pl.col("x").round(9))
        .sort(pl.all())
    )
    parts = df.partition_by("day", as_dict=True)
    return {str(key): part.rows() for (key,), part in parts.items()}


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something, not forever."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} took longer than {PATIENCE_S} s"
        time.sleep(0.005)
