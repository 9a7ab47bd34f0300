"""A lake whose tables are judged by checks: how many rows each day has is for the test to say."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.execution.events import Event, PartitionWarned
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only, plan
from deltaworks.engine.planning.request import request
from deltaworks.engine.planning.status import Status
from deltaworks.io.store import Store

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
days = dw.DailyPartitions("2024-01-01", "2024-01-07")
KEYS = tuple(f"2024-01-0{number}" for number in range(1, 7))


class Sale(pa.DataFrameModel):
    day: pl.Date
    shop: str = pa.Field(nullable=True)
    amount: int


class Counts(dw.Resource):
    """How many sales each day has; a day that is not in it has none."""

    rows: dict[str, int]


@dw.asset(partitions=days, partition_by="day")
def sales(partition: dw.Partition, counts: Counts) -> LazyFrame[Sale]:
    count = counts.rows.get(partition.key, 0)
    shops = [("a", "b", None)[number % 3] for number in range(count)]
    rows = pl.LazyFrame({"shop": shops, "amount": range(count)}, schema={"shop": pl.String, "amount": pl.Int64})
    return rows.select(day=pl.lit(partition.start), shop="shop", amount="amount")


def height(lf: pl.LazyFrame) -> int:
    rows: int = lf.select(pl.len()).collect().item()
    return rows


@dataclass
class Work:
    folder: Path
    checks: Sequence[dw.AssetCheck] = ()
    assets: Sequence[dw.Asset[..., Any]] = (sales,)
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KEYS, 4))
    resources: Mapping[str, dw.Resource] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    """What the last run warned of."""

    @property
    def store(self) -> Store:
        return Store(self.folder, durable=False)

    @property
    def definitions(self) -> dw.Definitions:
        resources = {"counts": Counts(rows=dict(self.rows)), **self.resources}
        return dw.Definitions(self.assets, resources, self.checks)

    @property
    def graph(self) -> AssetGraph:
        return build_graph(self.definitions, NOW)

    def make(
        self, *keys: str, names: Sequence[str] = (), only: frozenset[Only] = DEFAULT_ONLY, workers: int = 1
    ) -> RunReport:
        graph, definitions = self.graph, self.definitions
        seen = observe(graph, self.store)
        asked = request(graph, [key for key in graph.nodes if not names or str(key) in names], keys)
        self.warnings = []
        return launch(
            definitions,
            graph,
            self.store,
            seen.tables,
            plan(graph, seen.status, asked, only),
            workers=workers,
            command="a test",
            environ={},
            now=lambda: NOW,
            tell=self._take,
            stop=Flag(),
        )

    def again(self, *keys: str, names: Sequence[str] = ("sales",), workers: int = 1) -> RunReport:
        return self.make(*keys, names=names, only=frozenset({Only.ALL}), workers=workers)

    def heights(self, table: str = "sales") -> dict[str, int]:
        """How many rows each day has in the table, as Polars reads it."""
        df = pl.read_delta(str(self.folder / table)).group_by("day").len().sort("day")
        return {str(day): rows for day, rows in df.iter_rows()}

    def records(self, table: str = "sales") -> list[dict[str, Any]]:
        """The records of the table's log, oldest first."""
        lines = [
            json.loads(line)
            for path in sorted((self.folder / table / "_delta_log").glob("*.json"))
            for line in path.read_text().splitlines()
        ]
        found = [line["commitInfo"]["deltaworks"] for line in lines if line.get("commitInfo", {}).get("deltaworks")]
        return [record for record in found if record["groups"]]

    def status(self, name: str) -> str:
        """One letter a partition."""
        found = observe(self.graph, self.store).status[self.graph.node(name).key]
        return "".join(Status(value).word[0] for value in found.status)

    def append_outside(self, day: str, table: str = "sales") -> None:
        row = pl.DataFrame({"day": [dt.date.fromisoformat(day)], "shop": ["z"], "amount": [7]})
        row.write_delta(str(self.folder / table), mode="append")

    def _take(self, event: Event) -> None:
        if isinstance(event, PartitionWarned):
            self.warnings += [f"{event.key}: {text}" for text in event.warnings]


def failures(report: RunReport) -> dict[str | None, str]:
    return {failure.partition: failure.error for failure in report.entry.failures}
