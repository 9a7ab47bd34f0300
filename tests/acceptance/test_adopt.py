"""A table that was made elsewhere becomes an asset's, with what others wrote told as external."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.acceptance.conftest import Here, Project

MODULE = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-05")

class Row(pa.DataFrameModel):
    day: pl.Date
    n: int

@dw.asset(location="legacy/numbers", partitions=days, partition_by="day")
def numbers(partition: dw.Partition) -> LazyFrame[Row]:
    return pl.LazyFrame({"day": [partition.start], "n": [1]})

@dw.asset(partitions=days, partition_by="day")
def doubled(numbers: LazyFrame[Row]) -> LazyFrame[Row]:
    return numbers.with_columns(pl.col("n") * 2)
"""


@pytest.fixture
def project(here: Here) -> Project:
    """Worked on in this process, beside those that the stories start."""
    return here


@pytest.fixture
def legacy(project: Project) -> Project:
    project.write("deltaworks.toml", 'modules = ["numbers_"]\n')
    project.write("numbers_.py", MODULE)
    df = pl.DataFrame({"day": [dt.date(2024, 1, day) for day in (1, 2, 3)], "n": [7, 8, 9]})
    (project.lake / "legacy").mkdir(parents=True)
    write_deltalake(str(project.lake / "legacy" / "numbers"), df, partition_by=["day"])
    return project


def test_an_adopted_table_keeps_its_rows_and_takes_new_ones(legacy: Project) -> None:
    (problem,) = legacy.run("doctor", "--json").json["problems"]
    assert problem["repair"] == "`deltaworks adopt numbers`"

    adopted = legacy.run("adopt", "numbers", "--json")
    again = legacy.run("adopt", "numbers", "--json")

    assert (adopted.code, again.code) == (0, 0), adopted.err
    assert {change["name"] for change in adopted.json["changed"]} == {
        "delta.logRetentionDuration",
        "deltaworks.partitions",
        "delta.enableExpiredLogCleanup",
    }
    assert (adopted.json["version"], again.json["version"], again.json["changed"]) == (1, 1, [])
    partitions = legacy.status()["numbers"]["partitions"]
    assert (partitions["external"], partitions["missing"], partitions["fresh"]) == (3, 1, 0)

    assert legacy.run("backfill", "--json").json["totals"]["materialized"] == 1 + 4

    assert pl.read_delta(str(legacy.lake / "doubled")).sort("day")["n"].to_list() == [14, 16, 18, 2]
    assert legacy.run("show", "numbers", "--json").json["rows"]
    assert not (legacy.lake / "numbers").exists()
    assert legacy.run("doctor").code == 0


def test_what_cannot_be_adopted_is_refused_and_left_as_it_is(legacy: Project) -> None:
    absent = legacy.run("adopt", "doubled")
    legacy.edit("numbers_.py", "    n: int", "    n: float")
    unfit = legacy.run("adopt", "numbers")

    assert (absent.code, unfit.code) == (2, 2)
    assert "There is no Delta table in" in absent.sentence
    assert "column 'n' is Int64 instead of Float64" in unfit.sentence
    assert DeltaTable(str(legacy.lake / "legacy" / "numbers")).version() == 0
    assert not (legacy.lake / "doubled").exists()


def test_a_table_that_lacks_a_nullable_column_is_adopted_and_gets_it_by_the_next_commit(legacy: Project) -> None:
    legacy.edit("numbers_.py", "    n: int\n", "    n: int\n    note: str = pa.Field(nullable=True)\n")
    legacy.edit("numbers_.py", '"n": [1]}', '"n": [1], "note": ["x"]}')

    adopted = legacy.run("adopt", "numbers")
    made = legacy.run("materialize", "numbers", "--partition", "2024-01-04")

    assert (adopted.code, made.code) == (0, 0), adopted.err + made.err
    df = pl.read_delta(str(legacy.lake / "legacy" / "numbers")).sort("day")
    assert df.select("n", "note").rows() == [(7, None), (8, None), (9, None), (1, "x")]
