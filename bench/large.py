"""A source larger than memory beside Polars' own partitioned sink: `make bench`.

A file of some days of rows is made first. Then, in turns and each in a process of its own: Polars writes it into daily
partitions by `sink_parquet`; the engine makes the same of it in one run with validation, statistics and a commit, under
a cap of memory. The cap is hard: once all processes of the run together hold more, they are killed and the bench fails.
Both ways read and write the same rows; a difference stops the bench, too. `large.py BYTES MEMORY_MB` says how large the
file is, and how much memory the run may take.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import polars as pl
from measure import measure
from rows import Row, keep, measured

HERE = Path(__file__).parent
DAYS, ROW_BYTES = 30, 15
START = dt.date(2024, 1, 1)

PROJECT = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="{start}", end="{end}")


class Event(pa.DataFrameModel):
    day: pl.Date
    number: int = pa.Field(ge=0)
    user: int = pa.Field(ge=0)
    price: float = pa.Field(ge=0, le=10_000)
    quantity: pl.Int32 = pa.Field(lt=50)
    article: str = pa.Field(str_startswith="A")
    at: pl.Datetime


@dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.ranges())
def events(partition: dw.Partition) -> LazyFrame[Event]:
    return pl.scan_parquet({source!r}).filter(partition.contains("day"))
"""

PLAIN = """
import sys
import polars as pl

pl.scan_parquet(sys.argv[1]).sink_parquet(pl.PartitionBy(sys.argv[2], key="day"), mkdir=True)
"""


def main() -> None:
    """Make the source and print a row for each way, then the ratio."""
    if sys.argv[1:2] == ["make"]:
        make(Path(sys.argv[2]), int(sys.argv[3]))
        return
    size_bytes = int(float(sys.argv[1])) if len(sys.argv) > 1 else 200_000_000
    memory_mb = float(sys.argv[2]) if len(sys.argv) > 2 else 1500.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source.parquet"
        # In a process of its own: the memory of this one would count as that of what it starts.
        rows_a_day = str(size_bytes // ROW_BYTES // DAYS)
        subprocess.run([sys.executable, __file__, "make", str(source), rows_a_day], check=True)
        (folder / "plain.py").write_text(PLAIN)
        end = START + dt.timedelta(days=DAYS)
        (folder / "tables.py").write_text(PROJECT.format(start=START, end=end, source=str(source)))
        (folder / "deltaworks.toml").write_text('modules = ["tables"]\n')
        plain = measure([sys.executable, "plain.py", str(source), "plain"], folder, {})
        command = [sys.executable, "-m", "deltaworks", "backfill", "--workers", "1", "--memory-mb", f"{memory_mb:g}"]
        ours = measure(command, folder, {}, cap_mib=memory_mb * 1e6 / 1024**2)
        rows = [counted(folder / where) for where in ("plain", "lake/events")]
        if rows[0] != rows[1]:
            raise SystemExit(f"the ways disagree: {rows[0]} and {rows[1]} rows")
        source_bytes = source.stat().st_size
    for way, found in (("Polars' partitioned sink", plain), (f"deltaworks within {memory_mb:g} MB", ours)):
        print(json.dumps({"way": way, "source_mb": round(source_bytes / 1e6), **asdict(found)}), flush=True)
        sizes = {"source_mb": round(source_bytes / 1e6), "cap_mb": memory_mb}
        keep(Row("larger than memory", way, measured(found), sizes=sizes, fingerprint=[rows[0]]))
    peaks = f"{plain.peak_mib:,.0f} and {ours.peak_mib:,.0f} MiB"
    print(f"\npeak memory of all processes together: {peaks}, of which the engine's were held to {memory_mb:,.0f} MB")
    print(f"{rows[0]:,} rows, {source_bytes / 1e6:,.0f} MB of Parquet, {DAYS} partitions")
    wall, cpu = plain.wall_s / ours.wall_s, plain.cpu_s / ours.cpu_s
    print(f"throughput against Polars' sink: {wall:.2f} by wall, {cpu:.2f} by CPU (goal: at least 0.85)")


def make(source: Path, rows_a_day: int) -> None:
    """Write a file of days of rows, in their order."""
    i = pl.int_range(rows_a_day)
    days = (
        pl.select(i=i)
        .lazy()
        .select(
            day=pl.lit(START + dt.timedelta(days=day)),
            number=pl.col("i") + day * rows_a_day,
            user=(pl.col("i").hash(day) % 1_000_003).cast(pl.Int64),
            price=(pl.col("i").hash(day + 7) % 1_000_000) / 100.0,
            quantity=(pl.col("i").hash(3) % 50).cast(pl.Int32),
            article=pl.format("A-{}", pl.col("i").hash(5) % 20_000),
            at=pl.lit(START + dt.timedelta(days=day)).cast(pl.Datetime("us"))
            + pl.duration(seconds=pl.col("i") % 86_400),
        )
        for day in range(DAYS)
    )
    pl.concat(list(days)).sink_parquet(source, row_group_size=128 * 1024)


def counted(folder: Path) -> int:
    """Return how many rows lie in Parquet files below a folder."""
    found: int = (
        pl.scan_parquet(str(folder / "**/*.parquet"), hive_partitioning=False).select(pl.len()).collect().item()
    )
    return found


if __name__ == "__main__":
    main()
