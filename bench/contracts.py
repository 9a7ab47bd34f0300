"""What validation costs beside the writing that it guards: `make bench`.

Twenty million rows of ten columns, from a Parquet scan, against a model of 22 rules: written by Polars alone, written
and validated as a run does it (staged, not committed), and validated by pandera. Every way runs in a process of its
own, in turns, `contracts.py ROUNDS` times. Then a thousand rows, validated again and again. `contracts.py tiny` runs
every way once, on next to nothing.
"""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandera.polars as pa
import polars as pl
from measure import Measurement, measure
from pandera.config import ValidationDepth, config_context
from rows import Row, keep, measured

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.execution.asset_resources import NO_RESOURCES
from deltaworks.engine.execution.stage import Stager
from deltaworks.engine.execution.task import Task
from deltaworks.engine.planning.graph import build_graph
from deltaworks.io.parquet import COMPRESSION, ROW_GROUP_ROWS
from deltaworks.io.store import Store
from deltaworks.validation import compile_contract

HERE = Path(__file__).parent
CARRIERS, ORIGINS = ["AA", "B6", "DL", "UA", "WN"], ["EWR", "JFK", "LGA"]
FIRST = datetime(2013, 1, 1, tzinfo=UTC)
SAYS = {
    "write": "Polars writes, nothing validates",
    "stage": "deltaworks writes and validates, 21 rules",
    "stage unique": "deltaworks writes and validates, unique too",
    "pandera": "pandera validates the scan, 21 rules",
    "pandera unique": "pandera validates the scan, unique too",
}
SMALL_ROWS = 1000


class Order(pa.DataFrameModel):
    """Ten columns and 21 rules."""

    number: int = pa.Field(ge=0)
    at: pl.Datetime = pa.Field(ge=FIRST.replace(tzinfo=None))
    carrier: str = pa.Field(isin=CARRIERS)
    origin: str = pa.Field(isin=ORIGINS)
    code: str = pa.Field(str_matches=r"^[A-Z]\d+$")
    name: str = pa.Field(str_length={"min_value": 1, "max_value": 12})
    price: float = pa.Field(ge=0, le=10_000)
    quantity: int = pa.Field(in_range={"min_value": 0, "max_value": 1000})
    distance: float = pa.Field(le=5_000)
    delay: float = pa.Field(nullable=True, ge=-120, le=3_000)


