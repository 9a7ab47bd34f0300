"""Commands, each run in this process as from the shell, on a small project of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from deltaworks.cli.app import app
from deltaworks.io.ledger import write_run
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.store import Store

TABLES = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")

class Row(pa.DataFrameModel):
    day: pl.Date
    n: int = pa.Field(lt=10)

@dw.asset(partitions=days, partition_by="day")
def numbers(partition: dw.Partition) -> LazyFrame[Row]:
    return pl.LazyFrame({"day": [partition.start] * 2, "n": [1, 2]})

@dw.asset(partitions=days, partition_by="day")
def doubled(numbers: LazyFrame[Row]) -> LazyFrame[Row]:
    return numbers.with_columns(pl.col("n") * 2)

@dw.asset
def total(doubled: LazyFrame[Row]) -> pl.LazyFrame:
    return doubled.select(pl.col("n").sum())
"""


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return [" ".join(line.split()) for line in self.out.splitlines()]

    @property
    def sentence(self) -> str:
        """The error, which must be one line."""
        (line,) = self.err.splitlines()
        return line.removeprefix("error: ")


@dataclass(frozen=True)
class Shell:
    """A project of three tables: numbers by day, doubled by day, and their total."""

    folder: Path

    @property
    def store(self) -> Store:
        return Store.at(str(self.folder / "lake"))

    def run(self, *arguments: str, **environ: str) -> Answer:
        """Run a command on the project, or on what the arguments name instead."""
        origin = [] if {"--project", "--file", "init"} & set(arguments) else ["-f", str(self.folder / "tables.py")]
        result = CliRunner().invoke(app, [*arguments, *origin], env=environ, catch_exceptions=False)
        return Answer(result.exit_code, result.stdout, result.stderr)

    def log(self, *runs: RunEntry) -> None:
        """Write runs to the ledger."""
        for run in runs:
            write_run(self.store, run)

    def write_outside(self, day: str) -> None:
        """Replace a day of `numbers` as somebody would who has never heard of deltaworks."""
        rows = pl.DataFrame({"day": [day], "n": [4]}).with_columns(pl.col("day").str.to_date())
        options = {"predicate": f"day = '{day}'"}
        rows.write_delta(self.store.uri("numbers"), mode="overwrite", delta_write_options=options)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.delenv("DELTAWORKS_LAKE", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))  # what loading adds to the path is forgotten with it
    (tmp_path / "tables.py").write_text(TABLES)
    return Shell(tmp_path)
