"""A lake that exists in commit logs alone: states to decide on, without files."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.planning.state import LakeState, lake_state
from deltaworks.engine.planning.status import LakeStatus, Status, lake_status
from deltaworks.io.log import parse_commit
from deltaworks.io.record import Group, Pin, Record
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus
from deltaworks.io.store import Store
from deltaworks.io.table import Table

NOW = dt.datetime(2013, 2, 1, tzinfo=dt.UTC)


def days(first: int, size: int) -> dw.DailyPartitions:
    """Return days of January 2013, the first of which has the number `first`."""
    start = dt.date(2013, 1, first)
    return dw.DailyPartitions(start, start + dt.timedelta(days=size))


def table(
    name: str, partitions: dw.DailyPartitions | None = None, group: str = "default", **inputs: Any
) -> dw.Asset[..., pl.LazyFrame]:
    """Return an asset that reads others, each by the mapping given or, for None, by the inferred one.

    Two arguments that read the same asset are named `asset__1` and `asset__2`.
    """
    scope: dict[str, Any] = {}
    exec(f"def {name}({', '.join(inputs)}): ...", scope)
    scope[name].__annotations__ = {"return": pl.LazyFrame} | {
        argument: Annotated[pl.LazyFrame, dw.Input(asset=argument.partition("__")[0], mapping=mapping)]
        for argument, mapping in inputs.items()
    }
    partition_by = None if partitions is None else "day"
    return dw.asset(partitions=partitions, partition_by=partition_by, group=group, code_version="new")(scope[name])


class Lake:
    """Tables whose commits are written by tests. Days are numbers of January; none means the whole table."""

    def __init__(self, folder: Path, *assets: dw.Asset[..., Any]) -> None:
        self.graph: AssetGraph = build_graph(dw.Definitions(assets), NOW)
        self._store = Store.at(str(folder))
        self._ids = itertools.count()
        self._live: dict[str, set[str]] = {}
        self.runs: list[RunEntry] = []
        self.now_ms = 0
        """When the next commit is made."""
        self.logs: dict[str, list[bytes]] = {}
        """The commit files of each table."""
        self.tables: dict[AssetKey, Table] = {}
        for key in self.graph.nodes:
            self.replace(str(key))

    def table(self, name: str) -> Table:
        return self.tables[AssetKey(name)]

    def replace(self, name: str) -> None:
        """Drop a table; the next commit makes another one."""
        self.tables[AssetKey(name)] = Table(self._store, name)
        self._live[name] = set()
        self.logs[name] = []

    def make(
        self,
        name: str,
        *numbers: int,
        run: str = "r1",
        code: str = "override:new",
        pins: Mapping[str, int] | None = None,
    ) -> int:
        """Commit a materialization that read every upstream as it is now, or at the versions of `pins`."""
        inputs: dict[str, Pin] = {}
        for edge in self.graph.nodes[AssetKey(name)].upstream:
            upstream = self.tables[edge.upstream]
            if upstream.table_id is not None:
                version = (pins or {}).get(str(edge.upstream), upstream.version)
                inputs[upstream.table_id] = Pin(str(edge.upstream), version)
        keys = self._keys(numbers)
        group = Group(keys if numbers else None, (1,) * len(keys), code, inputs=inputs)
        record = Record(run, name, "test", "2013-02-01T00:00:00Z", (group,), {})
        return self._commit(name, keys, keys, record)

    def write_outside(self, name: str, *numbers: int) -> int:
        """Commit new content without a record."""
        keys = self._keys(numbers)
        return self._commit(name, keys, keys, None)

    def empty(self, name: str, *numbers: int) -> int:
        """Remove all content of partitions from outside."""
        return self._commit(name, self._keys(numbers), (), None)

    def fail(self, name: str, *numbers: int) -> None:
        """Note an attempt that failed."""
        table = self.table(name)
        failures = tuple(
            Failure(name, key or None, "it broke", table.version, table.table_id) for key in self._keys(numbers)
        )
        run = f"f{len(self.runs)}"
        self.runs.append(RunEntry(run, RunStatus.FAILURE, "backfill", "2013-02-01T00:00:00Z", failures=failures))

    def state(self) -> LakeState:
        return lake_state(self.graph, self.tables, self.runs)

    def status(self) -> LakeStatus:
        return lake_status(self.graph, self.state())

    def having(self, name: str, status: Status) -> list[int]:
        """Return the days that have a status; [0] for a whole table."""
        found = self.status()[AssetKey(name)]
        return [self.number(name, ordinal) for ordinal in found.having(status)]

    def number(self, name: str, ordinal: int) -> int:
        key = self.graph.nodes[AssetKey(name)].partitions.key(ordinal)
        return dt.date.fromisoformat(key).day if key else 0

    @staticmethod
    def _keys(numbers: Iterable[int]) -> tuple[str, ...]:
        return tuple(dt.date(2013, 1, number).isoformat() for number in numbers) or ("",)

    def _commit(self, name: str, removed: Iterable[str], added: Iterable[str], record: Record | None) -> int:
        table = self.table(name)
        actions: list[dict[str, Any]] = []
        info = {"timestamp": self.now_ms, "operation": "WRITE", "engineInfo": "somebody"}
        if record is not None:
            info |= {"deltaworks": record.to_json()}
        actions.append({"commitInfo": info})
        partitioned = bool(self.graph.nodes[AssetKey(name)].partition_columns)
        if not table.exists:
            columns = ["day"] if partitioned else []
            metadata = {
                "id": f"{name}-{next(self._ids)}",
                "schemaString": '{"fields": []}',
                "partitionColumns": columns,
            }
            actions += [{"metaData": metadata}, {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}]
        live = self._live[name]
        for key in removed:
            values = {"day": key} if partitioned else {}
            if key in live:
                live.remove(key)
                actions.append({"remove": {"path": f"{key}.parquet", "partitionValues": values, "dataChange": True}})
        for key in added:
            values = {"day": key} if partitioned else {}
            live.add(key)
            add = {"path": f"{key}.parquet", "size": 1, "partitionValues": values, "dataChange": True}
            actions.append({"add": add})
        content = "\n".join(map(json.dumps, actions)).encode()
        table.apply(parse_commit(name, table.version + 1, content))
        self.logs[name].append(content)
        return table.version


@pytest.fixture(scope="session")
def lake_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Lake]:
    """Return a function that makes a lake of some assets; nothing is ever written to its folder."""
    folder = tmp_path_factory.mktemp("lake")
    return lambda *assets: Lake(folder, *assets)


@pytest.fixture(scope="session")
def table_of() -> Callable[..., dw.Asset[..., pl.LazyFrame]]:
    """Return `table`, which makes assets for a lake."""
    return table