class UniqueOrder(Order):
    """The same, and a key."""

    number: int = pa.Field(ge=0, unique=True)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done."""

    rows: int = 20_000_000
    rounds: int = 3
    repeats: int = 300
    """Of the validation of a thousand rows."""


def main() -> None:
    """Run the rounds and print the tables."""
    sizes = Sizes()
    if sys.argv[1:]:
        sizes = Sizes(5_000, 1, 3) if sys.argv[1] == "tiny" else Sizes(rounds=int(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder:
        _child("source", folder, sizes.rows)
        runs: dict[str, list[Measurement]] = {way: [] for way in SAYS}
        for number in range(sizes.rounds):
            for way, done in runs.items():
                done.append(_child(way, folder, sizes.rows))
                keep(Row("validation", SAYS[way], measured(done[-1]), number, {"rows": sizes.rows}))
    print(f"\n{sizes.rows:,} rows, 10 columns; medians of {sizes.rounds}")
    print(f"{'way':46} {'CPU s':>8} {'peak MiB':>9} {'CPU / write':>12}", flush=True)
    for way, done in runs.items():
        ratio = statistics.median(this.cpu_s / alone.cpu_s for this, alone in zip(done, runs["write"], strict=True))
        cpu_s, peak_mib = (statistics.median(getattr(run, name) for run in done) for name in ("cpu_s", "peak_mib"))
        print(f"{SAYS[way]:46} {cpu_s:8.1f} {peak_mib:9.0f} {ratio:12.2f}")
    _small(sizes.repeats)


def _child(way: str, folder: str, rows: int) -> Measurement:
    return measure([sys.executable, str(Path(__file__)), "run", way, folder, str(rows)], HERE, {})


def run(way: str, folder: Path, rows: int) -> None:
    """Do one thing once, in a process that does nothing else.

    Raises:
        SystemExit: rows are missing, or a rule failed.
    """
    source = folder / "source.parquet"
    model = UniqueOrder if way.endswith("unique") else Order
    match way:
        case "source":
            write_source(source, rows)
        case "write":
            target = folder / "alone.parquet"
            pl.scan_parquet(source).sink_parquet(
                target, compression=COMPRESSION, row_group_size=ROW_GROUP_ROWS, maintain_order=True
            )
            target.unlink()
        case "stage" | "stage unique":
            stage(source, model, folder / "lake", rows)
        case _:
            # On a scan, pandera looks at the schema alone unless it is told to look at the rows.
            with config_context(validation_depth=ValidationDepth.SCHEMA_AND_DATA):
                model.validate(pl.scan_parquet(source), lazy=True)


def write_source(path: Path, rows: int) -> None:
    """Write rows that keep every rule; the same number writes the same rows. Keys come in no order."""
    # A step that shares no factor with the number of rows visits each key once.
    step = next(candidate for candidate in (7_368_787, 7_368_791, 7_368_793) if math.gcd(candidate, rows) == 1)
    n = pl.int_range(rows, dtype=pl.Int64)
    numbers = pl.LazyFrame().select(((n * step) % rows).alias("number"))
    h = pl.col("number").hash(seed=7)
    numbers.select(
        "number",
        at=pl.lit(FIRST.replace(tzinfo=None)) + pl.duration(seconds=pl.col("number") * 3),
        carrier=pl.lit(pl.Series([CARRIERS])).first().list.get(h % len(CARRIERS)),
        origin=pl.lit(pl.Series([ORIGINS])).first().list.get((h // 8) % len(ORIGINS)),
        code=pl.concat_str(pl.lit("N"), (h % 9_999).cast(pl.String)),
        name=pl.concat_str(pl.lit("name "), (h % 9_999_999).cast(pl.String)),
        price=(h % 1_000_000).cast(pl.Float64) / 100,
        quantity=((h // 64) % 1_001).cast(pl.Int64),
        distance=(h // 128 % 500_000).cast(pl.Float64) / 100,
        delay=pl.when(h % 50 != 0).then((h // 256 % 300_000).cast(pl.Float64) / 100 - 100),
    ).sink_parquet(path, compression=COMPRESSION, row_group_size=ROW_GROUP_ROWS)


def stage(source: Path, model: type[Order], lake: Path, rows: int) -> None:
    """Write and validate as a run does."""

    @dw.asset(name="orders")
    def orders() -> LazyFrame[model]:  # type: ignore[valid-type]
        return pl.scan_parquet(source)

    graph = build_graph(dw.Definitions([orders]), datetime.now(UTC))
    stager = Stager(Store.at(str(lake)), {str(key): node for key, node in graph.nodes.items()}, NO_RESOURCES)
    outcome = stager.stage(Task("bench", 1, orders.key, 0, 0, {}, is_small=False))
    (staged,) = outcome.staged
    if outcome.failures or staged.not_passed or staged.partition.rows != rows:
        raise SystemExit(f"what was staged is not what there is: {outcome}")
    for file in staged.partition.files:
        (lake / "orders" / file.path).unlink()


def _small(repeats: int) -> None:
    """Print what one validation of a thousand rows in memory costs, models and contracts known."""
    with tempfile.TemporaryDirectory() as folder:
        write_source(Path(folder) / "small.parquet", SMALL_ROWS)
        df = pl.read_parquet(Path(folder) / "small.parquet")

    def ours() -> None:
        contract = compile_contract(UniqueOrder, df.schema)
        row = df.lazy().select(contract.aggregates()).collect().row(0, named=True)
        if not contract.judge(row).ok:
            raise SystemExit("rows that keep every rule failed")

    print(f"\n{SMALL_ROWS:,} rows in memory, 22 rules; CPU ms of one validation, of {repeats} in turns")
    ways: dict[str, Callable[[], object]] = {"deltaworks": ours, "pandera": lambda: UniqueOrder.validate(df, lazy=True)}
    took: dict[str, float] = dict.fromkeys(ways, 0.0)
    for each in ways.values():
        each()
    for _ in range(repeats):
        for way, validate in ways.items():
            started = time.process_time()
            validate()
            took[way] += time.process_time() - started
    for way, cpu_s in took.items():
        print(f"{way:46} {cpu_s / repeats * 1000:8.2f}", flush=True)
        figures = {"cpu_ms": round(cpu_s / repeats * 1000, 3)}
        keep(Row("validation of a thousand rows", way, figures, sizes={"rows": SMALL_ROWS}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
