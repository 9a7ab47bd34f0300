"""The state of a table is what its log says, whoever wrote it."""

import json
import shutil

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from deltaworks.errors import StorageError, TableMismatch, VersionGone
from deltaworks.io.log import commit_path
from deltaworks.io.partition_values import NULL_KEY
from deltaworks.io.scan import scan_table
from deltaworks.io.table import Table
from deltaworks.io.table_state import Origin

START = pl.DataFrame({"p": ["a", "a", "b"], "v": [1, 2, 3]})
ENGINE, OUTSIDE, GONE = int(Origin.ENGINE), int(Origin.OUTSIDE), int(Origin.GONE)


def one(p: str | None, v: int) -> pl.DataFrame:
    return pl.DataFrame({"p": [p], "v": [v]}, schema={"p": pl.String, "v": pl.Int64})


def states(table: Table) -> dict[str, tuple[int, int, int | None]]:
    """Version, origin and rows by key."""
    return {key: (version, origin, count) for key, version, origin, count, _ in table.partitions().rows()}


def append_commit(table: Table, *actions: dict) -> None:
    """Commit as a writer does that delta-rs is not."""
    lines = [{"commitInfo": {"timestamp": 1, "operation": "WRITE"}}, *actions]
    content = "\n".join(map(json.dumps, lines)).encode()
    assert table.store.put_new(commit_path(table.name, table.version + 1), content)


def test_there_is_nothing_where_no_table_is(lake):
    table = lake.open()

    assert (table.exists, table.version, table.table_id) == (False, -1, None)
    assert table.partitions().is_empty()
    assert table.changed_at("a") == -1
    with pytest.raises(TableMismatch, match="there is no table t"):
        table.schema()


def test_our_commits_are_known_with_rows_and_record(lake):
    table = lake.make(START)

    lake.replace(table, one("a", 9), "r2")

    assert states(table) == {"a": (2, ENGINE, 1), "b": (1, ENGINE, 1)}
    by_key = dict(table.partitions().select("key", "materialization").rows())
    assert table.materializations[by_key["a"]].run_id == "r2"
    assert table.materializations[by_key["b"]].run_id == "first"
    assert str(table.writers[2]) == "run r2"
    assert table.table_id == str(DeltaTable(lake.uri()).metadata().id)


def test_reading_from_the_beginning_gives_what_tailing_gives(lake):
    tailed = lake.make(START)
    write_deltalake(lake.uri(), one("c", 1), mode="append")
    DeltaTable(lake.uri()).delete("p = 'b'")
    tailed.tail()

    read = lake.open()

    assert states(read) == states(tailed)
    assert sorted(read.live_keys()) == sorted(tailed.live_keys()) == ["a", "c"]
    assert read.largest_file_bytes == tailed.largest_file_bytes


def test_a_table_is_read_at_an_earlier_version(lake):
    table = lake.make(START)
    lake.replace(table, one("a", 9))

    earlier = lake.open(version=1)

    assert sorted(scan_table(earlier).collect().rows()) == START.rows()
    with pytest.raises(VersionGone, match=r"t has no version 7: its versions are 0 to 2\."):
        lake.open(version=7)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda uri: write_deltalake(uri, one("a", 9), mode="append"), {"a": OUTSIDE}),
        (lambda uri: write_deltalake(uri, one("c", 9), mode="append"), {"c": OUTSIDE}),
        (lambda uri: write_deltalake(uri, one("a", 9), mode="overwrite", predicate="p = 'a'"), {"a": OUTSIDE}),
        (lambda uri: write_deltalake(uri, one("a", 9), mode="overwrite"), {"a": OUTSIDE, "b": GONE}),
        (lambda uri: write_deltalake(uri, one(None, 9), mode="append"), {NULL_KEY: OUTSIDE}),
        (lambda uri: DeltaTable(uri).delete("p = 'a'"), {"a": GONE}),
        (lambda uri: DeltaTable(uri).delete("v = 1"), {"a": OUTSIDE}),
        (lambda uri: DeltaTable(uri).delete(), {"a": GONE, "b": GONE}),
        (lambda uri: DeltaTable(uri).restore(0), {"a": GONE, "b": GONE}),
        (lambda uri: DeltaTable(uri).alter.set_table_description("x"), {}),
    ],
    ids=["append", "new", "replace", "overwrite", "null", "delete", "delete row", "delete all", "restore", "metadata"],
)
def test_an_outside_commit_changes_exactly_the_partitions_that_it_writes(lake, rows, change, expected):
    table = lake.make(START)
    before = states(table)

    change(lake.uri())
    table.tail()

    assert table.version == 2
    assert states(table) == before | {key: (2, origin, None) for key, origin in expected.items()}
    assert str(table.writers[2]).startswith("an outside writer (")
    rows(table)


