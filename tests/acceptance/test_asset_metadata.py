"""What functions want to be remembered of what they made stands in the record, and `history` shows it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.errors import InvalidDefinition, RunError
from tests.acceptance.conftest import Here

TABLES = """
import datetime as dt
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

class Day(pa.DataFrameModel):
    day: pl.Date
    n: int

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-05")

@dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.ranges(max_partitions=2))
def daily(partition: dw.Partition) -> dw.MaterializeResult[Day]:
    lf = pl.LazyFrame({"day": [dt.date.fromisoformat(key) for key in partition.keys], "n": [1] * len(partition.keys)})
    return dw.MaterializeResult(lf, {"source": f"from {partition.keys[0]}"})

@dw.asset
def total(daily: LazyFrame[Day]) -> LazyFrame:
    return dw.MaterializeResult(daily.select(pl.col("n").sum()), metadata={"note": "four days", "seen": [1, None]})
"""


def test_metadata_is_kept_by_partition_and_history_shows_it(here: Here) -> None:
    here.write("tables.py", TABLES.replace("-> LazyFrame:", "-> pl.LazyFrame:"))

    done = here.run("backfill", "--json")

    assert done.code == 0, done.err or done.out
    (daily,) = here.run("history", "daily", "--json").json
    (total,) = here.run("history", "total", "--json").json
    assert daily["metadata"] == {
        "2024-01-01": {"source": "from 2024-01-01"},
        "2024-01-02": {"source": "from 2024-01-01"},
        "2024-01-03": {"source": "from 2024-01-03"},
        "2024-01-04": {"source": "from 2024-01-03"},
    }
    assert total["metadata"] == {"note": "four days", "seen": [1, None]}
    assert "note=four days; seen=[1, null]" in here.run("history", "total").out
    shown = here.run("history", "daily").out
    assert "2024-01-03: source=from 2024-01-03; 1 more" in shown
    assert here.run("check").code == 0


class Row(pa.DataFrameModel):
    n: int


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"at": dt.date(2024, 1, 1)}, "the metadata 'at' is no JSON"),
        ({"mean": float("nan")}, "the metadata 'mean' is no JSON"),
        ({"count": [{"n": 2**63}]}, "the metadata 'count' is a number of 64 bits, and 63 are the most"),
        ({"name": {"half \ud83d": 1}}, "the metadata 'name' has a lone surrogate in its text"),
        ({1: "one"}, "the metadata has the name 1, expected a text"),
        (["a"], "the metadata is list, expected a mapping"),
        ({"much": "x" * 70_000}, "at most 65,536 are kept"),
    ],
)
def test_metadata_that_no_record_can_keep_fails_the_step(tmp_path: Path, metadata: Any, sentence: str) -> None:
    @dw.asset
    def odd() -> dw.MaterializeResult[Row]:
        return dw.MaterializeResult(pl.LazyFrame({"n": [1]}), metadata)

    with pytest.raises(RunError, match=sentence):
        dw.materialize([odd], lake=tmp_path)

    assert not (tmp_path / "odd" / "_delta_log").exists()


def test_the_model_of_a_result_is_the_contract_of_its_frame(tmp_path: Path) -> None:
    @dw.asset
    def odd() -> dw.MaterializeResult[Row]:
        return dw.MaterializeResult(pl.LazyFrame({"m": [1]}), {"k": "v"})

    assert odd.model is Row
    assert odd().metadata == {"k": "v"}
    with pytest.raises(RunError, match="does not have the columns of its model"):
        dw.materialize([odd], lake=tmp_path)


def test_a_view_has_no_record_for_metadata() -> None:
    with pytest.raises(InvalidDefinition, match="a view is not stored, so there is no record for the metadata"):

        @dw.view
        def late(row: LazyFrame[Row]) -> dw.MaterializeResult[Row]:
            return dw.MaterializeResult(row)
