"""A lake of four tables whose source can be made differently each time, worked on through the engine's public names."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.repairs.repair import Keys, Repair
from deltaworks.engine.execution.repairs.rerun import Rerun, rerun
from deltaworks.engine.execution.repairs.rollback import roll_back
from deltaworks.engine.execution.repairs.wipe import wipe
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.planning.causes import status_ranges
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only, plan
from deltaworks.engine.planning.request import request
from deltaworks.engine.planning.status import Status
from deltaworks.io.scan import scan_table
from deltaworks.io.store import Store
from deltaworks.io.table import Table

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
days = dw.DailyPartitions(start="2024-01-01", end="2024-01-05")
DAYS = ("2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04")


class Row(pa.DataFrameModel):
    day: pl.Date
    n: int
    x: float = pa.Field(nullable=True)


class Source(dw.Resource):
    """What the source holds, by day; a day that it does not have has no row."""

    n: dict[str, int]


@dw.asset(partitions=days, partition_by="day")
def numbers(partition: dw.Partition, source: Source) -> LazyFrame[Row]:
    n = source.n.get(partition.key)
    rows = [] if n is None else [n, n + 1]
    return pl.LazyFrame({"n": rows}, schema={"n": pl.Int64}).select(
        pl.lit(partition.start).alias("day"), "n", x=pl.col("n") / 3
    )


@dw.asset(partitions=days, partition_by="day")
def doubled(numbers: LazyFrame[Row]) -> LazyFrame[Row]:
    return numbers.with_columns(pl.col("n") * 2)


@dw.asset(partitions=days, partition_by="day")
def window(
    doubled: Annotated[LazyFrame[Row], dw.Input(mapping=dw.TimeWindowMapping(start_offset=-1))],
    before: dw.Previous[Row],
    partition: dw.Partition,
) -> LazyFrame[Row]:
    both = pl.concat([doubled, before])
    return both.select(pl.lit(partition.start).alias("day"), pl.col("n").sum(), pl.col("x").sum())


@dw.asset
def total(doubled: LazyFrame[Row]) -> pl.LazyFrame:
    return doubled.select(pl.col("n").sum(), pl.col("x").sum())


@dataclass
class Work:
    folder: Path
    assets: Sequence[dw.Asset[..., Any]] = (numbers, doubled, window, total)
    n: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(DAYS, 1))

    @property
    def store(self) -> Store:
        return Store(self.folder, durable=False)

    @property
    def definitions(self) -> dw.Definitions:
        wanted = any(asset.signature.resources for asset in self.assets)
        return dw.Definitions(self.assets, {"source": Source(n=dict(self.n))} if wanted else {})

    @property
    def graph(self) -> AssetGraph:
        return build_graph(self.definitions, NOW)

    def make(self, *names: str, only: frozenset[Only] = DEFAULT_ONLY, partitions: Sequence[str] = ()) -> RunReport:
        """Make what is asked for of some assets, or of all."""
        graph, definitions = self.graph, self.definitions
        seen = observe(graph, self.store)
        asked = request(graph, [key for key in graph.nodes if not names or str(key) in names], partitions)
        return launch(
            definitions,
            graph,
            self.store,
            seen.tables,
            plan(graph, seen.status, asked, only),
            workers=1,
            command="a test",
            environ={},
            now=lambda: NOW,
            tell=lambda _: None,
            stop=Flag(),
        )

    def roll_back(self, name: str, version: int, *keys: str, store: Store | None = None) -> Repair:
        graph = self.graph
        node, at = graph.node(name), store or self.store
        return roll_back(graph, node, at, version, Keys(keys), command="rollback", now=lambda: NOW)

    def wipe(self, name: str, *keys: str, store: Store | None = None) -> Repair:
        graph = self.graph
        return wipe(graph, graph.node(name), store or self.store, Keys(keys), command="wipe", now=lambda: NOW)

    def rerun(self, name: str, version: int, *keys: str) -> Rerun:
        graph = self.graph
        return rerun(
            self.definitions,
            graph,
            graph.node(name),
            self.store,
            version,
            keys,
            environ={},
            run_id="20240601T000000-0000abcd",
        )

    def rows(self, name: str, version: int | None = None) -> list[tuple[Any, ...]]:
        """The rows of a table as this engine reads them, and as Polars and delta-rs do."""
        df = scan_table(Table.read(self.store, name, version)).collect()
        uri = self.store.uri(name)
        query = QueryBuilder().register("t", DeltaTable(uri, version=version)).execute("select * from t")
        others = [pl.read_delta(uri, version=version), pl.DataFrame(query.read_all())]
        content = sorted(df.rows(), key=str)
        assert [sorted(other.select(df.columns).rows(), key=str) for other in others] == [content, content]
        return content

    def statuses(self, name: str) -> dict[str, str]:
        """The status of each partition."""
        found = observe(self.graph, self.store).status[self.graph.node(name).key]
        return {found.node.partitions.key(place): Status(each).word for place, each in enumerate(found.status)}

    def causes(self, name: str) -> list[str]:
        """Why partitions are as they are, once each."""
        lake = observe(self.graph, self.store).status
        ranges = status_ranges(lake[self.graph.node(name).key], lake)
        return list(dict.fromkeys(cause for each in ranges for cause in each.causes))

    def overwrite_outside(self, name: str, day: str, n: int = 99) -> None:
        df = pl.DataFrame({"day": [dt.date.fromisoformat(day)], "n": [n], "x": [0.5]})
        write_deltalake(DeltaTable(self.store.uri(name)), df, mode="overwrite", predicate=f"day = '{day}'")

    def append_outside(self, name: str, day: str, n: int = 99) -> None:
        df = pl.DataFrame({"day": [dt.date.fromisoformat(day)], "n": [n], "x": [0.5]})
        write_deltalake(DeltaTable(self.store.uri(name)), df, mode="append")

    def vacuum(self, name: str) -> None:
        DeltaTable(self.store.uri(name)).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of four tables over four days, all of them made once; to be copied."""
    made = Work(tmp_path_factory.mktemp("made-once"))
    made.make()
    return made.folder


@pytest.fixture
def work(tmp_path: Path, made_once: Path) -> Work:
    """Four tables over four days, all of them made once."""
    return Work(shutil.copytree(made_once, tmp_path, dirs_exist_ok=True))