@pytest.mark.parametrize("is_asked_before", [False, True])
def test_a_partition_has_content_until_its_last_file_is_removed_from_outside(lake, is_asked_before):
    table = lake.make(START)
    lake.replace(table, START.clear(), "emptied", empty=["b"])
    if is_asked_before:
        assert not table.has_content("c")

    write_deltalake(lake.uri(), one("c", 1), mode="append")
    DeltaTable(lake.uri()).delete("p = 'a'")
    table.tail()

    assert {key: table.has_content(key) for key in "abcd"} == {"a": False, "b": True, "c": True, "d": False}


def test_a_compaction_moves_files_and_changes_no_partition(lake, rows):
    table = lake.make(START)
    write_deltalake(lake.uri(), one("a", 9), mode="append")
    table.tail()
    before = states(table)

    DeltaTable(lake.uri()).optimize.compact()
    table.tail()

    assert table.version == 3
    assert states(table) == before
    assert len(table.files(["a"])) == 1
    assert rows(table) == [*START.rows()[:2], ("a", 9), ("b", 3)]


@pytest.mark.parametrize("values", [{}, {"partitionValues": None}, {"partitionValues": {}}])
def test_a_remove_that_does_not_name_its_partition_is_that_of_its_add(lake, values):
    table = lake.make(START)
    (file,) = table.files(["a"])

    append_commit(table, {"remove": {"path": file.logged_path, "dataChange": True} | values})
    table.tail()

    assert states(table) == {"a": (2, GONE, None), "b": (1, ENGINE, 1)}
    assert list(table.live_keys()) == ["b"]


def test_a_file_that_is_added_again_is_there_once(lake, rows):
    table = lake.make(START)
    size_bytes = table.largest_file_bytes
    added = [json.loads(line) for line in table.store.read(commit_path("t", 1)).splitlines()[1:]]

    append_commit(table, *({"add": each["add"] | {"dataChange": False}} for each in added))
    table.tail()

    assert states(table) == {"a": (1, ENGINE, 2), "b": (1, ENGINE, 1)}
    assert table.largest_file_bytes == size_bytes
    assert rows(table) == START.rows()


def test_the_empty_string_is_null_for_delta(lake):
    table = lake.make(one(None, 1))
    (file,) = table.files([NULL_KEY])
    (lake.store.root / "t" / file.path).rename(lake.store.root / "t" / "flat.parquet")

    moved = {"dataChange": True, "partitionValues": {"p": ""}}
    append_commit(
        table,
        {"remove": {"path": file.logged_path} | moved},
        {"add": {"path": "flat.parquet", "size": file.size_bytes, "modificationTime": 1} | moved},
    )
    table.tail()

    assert states(table) == {NULL_KEY: (2, OUTSIDE, None)}
    assert scan_table(table).collect().rows() == [(None, 1)]


def test_a_record_does_not_hide_what_else_its_commit_changed(lake):
    table = lake.make(START)
    lines = table.store.read(commit_path("t", 1)).decode().splitlines()
    info = json.loads(lines[0])
    info["commitInfo"]["deltaworks"]["groups"][0].update(keys=["a"], rows=[2])
    table.store.put(commit_path("t", 1), "\n".join([json.dumps(info), *lines[1:]]).encode())

    assert states(lake.open()) == {"a": (1, ENGINE, 2), "b": (1, OUTSIDE, None)}


def test_a_table_dropped_in_between_is_said_and_not_taken_for_unchanged(lake):
    table = lake.make(START)
    shutil.rmtree(lake.store.root / "t")

    with pytest.raises(StorageError, match="version 1 of the log is no longer the commit that was read"):
        table.tail()


@pytest.mark.parametrize("commits", [0, 1, 5])
def test_a_table_made_anew_in_between_is_seen_whatever_its_version(lake, commits):
    table = lake.make(START)
    shutil.rmtree(lake.store.root / "t")
    anew = lake.make(START)
    for _ in range(commits):
        lake.replace(anew, one("a", 1))

    with pytest.raises(StorageError, match="version 1 of the log is no longer the commit that was read"):
        table.tail()


def test_tailing_opens_no_commit_but_the_last_known_and_the_new_ones(lake):
    table = lake.make(START)
    for _ in range(3):
        lake.replace(table, one("a", 1))
    behind = lake.open(version=3)
    for version in (0, 1, 2):
        table.store.delete(commit_path("t", version))

    assert [commit.version for commit in behind.tail()] == [4]
