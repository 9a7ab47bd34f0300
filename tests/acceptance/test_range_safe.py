"""`check --range-safe` makes samples of partitions both ways, and tells where a range comes out differently."""

from __future__ import annotations

from tests.acceptance.conftest import Here

MODULE = """
from typing import Annotated

import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-31")
RANGES = dw.BackfillPolicy.ranges(10)


class Row(pa.DataFrameModel):
    day: pl.Date
    n: int
    x: float


@dw.asset(partitions=days, partition_by="day")
def numbers(partition: dw.Partition) -> LazyFrame[Row]:
    n = partition.start.day
    return pl.LazyFrame({"n": [n, n + 1]}).select(day=pl.lit(partition.start), n="n", x=pl.col("n") / 3)


@dw.asset(partitions=days, partition_by="day", backfill=RANGES)
def by_day(numbers: LazyFrame[Row]) -> LazyFrame[Row]:
    return numbers.group_by("day").agg(pl.col("n").sum(), pl.col("x").mean())


@dw.asset(partitions=days, partition_by="day", backfill=RANGES)
def share(numbers: LazyFrame[Row]) -> LazyFrame[Row]:
    return numbers.with_columns(x=pl.col("n") / pl.col("n").sum())


@dw.asset(partitions=days, partition_by="day", backfill=RANGES)
def week(
    numbers: Annotated[LazyFrame[Row], dw.Input(mapping=dw.TimeWindowMapping(start_offset=-6))],
    partition: dw.Partition,
) -> LazyFrame[Row]:
    return numbers.select(pl.lit(partition.start).alias("day"), pl.col("n").sum(), pl.col("x").mean())


@dw.asset(partitions=days, partition_by="day", backfill=RANGES)
def one_only(numbers: LazyFrame[Row], partition: dw.Partition) -> LazyFrame[Row]:
    assert len(partition.keys) == 1, "one at a time"
    return numbers
"""


def test_functions_that_look_beyond_their_partition_are_found(here: Here) -> None:
    here.write("tables.py", MODULE)
    here.run("backfill", "numbers")
    before = sorted(path for path in here.lake.rglob("*"))

    found = here.run("check", "--range-safe", "--json")

    assert found.code == 2
    trials = {trial["asset"]: trial for trial in found.json["range_safe"]}
    assert {asset: trial["equal"] for asset, trial in trials.items()} == {
        "by_day": True,
        "share": False,
        "week": False,
        "one_only": False,
    }
    assert trials["by_day"]["partitions"] == {
        "count": 10,
        "ranges": [["2024-01-01", "2024-01-05"], ["2024-01-26", "2024-01-30"]],
    }
    assert trials["share"]["difference"]["rows"]["only_b"] == 20
    assert [problem["asset"] for problem in found.json["problems"]] == ["share", "week", "one_only"]
    assert trials["one_only"]["failures"][0].startswith(
        "one_only 2024-01-26 can be made alone, but not in a range: one_only 2024-01-26..2024-01-30: AssertionError"
    )
    assert sorted(path for path in here.lake.rglob("*")) == before, "nothing is written"


def test_people_see_the_first_rows_that_differ(here: Here) -> None:
    here.write("tables.py", MODULE)
    here.run("backfill", "numbers", "--from", "2024-01-01", "--to", "2024-01-04")

    said = here.run("check", "share", "by_day", "--range-safe")

    assert said.out.startswith("by_day: the same in one range as one by one (4 partitions compared, 2024-01-01 to")
    assert "share is not the same in one range as one by one (4 partitions compared" in said.out
    assert "8 rows only in calls one by one:" in said.out


def test_what_cannot_be_tried_is_said(here: Here) -> None:
    here.write("tables.py", MODULE)

    nothing = here.run("check", "by_day", "--range-safe")
    none_of_these = here.run("check", "numbers", "--range-safe")

    assert (nothing.code, none_of_these.code) == (0, 0)
    assert nothing.out == "by_day: not tried, since no two partitions in a row can be made now\n"
    assert none_of_these.out.startswith("No asset of these is called for ranges;")
    assert not here.lake.exists()
