"""What ten thousand tiny steps cost the engine beyond what Polars takes for the same: `make bench`.

An asset of many partitions of three rows each is made on two threads, by `deltaworks backfill`. Beside it, two threads
make the same frames, measure and write them by the same calls of Polars, and nothing else. Of both, the CPU of a run of
few partitions is taken off, so that starting up does not count. `steps.py tiny` does it for next to nothing.
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
from measure import measure
from rows import Row, keep

FEW, MANY = 10, 10_000

PROJECT = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

parts = dw.StaticPartitions([f"p{{number:05}}" for number in range({count})])


class Row(pa.DataFrameModel):
    part: str
    n: int = pa.Field(ge=0)


@dw.asset(partitions=parts, partition_by="part")
def tiny(partition: dw.Partition) -> LazyFrame[Row]:
    return pl.LazyFrame({{"part": [partition.key] * 3, "n": [1, 2, 3]}})
"""


def main() -> None:
    """Print CPU milliseconds a step, each way."""
    if sys.argv[1:2] == ["plain"]:
        plain(Path(sys.argv[2]), int(sys.argv[3]))
        return
    few, many = (0, 22) if sys.argv[1:] == ["tiny"] else (FEW, MANY)
    ours, bare = ((cpu_s(way, many) - cpu_s(way, few)) / (many - few) * 1000 for way in ("deltaworks", "plain"))
    print(f"\nCPU of {many:,} steps that make three rows each, on 2 threads")
    print(f"{'what':44} {'ms/step':>8}")
    print(f"{'deltaworks backfill':44} {ours:8.2f}")
    print(f"{'the same frames and files by Polars alone':44} {bare:8.2f}")
    print(f"{'what the engine takes beyond that':44} {ours - bare:8.2f}")
    for way, cpu_ms in (("deltaworks", ours), ("Polars alone", bare)):
        keep(Row("a tiny step", way, {"cpu_ms": round(cpu_ms, 3)}, sizes={"steps": many}))


def cpu_s(way: str, count: int) -> float:
    """Return the CPU of making so many partitions; of none, that of no process."""
    if not count:
        return 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tables.py").write_text(PROJECT.format(count=count))
        (folder / "deltaworks.toml").write_text('modules = ["tables"]\ndurable = false\n')
        command = ["-m", "deltaworks", "backfill", "--workers", "2"]
        if way == "plain":
            command = [__file__, "plain", str(folder / "plain"), str(count)]
        return measure([sys.executable, *command], folder, {}).cpu_s


def plain(folder: Path, count: int) -> None:
    """Make, measure and write the frames, as the engine does with small ones."""

    def step(number: int) -> None:
        part = f"p{number:05}"
        df = pl.LazyFrame({"part": [part] * 3, "n": [1, 2, 3]}).collect()
        n = pl.col("n")
        rules = [pl.len(), (~(n >= 0)).sum().alias("rule"), n.is_null().sum().alias("nulls")]
        df.lazy().select(*rules, n.min().alias("least"), n.max().alias("most")).collect().row(0)
        df.drop("part").write_parquet(folder / f"part={part}" / "0.parquet", compression="zstd", mkdir=True)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(step, range(count)))


if __name__ == "__main__":
    main()
