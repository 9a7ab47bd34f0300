"""What commits cost beside a bare compare-and-swap of one file: `make bench`.

First by themselves: a thousand times, one file of one of ten partitions is replaced: by the engine's own commit, with
record, durability off as delta-rs has none; and by a bare compare-and-swap through delta-rs, which opens the table and
commits the same two actions. Both in turns, a hundred commits at a time.

Up to ten thousand commits are cheap by the engine; delta-rs is asked for the first `BARE` only, since it grows.

Then a whole job in which every partition must be a commit of its own, since it is made from the one before: `deltaworks
backfill`, with validation and record; and a bare loop that opens the table, reads the partition before, writes one file
and commits it, as often. Of both, the CPU of a run of few partitions is taken off, so that starting up does not count.
`commits.py COMMITS PARTITIONS` says how many of each.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable
from deltalake.transaction import AddAction, RemoveAction
from measure import measure
from rows import Row, keep

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
ROUND, BARE = 100, 1000

START, FEW = dt.date(2013, 1, 1), 5

PROJECT = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions("{start}", "{end}")


class Balance(pa.DataFrameModel):
    day: pl.Date
    account: int = pa.Field(ge=0)
    amount: int = pa.Field(ge=0)


@dw.asset(partitions=days, partition_by="day")
def balance(yesterday: dw.Previous[Balance], partition: dw.Partition) -> LazyFrame[Balance]:
    accounts = pl.LazyFrame({{"account": range(1000)}})
    joined = accounts.join(yesterday, on="account", how="left")
    return joined.select(pl.lit(partition.start).alias("day"), "account", pl.col("amount").fill_null(0) + 1)
"""


def main() -> None:
    """Print CPU milliseconds a commit, a row for each hundred commits, then a row for each way to do the whole job."""
    if sys.argv[1:2] == ["loop"]:
        loop(Path(sys.argv[2]), int(sys.argv[3]))
        return
    commits = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    partitions = int(sys.argv[2]) if len(sys.argv) > 2 else 365
    by_themselves(commits)
    jobs(partitions)


def by_themselves(commits: int) -> None:
    """Print a row for each hundred commits."""
    with tempfile.TemporaryDirectory() as folder:
        ours, bare = engine(Path(folder) / "engine"), through_delta_rs(Path(folder) / "bare")
        print(f"\n{'commits':>8} {'engine ms':>10} {'bare ms':>9} {'engine / bare':>14}")
        for first in range(0, commits, ROUND):
            mine = timed(ours, first)
            keep_commit("deltaworks", first + ROUND, mine)
            if first >= BARE:
                print(f"{first + ROUND:8} {mine:10.2f}", flush=True)
                continue
            theirs = timed(bare, first)
            keep_commit("delta-rs compare-and-swap", first + ROUND, theirs)
            print(f"{first + ROUND:8} {mine:10.2f} {theirs:9.2f} {mine / theirs:14.2f}", flush=True)


def keep_commit(way: str, commits: int, cpu_ms: float) -> None:
    """Keep a row of what a commit cost, after so many."""
    keep(Row("a commit in a log", way, {"cpu_ms": round(cpu_ms, 3)}, sizes={"commits": commits}))


def jobs(partitions: int) -> None:
    """Print a row for each way to make partitions that are a commit each, and how they compare."""
    ours, bare = ((job_s(way, partitions) - job_s(way, FEW)) / (partitions - FEW) * 1000 for way in ("engine", "loop"))
    print(f"\nCPU of {partitions:,} partitions, each made from the one before and committed by itself")
    print(f"{'what':44} {'ms/partition':>12}")
    print(f"{'deltaworks backfill, validated':44} {ours:12.2f}")
    print(f"{'a bare loop, one compare-and-swap each':44} {bare:12.2f}")
    print(f"ratio: {ours / bare:.2f} (goal: at most 1.5)")
    for way, cpu_ms in (("deltaworks", ours), ("plain loop, compare-and-swap", bare)):
        keep(Row("one commit a partition", way, {"cpu_ms": round(cpu_ms, 3)}, sizes={"partitions": partitions}))


def job_s(way: str, partitions: int) -> float:
    """Return the CPU of making so many partitions."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        end = START + dt.timedelta(days=partitions)
        (folder / "tables.py").write_text(PROJECT.format(start=START, end=end))
        (folder / "deltaworks.toml").write_text('modules = ["tables"]\ndurable = false\n')
        command = ["-m", "deltaworks", "backfill"]
        if way == "loop":
            command = [__file__, "loop", str(folder / "lake"), str(partitions)]
        taken = measure([sys.executable, *command], folder, {}).cpu_s
        table = DeltaTable(str(folder / "lake" / "balance"))
        if (table.version(), len(table.file_uris())) != (partitions, partitions):
            raise SystemExit(f"{way}: {table.version()} commits and {len(table.file_uris())} files, not {partitions}")
    return taken


def loop(lake: Path, partitions: int) -> None:
    """Make partitions one by one, each from the one before, with Polars and delta-rs alone."""
    uri = str(lake / "balance")
    schema = pl.Schema({"day": pl.Date(), "account": pl.Int64(), "amount": pl.Int64()})
    create_table(Table(Store.at(str(lake), durable=False), "balance"), schema, ["day"], Description())
    before: str | None = None
    accounts = pl.LazyFrame({"account": range(1000)})
    for number in range(partitions):
        day = START + dt.timedelta(days=number)
        table = DeltaTable(uri)
        yesterday = pl.LazyFrame(schema=schema).drop("day") if before is None else pl.scan_parquet(before)
        joined = accounts.join(yesterday, on="account", how="left")
        df = joined.select("account", pl.col("amount").fill_null(0) + 1).collect()
        path = f"day={day}/{uuid.uuid4()}.parquet"
        before = f"{uri}/{path}"
        df.write_parquet(before, compression="zstd", mkdir=True)
        stats = json.dumps(
            {
                "numRecords": df.height,
                "minValues": df.min().row(0, named=True),
                "maxValues": df.max().row(0, named=True),
                "nullCount": df.null_count().row(0, named=True),
            }
        )
        now_ms, size = int(time.time() * 1000), Path(before).stat().st_size
        action = AddAction(path, size, {"day": str(day)}, now_ms, True, stats)
        properties = CommitProperties(max_commit_retries=0)
        table.create_write_transaction([action], "append", table.schema(), ["day"], commit_properties=properties)


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
