"""A scan gives a table's rows, however its files are laid out and whoever wrote them."""

# ruff: noqa: DTZ001 - timestamps without a zone are a dtype of their own

import datetime as dt

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from polars.testing import assert_frame_equal

from deltaworks.errors import TableMismatch
from deltaworks.io.log import LiveFile
from deltaworks.io.scan import scan_files, scan_table
from deltaworks.io.store import Store

VALUES = ["a b", "100%", "x=y", "a/b", "ü😀", "a%20b", "..", "a\nb", "q'\"", "null", "*", "[x]", "#?&{}", " x ", "1"]
HARD = pl.DataFrame({"p": VALUES, "v": range(len(VALUES))})


def test_partition_values_of_every_kind_are_read_back_by_all(lake, rows):
    table = lake.make(HARD)

    assert rows(table) == sorted(HARD.rows(), key=str)
    assert sorted(table.live_keys()) == sorted(VALUES)


@pytest.mark.parametrize(
    "values",
    [
        [dt.date(2013, 1, 1), dt.date(1, 1, 1), None],
        [dt.datetime(2013, 1, 1), dt.datetime(2013, 1, 1, 1, 2, 3, 4), None],
        [dt.datetime(2013, 1, 1, tzinfo=dt.UTC), dt.datetime(2013, 1, 1, 1, 2, 3, 4, tzinfo=dt.UTC), None],
        [True, False, None],
        [2**60, -5, None],
        ["text", "more", None],
    ],
    ids=lambda values: type(values[0]).__name__,
)
def test_the_same_rows_come_from_our_folders_and_from_those_of_others(lake, rows, values):
    df = pl.DataFrame({"v": range(len(values)), "p": values})
    ours = lake.make(df, name="ours")
    lake.create(df, name="theirs")
    write_deltalake(lake.uri("theirs"), df, mode="append")
    theirs = lake.open("theirs")

    assert rows(ours) == rows(theirs) == sorted(df.rows(), key=str)
    assert sorted(ours.live_keys()) == sorted(theirs.live_keys())


def test_files_in_no_folder_are_read_by_what_the_log_says(lake):
    df = pl.DataFrame({"p": [dt.date(2013, 1, 1)], "v": [1]})
    table = lake.create(df)
    df.drop("p").write_parquet(lake.store.root / "t" / "flat [1] %20.parquet")
    file = LiveFile("flat [1] %20.parquet", "?", 1, {"p": "2013-01-01"})

    found = scan_files(lake.store, "t", [file], table.schema(), ["p"]).collect()

    assert_frame_equal(found, df)


def test_only_the_files_of_the_asked_partitions_are_opened(lake):
    table = lake.make(HARD)
    for file in table.files([*VALUES[:3], *VALUES[4:]]):
        (lake.store.root / "t" / file.path).unlink()

    assert scan_table(table, [VALUES[3], "unknown"]).collect().rows() == [(VALUES[3], 3)]


def test_no_files_are_a_frame_with_the_columns(lake):
    table = lake.create(HARD)

    assert_frame_equal(scan_table(table).collect(), HARD.clear())


@pytest.mark.parametrize("by", [("p",), ()])
def test_columns_that_a_file_lacks_are_null_and_others_are_ignored(lake, by):
    old = pl.DataFrame({"p": ["a"], "v": [1], "s": [{"x": 1}]})
    new = pl.DataFrame({"p": ["b"], "v": [2], "s": [{"x": 2, "y": 3}], "w": [0.5]})
    lake.make(old, by)
    write_deltalake(lake.uri(), new, mode="append", schema_mode="merge")
    table = lake.open()

    found = scan_table(table).sort("v").collect()
    narrow = scan_files(lake.store, "t", table.files(table.live_keys()), pl.Schema(old.drop("s").schema), by)

    assert found["w"].to_list() == [None, 0.5]
    assert found["s"].to_list() == [{"x": 1, "y": None}, {"x": 2, "y": 3}]
    assert narrow.sort("v").collect().rows() == [("a", 1), ("b", 2)]


def test_narrower_numbers_and_other_time_units_of_other_writers_are_read(lake):
    instant = pl.Series([dt.datetime(2013, 1, 1)])
    df = pl.DataFrame({"i": pl.Series([1], dtype=pl.Int64), "t": instant.cast(pl.Datetime("us", "UTC"))})
    table = lake.make(df, by=())
    (file,) = table.files([""])
    foreign = df.with_columns(pl.col("i").cast(pl.Int32), pl.col("t").cast(pl.Datetime("ns", "UTC")))
    foreign.write_parquet(lake.store.root / "t" / file.path)

    assert_frame_equal(scan_table(table).collect(), df)


@pytest.mark.parametrize("folder", ["env=prod", "a b", "st*r [1]", "ü", "100%"])
def test_the_lake_may_lie_in_a_folder_with_any_name(tmp_path, folder, lake):
    lake.store = Store.at(str(tmp_path / folder))
    table = lake.make(HARD)
    assert (lake.store.root / "t" / "_delta_log").is_dir()

    assert sorted(scan_table(table).collect().rows()) == sorted(HARD.rows())


@pytest.mark.parametrize("column", ["my day", "tag=ü", "a/b", "P"])
def test_a_partition_column_may_have_any_name(lake, column):
    df = HARD.rename({"p": column})
    table = lake.make(df, by=[column])

    assert sorted(scan_table(table).collect().rows()) == sorted(df.rows())


def test_several_partition_columns_are_read_back(lake, rows):
    df = pl.DataFrame({"z": ["b", "b", None], "a": [1, 2, 1], "v": [1, 2, 3]})
    table = lake.make(df, by=["z", "a"])
    write_deltalake(lake.uri(), df, mode="append")
    table.tail()

    assert len(rows(table)) == 6
    assert len(list(table.live_keys())) == 3


def test_binary_partition_values_are_refused_not_guessed(lake):
    df = pl.DataFrame({"p": [b"a"], "v": [1]})
    write_deltalake(lake.uri(), df, partition_by=["p"])

    with pytest.raises(TableMismatch, match="partition column 'p' is binary"):
        scan_table(lake.open())


def test_a_compacted_table_is_read(lake, rows):
    table = lake.make(HARD)
    write_deltalake(lake.uri(), HARD, mode="append")
    DeltaTable(lake.uri()).optimize.compact()
    table.tail()

    assert len(table.files(VALUES)) == len(VALUES)
    assert rows(table) == sorted(HARD.rows() * 2, key=str)
