"""Tables that runs wrote read the same in engines that share no code with this one or with delta-rs."""

from __future__ import annotations

import datetime as dt
import json
import math
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

import deltaworks as dw
from tests.exactness.naive import read_history

START = dt.date(2024, 1, 1)
EMPTY = dt.date(2024, 1, 3)
days = dw.DailyPartitions(start=START, end=START + dt.timedelta(days=4))
KINDS = {
    "day": "date",
    "i": "integer",
    "s": "string",
    "f": "float",
    "m": "decimal",
    "l": "list",
    "at": "instant",
    "d": "date",
    "b": "boolean",
}
"""The columns of the daily table."""


def everything(day: dt.date, made: int) -> pl.DataFrame:
    """A row of everything that is hard to write, one of nothing, and a plain one that says how often it was made."""
    instant = dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC)
    df = pl.DataFrame(
        {
            "i": pl.Series([-(2**63), None, made], dtype=pl.Int64),
            "s": pl.Series(["é'☃\"\n\\", None, ""], dtype=pl.String),
            "f": pl.Series([math.nan, None, -math.inf], dtype=pl.Float64),
            "m": pl.Series([Decimal("-123456789.125"), None, Decimal("0.001")], dtype=pl.Decimal(12, 3)),
            "l": pl.Series([[1, None, 3], None, []], dtype=pl.List(pl.Int64)),
            "at": pl.Series(
                [instant, None, dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC)], dtype=pl.Datetime("us", "UTC")
            ),
            "d": pl.Series([dt.date(1970, 1, 1), None, dt.date(2024, 2, 29)], dtype=pl.Date),
            "b": pl.Series([True, None, False], dtype=pl.Boolean),
        }
    )
    return df.select(pl.lit(day).alias("day"), pl.all()).head(0 if day == EMPTY else 3)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake in which every partition was replaced at least once, half of it before a checkpoint."""
    lake = tmp_path_factory.mktemp("readers") / "lake"
    made = 0

    @dw.asset(partitions=days, partition_by="day")
    def daily(partition: dw.Partition) -> dw.LazyFrame:
        return everything(partition.start, made).lazy()

    @dw.asset
    def whole(daily: dw.LazyFrame) -> dw.LazyFrame:
        return daily.drop("day", "l")

    for partition in (["2024-01-02"], ["2024-01-01", "2024-01-02"], None):
        made += 1
        dw.materialize([daily], lake=lake, partition=partition)
    dw.materialize([daily, whole], lake=lake)
    for table in ("daily", "whole"):
        DeltaTable(str(lake / table)).create_checkpoint()
    made += 1
    dw.materialize([daily], lake=lake, partition="2024-01-04")
    made += 1
    dw.materialize([daily, whole], lake=lake, partition="2024-01-02")
    return lake


def test_the_lake_has_what_is_to_be_read(lake: Path) -> None:
    history = read_history(lake / "daily")

    assert history.version == 6
    assert {key: len(changes) for key, changes in history.changes.items()} == {
        "2024-01-01": 3,
        "2024-01-02": 5,
        "2024-01-03": 2,
        "2024-01-04": 3,
    }
    assert sorted(history.live.values()) == ["2024-01-01", "2024-01-02", "2024-01-04"], "one day has no rows"
    plain = pl.read_delta(str(lake / "daily")).filter(pl.col("i") > 0)
    assert sorted(plain.select("day", "i").rows()) == [
        (dt.date(2024, 1, 1), 3),
        (dt.date(2024, 1, 2), 5),
        (dt.date(2024, 1, 4), 4),
    ]


@pytest.mark.parametrize("reader", ["duckdb", "clickhouse"])
@pytest.mark.parametrize("table", ["daily", "whole"])
def test_another_engine_reads_the_same_rows(reader: str, table: str, lake: Path, readers_python: Path) -> None:
    kinds = KINDS if table == "daily" else {name: kind for name, kind in KINDS.items() if name not in ("day", "l")}
    expected = pl.read_delta(str(lake / table))
    assert len(expected) == 9
    if reader == "clickhouse" and table == "daily":
        expected = expected.with_columns(pl.col("l").fill_null([]))  # its lists cannot be null

    found = read_elsewhere(readers_python, reader, lake / table, kinds)

    assert sorted(found, key=repr) == sorted((spelled(row, kinds) for row in expected.rows()), key=repr)


@pytest.mark.parametrize("reader", ["duckdb", "clickhouse"])
def test_another_engine_counts_the_rows_and_skips_files_by_statistics(
    reader: str, lake: Path, readers_python: Path
) -> None:
    rows = read_elsewhere(readers_python, reader, lake / "daily", {"i": "integer"}, where="i = 5")

    assert rows == [(5,)]


def read_elsewhere(
    python: Path, reader: str, table: Path, kinds: dict[str, str], where: str = "true"
) -> list[tuple[object, ...]]:
    """Read a table in a process of another environment; floats and decimals are numbers again."""
    script = Path(__file__).with_name("foreign_reader.py")
    columns = [f"{name}:{kind}" for name, kind in kinds.items()]
    done = subprocess.run(
        [str(python), str(script), reader, str(table), where, *columns],
        cwd=table.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    numbers = {"float": lambda text: repr(float(text)), "decimal": Decimal, "list": tuple}
    return [
        tuple(
            value if value is None else numbers.get(kind, lambda same: same)(value)
            for value, kind in zip(row, kinds.values(), strict=True)
        )
        for row in json.loads(done.stdout)
    ]


def spelled(row: tuple[Any, ...], kinds: dict[str, str]) -> tuple[object, ...]:
    """Spell a row of Polars as another environment does."""
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    spellings = {
        "date": str,
        "float": repr,
        "list": tuple,
        "instant": lambda instant: (instant - epoch) // dt.timedelta(microseconds=1),
    }
    return tuple(
        value if value is None else spellings.get(kind, lambda same: same)(value)
        for value, kind in zip(row, kinds.values(), strict=True)
    )
