"""What is large is cut: partitions into files, ranges into calls that the memory of a run has room for."""

from __future__ import annotations

import json
import re

import polars as pl
from deltalake import DeltaTable

from tests.acceptance.conftest import Here, Project

HEAD = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-08")
"""

LARGE = (
    HEAD
    + """
class Row(pa.DataFrameModel):
    day: pl.Date
    n: int = pa.Field(ge=0, unique=True)
    x: float

@dw.asset(partitions=days, partition_by="day")
def large(partition: dw.Partition) -> LazyFrame[Row]:
    n = pl.int_range(600_000)
    return pl.select(day=pl.lit(partition.start), n=n, x=(n.hash(7) % 1_000_000_007) / 7).lazy()
"""
)


def test_a_large_partition_is_several_files_each_with_its_own_statistics(here: Here) -> None:
    here.write("deltaworks.toml", 'modules = ["tables"]\ndurable = false\n[executor]\ntarget_file_bytes = 1000000\n')
    here.write("tables.py", LARGE)

    first = here.run("materialize", "large", "--partition", "2024-01-02", "--json")
    second = here.run("materialize", "large", "--partition", "2024-01-02", "--json")

    assert (first.code, second.code) == (0, 0), first.err + second.err
    table = DeltaTable(here.lake / "large")
    commits = sorted((here.lake / "large" / "_delta_log").glob("*.json"))[-2:]
    before, after = ([json.loads(line) for line in commit.read_text().splitlines()] for commit in commits)
    added = [line["add"] for line in after if "add" in line]
    assert len(added) > 1
    assert {line["remove"]["path"] for line in after if "remove" in line} == {
        line["add"]["path"] for line in before if "add" in line
    }
    assert sorted(table.file_uris()) == sorted(str(here.lake / "large" / each["path"]) for each in added)
    for each in added:
        rows = pl.read_parquet(here.lake / "large" / each["path"], hive_partitioning=False)
        stats = json.loads(each["stats"])
        assert (stats["numRecords"], stats["nullCount"]) == (rows.height, {"n": 0, "x": 0})
        assert (stats["minValues"]["n"], stats["maxValues"]["n"]) == (rows["n"].min(), rows["n"].max())
    df = pl.read_delta(str(here.lake / "large"))
    assert (df.height, df["n"].n_unique()) == (600_000, 600_000)
    plan = here.run("plan", "--only", "all", "--partition", "2024-01-02", "--json").json
    assert plan["totals"]["rows"] == 600_000
    assert plan["totals"]["bytes"] == sum(each["size"] for each in added)


HUNGRY = (
    HEAD
    + """
@dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.ranges())
def hungry(partition: dw.Partition) -> pl.LazyFrame:
    eaten = bytearray(100_000_000 * len(partition.keys))
    eaten[::4096] = bytes([1]) * len(eaten[::4096])
    return pl.LazyFrame({"day": partition.keys}).select(pl.col("day").str.to_date(), n=pl.lit(1))
"""
)


def test_ranges_that_need_more_memory_than_a_run_may_take_become_smaller(project: Project) -> None:
    project.write(
        "deltaworks.toml", 'modules = ["tables"]\ndurable = false\n[executor]\nmemory_mb = 700\nworkers = 1\n'
    )
    project.write("tables.py", HUNGRY)

    done = project.run("backfill", "--json")

    assert done.code == 0, done.err
    assert done.json["totals"]["materialized"] == 7
    assert done.json["assets"][0]["calls"] > 2, "one partition first, since nothing is known, then those that fit"
    assert re.search(r"made again in halves.*: hungry \S+\.\.\S+: its process .* more than memory_mb=450", done.err)


def test_memory_that_a_run_cannot_work_with_is_refused(here: Here) -> None:
    here.write("deltaworks.toml", 'modules = ["tables"]\n')
    here.write("tables.py", HUNGRY)

    refused = here.run("backfill", "--memory-mb", "600", "--workers", "2")

    assert refused.code == 2
    assert refused.sentence == (
        "memory_mb=600 is too little for a run with 2 workers: expected at least 850 (250 for the run and 300 for each "
        "worker). Raise it, or lower --workers."
    )
    assert not here.lake.exists()
