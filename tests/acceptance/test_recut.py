"""A table with partitions of two dimensions: its runs are taken up, and its history goes over another cut."""

from __future__ import annotations

import pytest

from tests.acceptance.conftest import Here

MODULE = """
from pathlib import Path
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

HERE = Path(__file__).parent
days = dw.DailyPartitions("2024-01-01", "2024-01-03", timezone="Europe/Berlin")
cube = dw.MultiPartitions({"day": days, "region": dw.StaticPartitions(["us", "eu"])})

class Row(pa.DataFrameModel):
    day: pl.Date
    region: str
    n: int

@dw.asset(partitions=cube)
def sales(partition: dw.Partition) -> LazyFrame[Row]:
    if partition.key == (HERE / "broken").read_text():
        raise ValueError("broken")
    # another code
    day, region = partition.dimension("day"), partition.dimension("region")
    return pl.LazyFrame({"day": [day.start], "region": [region.key], "n": [1]})
"""
LAST = "day=2024-01-02,region=eu"


@pytest.fixture
def failed(here: Here) -> str:
    """The id of a run that has made three of four partitions anew."""
    here.write("tables.py", MODULE)
    here.write("broken", "")
    assert here.run("backfill").code == 0
    here.edit("tables.py", "    # another code\n", "    assert partition.key\n")
    here.write("broken", LAST)
    done = here.run("backfill", "--json").json
    assert (done["status"], done["totals"]["materialized"]) == ("failure", 3)
    here.write("broken", "")
    run_id: str = done["run_id"]
    return run_id


def cut_by_other_columns(project: Here) -> None:
    text = (project.folder / "tables.py").read_text()
    text = text.replace("    region: str", "    area: str").replace('"region": [region', '"area": [region')
    project.write("tables.py", text.replace("partitions=cube", 'partitions=cube, partition_by=["day", "area"]'))
    done = project.run("materialize", "sales", "--migrate")
    assert done.code == 0, done.err


def test_a_run_of_partitions_with_two_dimensions_goes_on_where_it_stopped(here: Here, failed: str) -> None:
    again = here.run("runs", "retry", failed, "--json")

    assert again.code == 0, again.err
    assert again.json["totals"]["materialized"] == 1


def test_after_a_cut_by_other_columns_a_run_from_before_has_nothing_of_it_left(here: Here, failed: str) -> None:
    cut_by_other_columns(here)

    again = here.run("runs", "retry", failed)

    assert "cut off" not in again.err
    assert again.code == 0, again.err


def test_history_goes_over_a_cut_by_other_columns(here: Here, failed: str) -> None:
    cut_by_other_columns(here)
    assert here.run("materialize", "sales").code == 0

    history = here.run("history", "sales", "--json")

    assert history.code == 0, history.err
    counts = {each["version"]: each["partitions"]["count"] for each in history.json}
    assert (counts[1], counts[2], counts[4]) == (4, 3, 4)
