"""Tests as users write them: plain calls, rows from models, a clock that stands still, a lake of one's own."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.errors import RequestError
from deltaworks.testing import FrozenClock, minimal_rows, random_rows

days = dw.DailyPartitions(start="2024-01-01")


class Sale(pa.DataFrameModel):
    day: pl.Date
    amount: float = pa.Field(gt=0)


class Till(dw.Resource):
    uri: str

    def rows(self, partition: dw.Partition) -> pl.DataFrame:
        raise AssertionError("no test reaches a till")


class FakeTill(Till):
    uri: str = "none"

    def rows(self, partition: dw.Partition) -> pl.DataFrame:
        return random_rows(Sale, 5, seed=7, day=partition.start)


@dw.asset(partitions=days, partition_by="day")
def sales(till: Till, partition: dw.Partition) -> LazyFrame[Sale]:
    return till.rows(partition).lazy()


@dw.asset
def total(sales: LazyFrame[Sale]) -> pl.LazyFrame:
    return sales.select(pl.col("amount").sum())


def test_an_asset_is_called_as_its_function_with_rows_of_its_model() -> None:
    assert total(minimal_rows(Sale, 3, amount=[1.0, 2.0, 3.5]).lazy()).collect().item() == 6.5


def test_assets_are_made_in_process_with_another_resource_and_by_a_clock_that_is_moved(tmp_path: Path) -> None:
    clock = FrozenClock("2024-01-03T06:00")

    first = dw.materialize([sales, total], lake=tmp_path, resources={"till": FakeTill()}, now=clock)
    clock.advance(days=1)
    second = dw.materialize([sales, total], lake=tmp_path, resources={"till": FakeTill()}, now=clock)

    assert (first.entry.materialized, second.entry.materialized) == (3, 4), "as many days as have ended, and the total"
    assert first.entry.started_at == "2024-01-03T06:00:00+00:00"
    assert dw.read(sales, lake=tmp_path).collect().height == 15


def test_a_clock_shows_utc_and_refuses_what_is_no_instant() -> None:
    assert FrozenClock("2024-01-01T02:00+02:00")() == dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    with pytest.raises(RequestError, match="'soon' is no instant"):
        FrozenClock("soon")


USERS_TEST = """
import sys
import polars as pl

def test_costs_nothing_until_it_is_used(request):
    assert "deltaworks.pytest_plugin" in sys.modules
    assert "pandera" not in sys.modules

def test_a_lake_and_a_clock(lake, frozen_clock):
    import deltaworks as dw

    @dw.asset
    def one() -> pl.LazyFrame:
        return pl.LazyFrame({"n": [1]})

    report = dw.materialize([one], lake=lake, now=frozen_clock)
    assert report.entry.started_at.startswith("2024-01-01")
    assert lake.is_dir()
"""


def test_pytest_brings_the_fixtures(tmp_path: Path) -> None:
    (tmp_path / "test_users.py").write_text(USERS_TEST)

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "deltaworks.pytest_plugin",
            "-p",
            "no:cacheprovider",
            str(tmp_path),
        ],
        cwd=tmp_path,
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "2 passed" in done.stdout, done.stdout + done.stderr
