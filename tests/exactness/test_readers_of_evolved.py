"""A table to which a commit of the engine added a column reads the same in engines that share no code with it."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import polars as pl
import pytest

import deltaworks as dw
from tests.exactness.test_readers import read_elsewhere

START = dt.date(2024, 1, 1)
days = dw.DailyPartitions(start=START, end=START + dt.timedelta(days=3))
KINDS = {"day": "date", "n": "integer", "at": "instant", "weight": "float", "word": "string"}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of three days, of which the second was made with three columns more and the third with two of them."""
    lake = tmp_path_factory.mktemp("evolved") / "lake"
    more: dict[str, pl.Expr] = {}

    @dw.asset(partitions=days, partition_by="day")
    def daily(partition: dw.Partition) -> dw.LazyFrame:
        return pl.LazyFrame({"n": [partition.start.day]}).select(pl.lit(partition.start).alias("day"), "n", **more)

    dw.materialize([daily], lake=lake)
    more |= {"at": pl.lit("2024-02-29 12:00").str.to_datetime("%Y-%m-%d %H:%M"), "weight": pl.col("n") / 2}
    dw.materialize([daily], lake=lake, partition="2024-01-02")
    more |= {"word": pl.lit("w")}
    dw.materialize([daily], lake=lake, partition="2024-01-03")
    return lake


EXPECTED = [
    ("2024-01-01", 1, None, None, None),
    ("2024-01-02", 2, 1709208000000000, "1.0", None),
    ("2024-01-03", 3, 1709208000000000, "1.5", "w"),
]


# ClickHouse's own reader refuses commits with two schemas, whoever wrote them; the checkpoint holds only the last one.
READERS = pytest.mark.parametrize(
    ("reader", "has_checkpoint"), [("duckdb", False), ("duckdb", True), ("clickhouse", True)]
)


@pytest.fixture
def table(lake: Path, tmp_path: Path, has_checkpoint: bool) -> Path:
    table = Path(shutil.copytree(lake / "daily", tmp_path / "lake" / "daily"))
    assert list(table.rglob("*.checkpoint.parquet"))
    for path in () if has_checkpoint else (*table.rglob("*.checkpoint.parquet"), *table.rglob("_last_checkpoint")):
        path.unlink()
    return table


@READERS
def test_another_engine_reads_nulls_where_a_column_was_not_yet(reader: str, table: Path, readers_python: Path) -> None:
    assert sorted(read_elsewhere(readers_python, reader, table, KINDS), key=repr) == EXPECTED


@READERS
def test_another_engine_filters_by_the_column_that_was_added(reader: str, table: Path, readers_python: Path) -> None:
    found = read_elsewhere(readers_python, reader, table, {"n": "integer"}, where="word IS NULL")

    assert sorted(found) == [(1,), (2,)]
