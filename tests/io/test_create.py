"""Tables are created once, with what keeps their records, and verified before anything is written."""

import json
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from deltaworks.errors import StorageError, TableMismatch
from deltaworks.io.create import create_table, verify_table
from deltaworks.io.description import Description
from deltaworks.io.log import commit_path
from deltaworks.io.store import Store
from deltaworks.io.table import Table

DF = pl.DataFrame({"p": ["a"], "v": [1]})


def test_a_created_table_keeps_its_log_and_says_what_it_is(lake):
    table = lake.create(DF)

    created = DeltaTable(lake.uri())
    assert created.metadata().configuration == {
        "delta.logRetentionDuration": "interval 3650 days",
        "delta.enableExpiredLogCleanup": "false",
    }
    assert (created.metadata().name, created.metadata().description) == ("t", "a table of a test")
    assert created.metadata().partition_columns == ["p"]
    assert (table.version, table.schema()) == (0, DF.schema)
    verify_table(table, DF.schema, ["p"])


def test_of_many_that_create_a_table_all_go_on_with_the_same_one(lake):
    for number in range(5):
        tables = [Table(lake.store, f"raw/t{number}") for _ in range(8)]

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda table: create_table(table, DF.schema, ["p"], Description()), tables))

        assert len({table.table_id for table in tables}) == 1
        assert {table.version for table in tables} == {0}


def test_two_creators_both_land_their_partitions(lake, rows):
    first, second = lake.create(DF), lake.create(DF)

    lake.replace(first, DF, "r1")
    lake.replace(second, DF.with_columns(p=pl.lit("b")), "r2")

    assert rows(second) == [("a", 1), ("b", 1)]


def test_a_table_that_somebody_else_has_just_created_otherwise_is_seen(lake):
    write_deltalake(lake.uri(), DF.select("v"))
    table = lake.create(DF)

    with pytest.raises(TableMismatch, match=r"column 'p' \(String\) is missing"):
        verify_table(table, DF.schema, ["p"])


def test_columns_that_delta_does_not_take_are_one_sentence(lake):
    table = Table(lake.store, "t")

    with pytest.raises(StorageError, match=r"^cannot create table .*/t: [^\n]*Duplicate field name[^\n]*$"):
        create_table(table, {"a": pl.Int64(), "A": pl.Int64()}, [], Description())


def test_a_place_that_cannot_be_written_is_one_sentence():
    table = Table(Store.at("/proc/nowhere"), "t")

    with pytest.raises(StorageError, match=r"^cannot make the folder /proc/nowhere/t: [^\n]*$"):
        create_table(table, DF.schema, ["p"], Description())


@pytest.mark.parametrize(
    ("schema", "by", "sentence"),
    [
        ({"p": pl.String(), "v": pl.Int32()}, ["p"], "column 'v' is Int64 instead of Int32"),
        ({"p": pl.String(), "v": pl.Int64(), "w": pl.Int64()}, ["p"], r"column 'w' \(Int64\) is missing"),
        ({"p": pl.String()}, ["p"], r"column 'v' \(Int64\) is not expected"),
        (DF.schema, [], "it is partitioned by 'p', but its asset by no column"),
        (DF.schema, ["v"], "it is partitioned by 'p', but its asset by 'v'"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_the_difference(lake, schema, by, sentence):
    table = lake.create(DF)

    with pytest.raises(TableMismatch, match=rf"t \(version 0\): .*{sentence}.*Nothing was written"):
        verify_table(table, schema, by)


def test_a_table_that_a_newer_engine_wrote_to_is_read_and_not_written(lake, rows):
    table = lake.make(DF)
    behind = lake.open()
    info, add = table.store.read(commit_path("t", 1)).decode().splitlines()
    document = json.loads(info)
    document["commitInfo"]["deltaworks"] |= {"format": 9, "min_engine_format": 9}
    content = json.dumps(document) + "\n" + add.replace("first-", "other-")
    (data,) = table.files(["a"])
    data_path = lake.store.root / "t" / data.path
    data_path.with_name(data_path.name.replace("first-", "other-")).write_bytes(data_path.read_bytes())
    table.store.put_new(commit_path("t", 2), content.encode())

    newer = lake.open()
    assert newer.needs_format == 9
    assert rows(newer) == [("a", 1), ("a", 1)]
    with pytest.raises(TableMismatch, match=r"record format 9, and this one knows 1.*Upgrade deltaworks"):
        verify_table(newer, DF.schema, ["p"])
    with pytest.raises(TableMismatch, match="Upgrade deltaworks"):
        lake.replace(behind, DF.with_columns(p=pl.lit("b")))
