"""A lake of its own for each test, written through the public names of io and, as outsiders do, through delta-rs.

Run as a program this is one of several processes that commit to the same table.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, QueryBuilder

from deltaworks.io.commit import Committed, commit_partitions
from deltaworks.io.create import create_table, verify_table
from deltaworks.io.description import Description
from deltaworks.io.parquet import Staging
from deltaworks.io.partition_values import serialized
from deltaworks.io.places import Places
from deltaworks.io.record import Group, Record
from deltaworks.io.scan import scan_table
from deltaworks.io.staged import StagedPartition
from deltaworks.io.statistics import statistics
from deltaworks.io.store import Store
from deltaworks.io.table import Table


@dataclass
class Lake:
    store: Store
    numbers: count[int] = field(default_factory=count)

    def create(self, like: pl.DataFrame, by: Sequence[str] = ("p",), name: str = "t") -> Table:
        """Create a table with the columns of a frame."""
        table = Table(self.store, name)
        create_table(table, like.schema, by, Description("a table of a test"))
        return table

    def make(self, df: pl.DataFrame, by: Sequence[str] = ("p",), name: str = "t") -> Table:
        """Create a table and commit a frame to it, as run `first`."""
        table = self.create(df, by, name)
        self.replace(table, df, "first")
        return table

    def open(self, name: str = "t", version: int | None = None) -> Table:
        return Table.read(self.store, name, version)

    def uri(self, name: str = "t") -> str:
        return self.store.uri(name)

    def stage(self, table: Table, df: pl.DataFrame, run_id: str = "run") -> list[StagedPartition]:
        """Write a frame's partitions as files that no commit names."""
        assert table.metadata is not None
        by = list(table.metadata.partition_columns)
        parts = df.partition_by(by, as_dict=True) if by else {(): df}
        return [
            self._stage_one(table, part, dict(zip(by, map(serialized, values), strict=True)), run_id)
            for values, part in parts.items()
        ]

    def replace(
        self,
        table: Table,
        df: pl.DataFrame,
        run_id: str = "run",
        *,
        decided_at: int | None = None,
        empty: Sequence[str] = (),
    ) -> Committed:
        """Replace a frame's partitions, and empty some others of the partition column `p`."""
        staged = self.stage(table, df, run_id)
        staged += [StagedPartition(key, {"p": key}, 0, ()) for key in empty]
        return self.commit(table, staged, run_id, decided_at=decided_at)

    def commit(
        self, table: Table, staged: Sequence[StagedPartition], run_id: str = "run", *, decided_at: int | None = None
    ) -> Committed:
        assert table.metadata is not None
        schema, by = table.metadata.schema(), table.metadata.partition_columns
        return commit_partitions(
            table,
            staged,
            {part.key: table.version if decided_at is None else decided_at for part in staged},
            record_of(run_id, partitioned=bool(by)),
            lambda changed: verify_table(changed, schema, by),
            now_ms=1_700_000_000_000,
        )

    def _stage_one(self, table: Table, df: pl.DataFrame, values: Mapping[str, str], run_id: str) -> StagedPartition:
        staging = Staging(self.store, table.name, run_id, next(self.numbers))
        stored = {name: dtype for name, dtype in df.schema.items() if name not in values}
        staging.write(df, values)
        measured = df.select(statistics(stored)).row(0, named=True)
        return StagedPartition(
            Places(tuple(values)).of_values(values), values, df.height, (staging.staged(values, measured, df.height),)
        )


def record_of(run_id: str, *, partitioned: bool = True) -> Callable[[Sequence[StagedPartition]], Record]:
    def record(parts: Sequence[StagedPartition]) -> Record:
        keys = tuple(part.key for part in parts) if partitioned else None
        group = Group(keys, tuple(part.rows for part in parts), source="1:ab12")
        return Record(run_id, "t", "deltaworks 0", "2026-01-01T00:00:00+00:00", (group,), {"passed": 1})

    return record


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(Store(tmp_path / "lake"))


@pytest.fixture
def rows() -> Callable[..., list[tuple[object, ...]]]:
    """The rows of a table as this engine reads them, seen to be those that Polars and DataFusion read."""

    def read(table: Table) -> list[tuple[object, ...]]:
        ours = scan_table(table).collect()
        uri = table.store.uri(table.name)
        query = QueryBuilder().register("t", DeltaTable(uri)).execute("select * from t")
        others = [pl.read_delta(uri), pl.DataFrame(query.read_all())]
        content = sorted(ours.rows(), key=str)
        assert [sorted(other.select(ours.columns).rows(), key=str) for other in others] == [content, content]
        return content

    return read


def main(root: str, process: int, commits: int) -> None:
    """Commit to a table of the lake, one partition of one's own after the other."""
    lake = Lake(Store(Path(root), durable=False))
    df = pl.DataFrame({"p": [""], "v": [0]})
    table = Table.read(lake.store, "t")
    if not table.exists:
        table = lake.create(df)
    for number in range(commits):
        lake.replace(table, df.with_columns(p=pl.lit(f"{process}-{number}"), v=pl.lit(number)), f"run{process}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
