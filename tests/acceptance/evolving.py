"""A small project whose columns change, and what its tests ask of it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import polars as pl
from deltalake import DeltaTable, QueryBuilder

from tests.acceptance.conftest import Here

MODULE = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-05")

class Row(pa.DataFrameModel):
    day: pl.Date
    n: pl.Int32
    note: str = pa.Field(nullable=True, description="what was said")
    # more

@dw.asset(partitions=days, partition_by="day")
def numbers(partition: dw.Partition) -> LazyFrame[Row]:
    lf = pl.LazyFrame({"day": [partition.start], "n": [partition.start.day], "note": ["x"]})
    return lf.with_columns(
        pl.col("n").cast(pl.Int32),
        # computed
    )

@dw.asset(partitions=days, partition_by="day")
def doubled(numbers: LazyFrame[Row]) -> dw.LazyFrame:
    return numbers.select("day", pl.col("n") * 2)

@dw.asset(partitions=days, partition_by="day")
def other(partition: dw.Partition) -> dw.LazyFrame:
    return pl.LazyFrame({"day": [partition.start], "n": [1]})
"""
FIRST, SECOND, THIRD, FOURTH = (dt.date(2024, 1, day) for day in (1, 2, 3, 4))


WIDER = ("    n: pl.Int32\n", "    n: pl.Int64\n"), ("pl.Int32),\n        # computed", "pl.Int64),\n        # computed")
DROPPED = (
    ('    note: str = pa.Field(nullable=True, description="what was said")\n', ""),
    ("class Row(pa.DataFrameModel):\n", "class Row(pa.DataFrameModel):\n    class Config:\n        strict = True\n"),
    (', "note": ["x"]})', "})"),
)
"""What the columns of the table become, as edits of the module."""


def change(project: Here, *edits: tuple[str, str]) -> None:
    for old, new in edits:
        project.edit("tables.py", old, new)


def rows(project: Here, asset: str = "numbers", version: int | None = None) -> list[dict[str, Any]]:
    """The rows of a table, seen to be the same for delta-rs' own engine and for Polars."""
    table = DeltaTable(str(project.lake / asset), version=version)
    ours = pl.read_delta(table).sort("day")
    theirs = pl.DataFrame(QueryBuilder().register("t", table).execute("select * from t").read_all())
    assert theirs.select(ours.columns).sort("day").equals(ours)
    return ours.rows(named=True)


def commits(project: Here, asset: str = "numbers") -> list[list[dict[str, Any]]]:
    """The actions of each commit."""
    paths = sorted((project.lake / asset / "_delta_log").glob("*.json"))
    return [[json.loads(line) for line in path.read_text("utf-8").splitlines()] for path in paths]
