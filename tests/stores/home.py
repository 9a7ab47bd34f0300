"""Where the lake of a story lies, and a project that works on it there."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
import polars as pl
from deltalake import DeltaTable, write_deltalake
from obstore.store import LocalStore, ObjectStore, from_url

from tests.acceptance.conftest import Here, Result


@dataclass(frozen=True)
class Home:
    """A place for a lake and for what others write beside it; whoever needs more finds it in the environment."""

    root: str

    @property
    def is_local(self) -> bool:
        """Whether it is a folder."""
        return "://" not in self.root

    @property
    def store(self) -> ObjectStore:
        """The same place as obstore opens it, by nothing of the product."""
        if self.is_local:
            return LocalStore(self.root, mkdir=True)
        return from_url(self.root)

    def uri(self, path: str) -> str:
        """Where a path below it lies."""
        return f"{self.root}/{path}"

    def objects(self, prefix: str = "") -> dict[str, int]:
        """Everything below a folder, with sizes."""
        found = [each for page in obstore.list(self.store, prefix or None) for each in page]
        return {each["path"]: each["size"] for each in found}

    def read(self, path: str) -> bytes:
        """The content of a file."""
        return bytes(obstore.get(self.store, path).bytes())

    def put(self, path: str, content: bytes) -> None:
        """Write a file, whatever is there."""
        obstore.put(self.store, path, content)

    def delete(self, *paths: str) -> None:
        """Delete files."""
        obstore.delete(self.store, list(paths))

    def append(self, path: str, df: pl.DataFrame, **options: Any) -> int:
        """Write a table as an outsider does, by delta-rs; return its version."""
        return self.write(path, df, mode="append", **options)

    def write(self, path: str, df: pl.DataFrame, **options: Any) -> int:
        """Write a table as an outsider does, by delta-rs; return its version."""
        if self.is_local:
            Path(self.uri(path)).mkdir(parents=True, exist_ok=True)
        write_deltalake(self.uri(path), df, **options)
        return self.table(path).version()

    def table(self, path: str, version: int | None = None) -> DeltaTable:
        """A table as delta-rs opens it."""
        return DeltaTable(self.uri(path), version=version)

    def rows(self, path: str, version: int | None = None) -> list[tuple[Any, ...]]:
        """All rows of a table, in order, as Polars and delta-rs read them."""
        return sorted(pl.read_delta(self.table(path, version)).rows())

    def commits(self, path: str) -> list[list[dict[str, Any]]]:
        """The actions of each commit of a table, the first one first."""
        log = sorted(each for each in self.objects(f"{path}/_delta_log") if each.endswith(".json"))
        return [[json.loads(line) for line in self.read(each).decode().splitlines()] for each in log]

    def records(self, path: str) -> list[dict[str, Any]]:
        """What the engine wrote about its commits of a table."""
        infos = [action["commitInfo"] for actions in self.commits(path) for action in actions if "commitInfo" in action]
        found = [info["deltaworks"] for info in infos if "deltaworks" in info]
        return [json.loads(each) if isinstance(each, str) else each for each in found]

    def made(self, path: str) -> list[tuple[str, str]]:
        """Each partition of each materialization with its run, in order; the same pair twice is a doubled effect."""
        return [
            (key, record["run_id"])
            for record in self.records(path)
            if record["kind"] == "materialize"
            for group in record["groups"]
            for key in (group["keys"] or [""])
        ]


@dataclass(frozen=True)
class Housed(Here):
    """A project in a folder whose lake lies in a home."""

    home: Home = Home("")

    @property
    def lake_uri(self) -> str:
        """Where its lake lies."""
        return self.home.uri("lake")

    def given(self, code: str, settings: str = "") -> Housed:
        """Write the only module of the project, and its settings."""
        self.write("tables.py", HEAD + code)
        self.set(settings)
        return self

    def set(self, settings: str) -> None:
        """Write the settings."""
        self.write("deltaworks.toml", f'lake = "{self.lake_uri}"\nmodules = ["tables"]\ndurable = false\n{settings}')

    def did(self, *arguments: str, **environ: str) -> Any:
        """Run a command that succeeds, and return the document that it prints."""
        done = self.run(*arguments, "--json", **environ)
        assert done.code == 0, done.err or done.out
        return done.json

    def said(self, *arguments: str) -> str:
        """Run a command that succeeds, and return what it prints for people."""
        done = self.run(*arguments)
        assert done.code == 0, done.err or done.out
        return done.out

    def refused(self, *arguments: str) -> str:
        """Run a command that does not succeed, and return its sentence."""
        done: Result = self.run(*arguments)
        assert done.code != 0, done.out
        return done.sentence

    def counts(self, asset: str) -> dict[str, int]:
        """How many partitions of an asset have each status, without the statuses that none has."""
        found = self.status()[asset]["partitions"]
        return {word: count for word, count in found.items() if count and word != "total"}

    def ranges(self, asset: str, word: str) -> list[str]:
        """The partitions of an asset that have a status, as `first..last`."""
        return [
            "..".join(dict.fromkeys(pair))
            for each in self.status("--partitions")[asset]["ranges"]
            if each["status"] == word
            for pair in each["partitions"]["ranges"]
        ]

    def rows(self, asset: str, version: int | None = None) -> list[tuple[Any, ...]]:
        """All rows of an asset, in order."""
        return self.home.rows(f"lake/{asset}", version)

    def held(self) -> list[str]:
        """What runs and daemons hold at the moment."""
        return sorted(self.home.objects("lake/_deltaworks/claims"))


HEAD = '''
import datetime as dt
import os
import time
from pathlib import Path
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

HERE = Path(__file__).parent
days = dw.DailyPartitions(start="2024-01-01", end="2024-01-06")

class Row(pa.DataFrameModel):
    day: pl.Date
    n: int

def rows(partition, n=1):
    return pl.LazyFrame({"day": [partition.start], "n": [n]})

def hold(name):
    """Say that this is reached, and go on when the test has made a file of that name."""
    (HERE / f"{name}.reached").touch()
    while not (HERE / name).exists():
        time.sleep(0.01)
'''
"""What the modules of these stories begin with."""

CHAIN = """
@dw.asset(partitions=days, partition_by="day")
def base(partition: dw.Partition) -> LazyFrame[Row]:
    return rows(partition, partition.start.day)

@dw.asset(partitions=days, partition_by="day")
def child(base: LazyFrame[Row]) -> LazyFrame[Row]:
    return base.with_columns(pl.col("n") * 2)

@dw.asset
def total(child: LazyFrame[Row]) -> pl.LazyFrame:
    return child.select(pl.col("n").sum())
"""
"""Three assets, one made from the other; each day has the number of the day."""

DAYS = [f"2024-01-0{number}" for number in range(1, 6)]


def day(number: int, n: int) -> pl.DataFrame:
    """A row of such a table, as somebody outside writes it."""
    return pl.DataFrame({"day": [dt.date(2024, 1, number)], "n": [n]})
