"""`dw.read` of an asset checks partition keys as the command line does."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.errors import UnknownPartition
from deltaworks.io.partition_keys import add_keys
from deltaworks.io.store import Store


def test_a_key_that_is_none_is_refused_and_others_are_read_as_the_table_has_them(tmp_path: Path) -> None:
    hours = dw.HourlyPartitions("2013-11-03", "2013-11-04", timezone="America/New_York")

    @dw.asset(partitions=hours, partition_by="hour")
    def events(partition: dw.Partition) -> pl.LazyFrame:
        return pl.LazyFrame({"hour": [partition.key], "n": [1]})

    dw.materialize([events], lake=tmp_path)

    assert dw.read(events, lake=tmp_path, partition="2013-11-03T06:00Z").collect().rows() == [
        ("2013-11-03T01:00-05:00", 1)
    ]
    with pytest.raises(UnknownPartition, match=r"is 2013-11-03T01:00-04:00 or 2013-11-03T01:00-05:00\."):
        dw.read(events, lake=tmp_path, partition=["2013-11-03T00:00-04:00", "2013-11-03T01:00"])


def test_dynamic_keys_are_those_of_the_lake(tmp_path: Path) -> None:
    @dw.asset(partitions=dw.DynamicPartitions("regions"), partition_by="region")
    def sales(partition: dw.Partition) -> pl.LazyFrame:
        return pl.LazyFrame({"region": [partition.key], "n": [1]})

    @dw.asset(partitions=dw.DynamicPartitions.from_column(sales, "region"), partition_by="region")
    def report(sales: pl.LazyFrame) -> pl.LazyFrame:
        return sales

    add_keys(Store.at(str(tmp_path)), "regions", ["us"], "me", dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    dw.materialize([sales, report], lake=tmp_path)
    dw.materialize([sales, report], lake=tmp_path)

    assert dw.read(sales, lake=tmp_path, partition="us").collect().height == 1
    assert dw.read(report, lake=tmp_path, partition="us").collect().height == 1
    with pytest.raises(UnknownPartition, match="its partitions are the key us of 'regions'"):
        dw.read(sales, lake=tmp_path, partition="eu")


def test_the_version_is_that_of_the_package() -> None:
    assert dw.__version__.count(".") >= 1
