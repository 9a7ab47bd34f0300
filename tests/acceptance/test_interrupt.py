"""Ctrl-C ends a run between two partitions, and the next run goes on from there."""

from __future__ import annotations

import pytest

from tests.acceptance.conftest import Here

DAYS = 160
MODULE = """
import time
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2024-01-01", end="2024-06-09")

class Row(pa.DataFrameModel):
    day: pl.Date
    n: int

@dw.asset(partitions=days, partition_by="day")
def slow(partition: dw.Partition) -> LazyFrame[Row]:
    time.sleep(0.05)
    return pl.LazyFrame({"day": [partition.start], "n": [1]})
"""


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_ctrl_c_commits_what_has_begun_and_the_next_run_does_the_rest(here: Here, kind: str) -> None:
    here.write("deltaworks.toml", f'modules = ["slow_"]\n[executor]\nkind = "{kind}"\n')
    here.write("slow_.py", MODULE)

    stopped = here.interrupt_backfill(after_commits=1)

    assert stopped.code == 1
    assert "Traceback" not in stopped.err
    assert stopped.json["status"] == "canceled"
    made = stopped.json["totals"]["materialized"]
    assert 0 < made < DAYS
    partitions = here.status()["slow"]["partitions"]
    assert (partitions["fresh"], partitions["missing"], partitions["failed"]) == (made, DAYS - made, 0)
    files = list((here.lake / "slow").rglob("*.parquet"))
    assert len(files) == made, "nothing staged is left behind"
    here.edit("slow_.py", "    time.sleep(0.05)\n", "    _ = time\n")
    rest = here.run("backfill", "--only", "missing", "--json")
    assert rest.json["totals"]["materialized"] == DAYS - made
