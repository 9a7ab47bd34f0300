"""A column that may be null comes with the commit that first has it, whatever others commit in between."""

import json

import polars as pl
import pytest
from deltalake import DeltaTable

from deltaworks.errors import TableMismatch
from deltaworks.io.commit import commit_partitions
from deltaworks.io.create import verify_table
from deltaworks.io.description import Description
from deltaworks.io.dtypes import is_wider
from deltaworks.io.evolution import addition, grown
from deltaworks.io.log import commit_path
from tests.io.conftest import record_of

START = pl.DataFrame({"p": list("ab"), "v": [1, 2]})
COMMENTED = Description(columns={"w": "what it weighs"})


def replace(lake, table, df, run_id="run", addable=("w",), staged=None):
    """Replace the partitions of a frame, by a commit that adds the columns which the table lacks."""
    staged = lake.stage(table, df, run_id) if staged is None else staged
    return commit_partitions(
        table,
        staged,
        {part.key: table.version for part in staged},
        record_of(run_id),
        lambda changed: verify_table(changed, df.schema, ["p"], addable=addable),
        1_700_000_000_000,
        lambda changed, left: addition(changed, df.schema, COMMENTED) if left else None,
    )


def row(p: str, **columns: object) -> pl.DataFrame:
    return pl.DataFrame({"p": [p], "v": [9], **{name: [value] for name, value in columns.items()}})


def fields(table):
    schema = json.loads(DeltaTable(table.store.uri(table.name)).schema().to_json())
    return {field["name"]: (field["type"], field["nullable"], field["metadata"]) for field in schema["fields"]}


def metadata_count(table) -> int:
    contents = [table.store.read(commit_path("t", version)) for version in range(table.version + 1)]
    return sum(b'{"metaData"' in content for content in contents)


def test_the_commit_adds_the_column_with_its_comment_and_leaves_the_others_as_they_are(lake, rows):
    table = lake.make(START)
    DeltaTable(lake.uri()).alter.set_column_metadata("v", {"comment": "by others"})
    table.tail()

    committed = replace(lake, table, row("a", w=0.5))

    assert committed.version == table.version == 3
    assert rows(table) == [("a", 9, 0.5), ("b", 2, None)]
    assert fields(table) == {
        "p": ("string", True, {}),
        "v": ("long", True, {"comment": "by others"}),
        "w": ("double", True, {"comment": "what it weighs"}),
    }
    assert DeltaTable(lake.uri()).metadata().id == table.table_id
    assert lake.open().schema() == table.schema() == pl.Schema({**START.schema, "w": pl.Float64()})


def test_where_there_is_nothing_to_add_no_metadata_is_written(lake):
    table = lake.make(START)
    replace(lake, table, row("a", w=0.5))
    replace(lake, table, row("b", w=0.5))

    assert metadata_count(table) == 2


def test_of_two_that_add_the_same_column_the_second_finds_it_there(lake, rows):
    lake.make(START)
    first, second = lake.open(), lake.open()
    staged = lake.stage(second, row("b", w=2.5), "second")

    replace(lake, first, row("a", w=1.5), "first")
    committed = replace(lake, second, row("b", w=2.5), "second", staged=staged)

    assert (committed.version, committed.conflicts) == (3, ())
    assert rows(second) == [("a", 9, 1.5), ("b", 9, 2.5)]
    assert metadata_count(second) == 2


def test_of_two_that_add_different_columns_the_second_is_refused(lake, rows):
    lake.make(START)
    first, second = lake.open(), lake.open()
    staged = lake.stage(second, row("b", u="x"), "second")

    replace(lake, first, row("a", w=1.5), "first")
    with pytest.raises(TableMismatch, match=r"column 'w' \(Float64\) is not expected"):
        replace(lake, second, row("b", u="x"), "second", ("u",), staged)

    assert rows(first) == [("a", 9, 1.5), ("b", 2, None)]


def test_of_two_that_add_a_column_of_the_same_name_and_another_dtype_the_second_is_refused(lake):
    lake.make(START)
    first, second = lake.open(), lake.open()
    staged = lake.stage(second, row("b", w="x"), "second")

    replace(lake, first, row("a", w=1.5), "first")
    with pytest.raises(TableMismatch, match="column 'w' is Float64 instead of String"):
        replace(lake, second, row("b", w="x"), "second", staged=staged)


def test_a_partition_that_others_changed_brings_no_column(lake, rows):
    table = lake.make(START)
    decided, staged = table.version, lake.stage(table, row("a", w=1.5))
    lake.replace(lake.open(), row("a"), "other")

    committed = commit_partitions(
        table,
        staged,
        {"a": decided},
        record_of("run"),
        lambda changed: verify_table(changed, row("a", w=1.5).schema, ["p"], addable=("w",)),
        1_700_000_000_000,
        lambda changed, left: addition(changed, row("a", w=1.5).schema, COMMENTED) if left else None,
    )

    assert (committed.version, len(committed.conflicts)) == (None, 1)
    assert rows(table) == [("a", 9), ("b", 2)]


@pytest.mark.parametrize(
    ("wanted", "addable", "difference"),
    [
        ({"p": pl.String(), "v": pl.Int64(), "w": pl.Date()}, ("w",), None),
        ({"w": pl.Date(), "v": pl.Int64(), "p": pl.String()}, ("w", "v", "x"), None),
        ({"p": pl.String(), "v": pl.Int64(), "w": pl.Date()}, (), "column 'w' (Date) is missing"),
        ({"p": pl.String(), "w": pl.Date()}, ("w",), "column 'v' (Int64) is not expected"),
        ({"p": pl.String(), "v": pl.Int32()}, ("v",), "column 'v' is Int64 instead of Int32"),
        (
            {"p": pl.String(), "v": pl.Int64(), "V": pl.Int64()},
            ("V",),
            "column 'V' is new, and Delta tells it from 'v' by no case",
        ),
    ],
)
def test_columns_grow_at_their_end_or_differ(wanted, addable, difference):
    schema, found = grown(START.schema, wanted, addable)

    assert found == difference
    if difference is None:
        assert list(schema.items()) == [*START.schema.items(), ("w", pl.Date())]


@pytest.mark.parametrize(
    ("dtype", "than", "is_it"),
    [
        (pl.Int64(), pl.Int32(), True),
        (pl.Int32(), pl.Int64(), False),
        (pl.Int64(), pl.Int64(), False),
        (pl.Float64(), pl.Int32(), True),
        (pl.Float64(), pl.Int64(), False),
        (pl.Float32(), pl.Int32(), False),
        (pl.Datetime("us"), pl.Date(), True),
        (pl.Datetime("us", "UTC"), pl.Date(), False),
        (pl.Decimal(12, 2), pl.Int32(), True),
        (pl.Decimal(11, 2), pl.Int32(), False),
        (pl.Decimal(12, 3), pl.Decimal(11, 2), True),
        (pl.Decimal(12, 4), pl.Decimal(11, 2), False),
        (pl.Decimal(12, 3), pl.Float64(), False),
        (pl.String(), pl.Int64(), False),
    ],
)
def test_a_dtype_is_wider_if_it_holds_every_value_of_the_other(dtype, than, is_it):
    assert is_wider(dtype, than) is is_it
