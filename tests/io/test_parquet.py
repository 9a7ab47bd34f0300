"""Staged files lie where a commit will name them, and what the disk refuses is one sentence."""

import datetime as dt
import json
import os
import subprocess

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deltaworks.errors import StorageError, TableMismatch
from deltaworks.io.parquet import ROW_GROUP_ROWS, Staging, disk_refusal
from deltaworks.io.statistics import statistics
from deltaworks.io.store import Store

DF = pl.DataFrame({"day": [dt.date(2013, 1, 1), dt.date(2013, 1, 2)], "v": [1, 2]})
FIRST = {"day": "2013-01-01"}


@pytest.fixture
def staging(tmp_path):
    return Staging(Store(tmp_path), "raw/t", "run", 7)


def test_a_written_partition_is_read_back_with_its_partition_column(staging):
    staging.write(DF.head(1), FIRST)

    assert staging.path(FIRST) == "day=2013-01-01/run-7.parquet"
    assert_frame_equal(staging.scan([FIRST], DF.schema).collect(), DF.head(1))
    assert pl.read_parquet_schema(staging.store.root / "raw/t" / staging.path(FIRST)) == {"v": pl.Int64}


def test_a_sink_writes_the_same_files_as_writing_one_by_one(staging):
    hard = pl.DataFrame({"p": ["a b", "100%", "x=y/z", "ü"], "v": range(4)})

    pl.collect_all([staging.sink(hard.lazy(), ["p"])], engine="streaming")

    for row in range(4):
        assert_frame_equal(staging.scan([{"p": hard["p"][row]}], hard.schema).collect(), hard[row])


def test_a_sink_keeps_row_groups_large(staging):
    lf = pl.LazyFrame({"v": range(ROW_GROUP_ROWS + 1)})

    pl.collect_all([staging.sink(lf, [])], engine="streaming")

    assert staging.scan([{}], pl.Schema({"v": pl.Int64()})).collect().height == ROW_GROUP_ROWS + 1


def test_a_staged_file_is_described_by_size_and_statistics(staging):
    staging.write(DF.head(1), FIRST)
    measured = DF.head(1).select(statistics({"v": pl.Int64()})).row(0, named=True)

    file = staging.staged(FIRST, measured, rows=1)

    assert file.size_bytes == (staging.store.root / "raw/t" / file.path).stat().st_size
    assert json.loads(file.statistics)["maxValues"] == {"v": 1}


def test_a_dropped_file_is_gone_and_dropping_nothing_is_fine(staging):
    staging.write(DF.head(1), FIRST)

    staging.drop(FIRST)
    staging.drop(FIRST)

    assert staging.store.size_bytes(f"raw/t/{staging.path(FIRST)}") is None


def test_a_table_of_partition_columns_alone_is_refused(staging):
    only = DF.select("day")

    with pytest.raises(TableMismatch, match="all of its columns are partition columns"):
        staging.write(only, FIRST)
    with pytest.raises(TableMismatch, match="all of its columns are partition columns"):
        staging.sink(only.lazy(), ["day"])


def test_a_full_disk_is_one_sentence(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.call(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]):
        pytest.skip("needs the right to mount a file system")
    large = pl.DataFrame({"v": [os.urandom(500).hex() for _ in range(1000)]})
    staging = Staging(Store(disk), "t", "run", 1)

    try:
        with pytest.raises(StorageError, match=r"^a data file cannot be written: No space left on device$"):
            staging.write(large, {})
        with pytest.raises(pl.exceptions.ComputeError) as streamed:
            pl.collect_all([staging.sink(large.lazy(), [])], engine="streaming")
    finally:
        subprocess.check_call(["umount", disk])

    assert str(disk_refusal(streamed.value)) == "a data file cannot be written: No space left on device"


def test_an_error_of_the_users_plan_is_no_refusal_of_the_disk():
    assert disk_refusal(pl.exceptions.ComputeError("division by zero")) is None
    assert disk_refusal(FileNotFoundError("No such file or directory (os error 2): flights.csv")) is None
