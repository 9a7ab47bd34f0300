"""How the cost of a commit grows with the number of commits: `make bench`.

A thousand times, one file of one of ten partitions is replaced: by the engine's own commit, with record, durability off
as delta-rs has none; and by a bare compare-and-swap through delta-rs, which opens the table and commits the same two
actions. Both in turns, a hundred commits at a time.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from deltaworks.io.commit import commit_partitions
from deltaworks.io.create import create_table
from deltaworks.io.description import Description
from deltaworks.io.parquet import Staging
from deltaworks.io.record import Group, Record
from deltaworks.io.staged import StagedPartition
from deltaworks.io.statistics import statistics
from deltaworks.io.store import Store
from deltaworks.io.table import Table

SCHEMA = pl.Schema({"p": pl.String(), "v": pl.Int64()})
ROUND = 100


def main() -> None:
    """Print CPU milliseconds a commit, a row for each hundred commits."""
    commits = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        ours, bare = engine(Path(folder) / "engine"), through_delta_rs(Path(folder) / "bare")
        print(f"\n{'commits':>8} {'engine ms':>10} {'bare ms':>9} {'engine / bare':>14}")
        for first in range(0, commits, ROUND):
            mine = timed(ours, first)
            theirs = timed(bare, first)
            print(f"{first + ROUND:8} {mine:10.2f} {theirs:9.2f} {mine / theirs:14.2f}", flush=True)


def timed(commit: Callable[[int], None], first: int) -> float:
    """Return the CPU milliseconds that a commit took, over a round of them."""
    started = time.process_time()
    for number in range(first, first + ROUND):
        commit(number)
    return (time.process_time() - started) / ROUND * 1000


def engine(lake: Path) -> Callable[[int], None]:
    """Return what makes the engine's commit of a number."""
    store = Store.at(str(lake), durable=False)
    table = Table(store, "t")
    create_table(table, SCHEMA, ["p"], Description())
    staged = {number: stage(store, number) for number in range(20)}

    def commit(number: int) -> None:
        part = staged[number % 20]
        run_id = f"run-{number}"
        record = Record(run_id, "t", "bench", "2024-01-01T00:00:00Z", (Group((part.key,), (part.rows,), "1:0"),), {})
        decided_at = {part.key: table.version}
        commit_partitions(table, [part], decided_at, lambda _: record, lambda _: None, int(time.time() * 1000))

    return commit


def through_delta_rs(lake: Path) -> Callable[[int], None]:
    """Return what makes the bare commit of a number: open, add one file, remove the one before."""
    store = Store.at(str(lake), durable=False)
    create_table(Table(store, "t"), SCHEMA, ["p"], Description())
    staged = {number: stage(store, number) for number in range(20)}
    uri = store.uri("t")

    def commit(number: int) -> None:
        part = staged[number % 20]
        (file,) = part.files
        now_ms, values = int(time.time() * 1000), dict(part.values)
        actions: list[AddAction | RemoveAction] = [
            AddAction(file.path, file.size_bytes, values, now_ms, True, file.statistics)
        ]
        if number >= 10:
            (before,) = staged[(number - 10) % 20].files
            actions.append(RemoveAction(before.path, True, now_ms, size=before.size_bytes, partition_values=values))
        table = DeltaTable(uri)
        properties = CommitProperties(custom_metadata={"deltaworks": json.dumps({})}, max_commit_retries=0)
        table.create_write_transaction(actions, "append", table.schema(), ["p"], commit_properties=properties)

    return commit


def stage(store: Store, number: int) -> StagedPartition:
    """Write a file for one of ten partitions."""
    values = {"p": f"p{number % 10}"}
    df = pl.DataFrame({"p": [values["p"]] * 100, "v": range(100)}, schema=SCHEMA)
    staging = Staging(store, "t", "bench", number)
    staging.write(df, values)
    measured = df.select(statistics({"v": SCHEMA["v"]})).row(0, named=True)
    return StagedPartition(values["p"], values, df.height, (staging.staged(values, measured, df.height),))


if __name__ == "__main__":
    main()
