"""Regions that people add and take away: what is made follows, and no data goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.acceptance.conftest import Here, Project

TABLES = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

class Sale(pa.DataFrameModel):
    region: str
    amount: int = pa.Field(ge=0)

@dw.asset(partitions=dw.DynamicPartitions("regions"), partition_by="region",
          backfill=dw.BackfillPolicy.ranges(max_partitions=10))
def sales(partition: dw.Partition) -> LazyFrame[Sale]:
    every = pl.LazyFrame({"region": ["us", "eu", "São Paulo, 100%"], "amount": [3, 4, 5]})
    return every.filter(partition.contains("region"))

@dw.asset(partitions=dw.DynamicPartitions("regions"), partition_by="region")
def doubled(sales: LazyFrame[Sale]) -> LazyFrame[Sale]:
    return sales.with_columns(pl.col("amount") * 2)

@dw.asset(partitions=dw.DynamicPartitions.from_column(doubled, "region"), partition_by="region")
def report(doubled: LazyFrame[Sale]) -> LazyFrame[Sale]:
    return doubled

@dw.asset
def total(doubled: LazyFrame[Sale]) -> pl.LazyFrame:
    return doubled.select(pl.col("amount").sum())
"""

SETTINGS = 'lake = "./lake"\nmodules = ["tables"]\n'


@pytest.fixture
def project(here: Here) -> Project:
    """Worked on in this process, beside those that the stories start."""
    return here


def counts(project: Any, asset: str) -> tuple[int, ...]:
    found = project.status()[asset]["partitions"]
    return tuple(found[name] for name in ("total", "fresh", "stale", "missing", "undefined"))


def table(lake: Path, name: str) -> list[tuple[Any, ...]]:
    return pl.read_delta(str(lake / name)).sort("region").rows()


def test_regions_come_and_go_and_no_data_is_lost(project: Any) -> None:
    project.write("deltaworks.toml", SETTINGS)
    project.write("tables.py", TABLES)

    assert project.run("check").code == 0
    assert counts(project, "sales") == (0, 0, 0, 0, 0)
    assert not project.lake.exists()

    added = project.run("partitions", "add", "sales", "us", "São Paulo, 100%", "--json")
    made = project.run("backfill", "--json")
    followed = project.run("backfill", "--json")

    assert added.json["added"] == ["us", "São Paulo, 100%"]
    assert (made.code, made.json["totals"]["materialized"]) == (0, 5)
    assert (followed.code, followed.json["totals"]["materialized"]) == (0, 2), followed.err
    assert table(project.lake, "report") == table(project.lake, "doubled") == [("São Paulo, 100%", 10), ("us", 6)]
    for asset in ("sales", "doubled", "report"):
        assert counts(project, asset) == (2, 2, 0, 0, 0)

    removed = project.run("partitions", "remove", "doubled", "us", "--json")

    assert removed.json["removed"] == ["us"]
    assert counts(project, "sales") == counts(project, "doubled") == (1, 1, 0, 0, 1)
    assert counts(project, "report") == (2, 2, 0, 0, 0), "its keys are those of the table, which is as it was"
    assert ("us", 3) in table(project.lake, "sales")

    project.run("partitions", "add", "sales", "us", "eu")
    missing = counts(project, "sales")
    project.run("backfill")

    assert missing == (3, 2, 0, 1, 0), "what was there before is found again, and fresh"
    assert counts(project, "doubled") == (3, 3, 0, 0, 0)
    assert table(project.lake, "doubled") == [("São Paulo, 100%", 10), ("eu", 8), ("us", 6)]


def test_a_region_and_a_day_make_a_partition(project: Any) -> None:
    project.write("deltaworks.toml", SETTINGS)
    project.write(
        "tables.py",
        """
import polars as pl
import deltaworks as dw

days = dw.DailyPartitions("2024-01-01", "2024-01-04")

@dw.asset(partitions=dw.MultiPartitions({"day": days, "region": dw.DynamicPartitions("regions")}),
          backfill=dw.BackfillPolicy.ranges(max_partitions=10))
def sales(partition: dw.Partition) -> pl.LazyFrame:
    days = pl.LazyFrame({"day": pl.date_range(pl.date(2023, 12, 1), pl.date(2024, 2, 1), eager=True)})
    every = days.join(pl.LazyFrame({"region": ["us", "a=b,c"]}), how="cross")
    return every.with_columns(n=1).filter(partition.contains("day"), partition.contains("region"))
""",
    )
    project.run("partitions", "add", "sales", "us", "a=b,c")

    plan = project.run("plan", "--from", "2024-01-01", "--to", "2024-01-02", "--json").json["steps"]
    box = project.run("plan", "--from", "2024-01-01,us", "--to", "2024-01-02,us", "--json").json["steps"]
    one = project.run("materialize", "sales", "--partition", "day=2024-01-02,region=a%3Db%2Cc", "--json")
    rest = project.run("backfill", "--json")
    status = project.status("--partitions")["sales"]

    assert plan[0]["partitions"] == {
        "count": 4,
        "ranges": [["day=2024-01-01,region=a%3Db%2Cc", "day=2024-01-02,region=us"]],
    }
    assert box[0]["partitions"] == {
        "count": 2,
        "ranges": [[f"day=2024-01-0{day},region=us"] * 2 for day in (1, 2)],
    }
    assert (one.code, one.json["totals"]["materialized"]) == (0, 1), one.err
    assert (rest.code, rest.json["totals"]["materialized"]) == (0, 5), rest.err
    assert counts(project, "sales") == (6, 6, 0, 0, 0)
    assert status["ranges"][0]["partitions"]["ranges"] == [
        ["day=2024-01-01,region=a%3Db%2Cc", "day=2024-01-03,region=us"]
    ]
    assert pl.read_delta(str(project.lake / "sales")).height == 6
