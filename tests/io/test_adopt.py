"""Adopting changes properties and nothing else, and only of a table that fits."""

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from deltaworks.errors import StorageError, TableMismatch
from deltaworks.io.adopt import Change, adopt_table, read_foreign
from deltaworks.io.create import PROPERTIES
from deltaworks.io.log import commit_path

START = pl.DataFrame({"p": ["a", "a", "b"], "v": [1, 2, 3]})
RETENTION, CLEANUP = PROPERTIES


def foreign(lake, **options) -> None:
    write_deltalake(lake.uri(), START, partition_by=["p"], **options)
    write_deltalake(lake.uri(), START.head(1), mode="append")


def files(lake) -> set[str]:
    return {path.name for path in lake.store.root.rglob("*") if path.is_file()}


def test_it_sets_the_properties_that_keep_records_and_says_so(lake, rows):
    foreign(lake, configuration={CLEANUP: "true", "delta.checkpointInterval": "5"})
    table = read_foreign(lake.store, "t")

    changes = adopt_table(table, START.schema, ["p"])

    assert changes == (
        Change(RETENTION, None, "interval 3650 days"),
        Change(CLEANUP, "true", "false"),
    )
    assert table.version == 2
    assert DeltaTable(lake.uri()).metadata().configuration == PROPERTIES | {"delta.checkpointInterval": "5"}
    assert table.changed_at("a") == 1, "nobody's partitions were touched"
    assert len(rows(table)) == 4


def test_it_changes_nothing_when_all_is_set(lake):
    foreign(lake)
    adopt_table(read_foreign(lake.store, "t"), START.schema, ["p"])
    before = files(lake)

    assert adopt_table(read_foreign(lake.store, "t"), START.schema, ["p"]) == ()
    assert adopt_table(lake.make(START, name="ours"), START.schema, ["p"]) == ()
    assert before <= files(lake)
    assert lake.open().version == 2


@pytest.mark.parametrize(
    ("schema", "by", "told"),
    [
        ({"p": pl.String(), "v": pl.Float64()}, ["p"], "column 'v' is Int64 instead of Float64"),
        ({"p": pl.String()}, ["p"], "column 'v' .* is not expected"),
        (dict(START.schema), [], "it is partitioned by 'p', but"),
    ],
)
def test_an_unfit_table_is_left_as_it_is(lake, schema, by, told):
    foreign(lake)
    before = files(lake)

    with pytest.raises(TableMismatch, match=told):
        adopt_table(read_foreign(lake.store, "t"), schema, by)

    assert files(lake) == before


def test_a_table_whose_first_commits_are_gone_is_refused_and_a_gap_is_a_gap(lake):
    foreign(lake)
    DeltaTable(lake.uri()).create_checkpoint()
    lake.store.delete(commit_path("t", 0))

    with pytest.raises(TableMismatch, match=r"its first commits were deleted.* Nothing was changed"):
        read_foreign(lake.store, "t")
    lake.store.put(commit_path("t", 0), b"torn")
    with pytest.raises(StorageError, match="version 0 of the log cannot be read"):
        read_foreign(lake.store, "t")


def test_a_commit_in_between_is_one_sentence(lake):
    foreign(lake)
    table = read_foreign(lake.store, "t")
    lake.store.put(commit_path("t", 2), b"torn")

    with pytest.raises(StorageError, match=r"^cannot change the properties of table .*/t: [^\n]*$"):
        adopt_table(table, START.schema, ["p"])
