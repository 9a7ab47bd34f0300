"""A commit is a compare-and-swap: whatever others do in between, no row is doubled, lost or overwritten unseen."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from deltalake.exceptions import CommitFailedError

from deltaworks.errors import StorageError, TableMismatch
from deltaworks.io.log import commit_path, tail
from deltaworks.io.scan import scan_table
from deltaworks.io.staged import StagedFile, StagedPartition

START = pl.DataFrame({"p": list("aaabbb"), "v": range(6)})
KEPT_A, KEPT_B = [("a", 0), ("a", 1), ("a", 2)], [("b", 3), ("b", 4), ("b", 5)]


def one(p: str, v: int) -> pl.DataFrame:
    return pl.DataFrame({"p": [p], "v": [v]})


def conflicts(committed) -> list[tuple[tuple[str, ...], int, int]]:
    return [(each.partitions, each.read_version, each.version) for each in committed.conflicts]


def actions(table, version: int) -> list[dict]:
    return [json.loads(line) for line in table.store.read(commit_path("t", version)).splitlines()]


# What is written is Delta.


def test_a_commit_is_read_alike_by_everybody_and_holds_its_record(lake, rows):
    table = lake.create(START)

    committed = lake.replace(table, START, "r1")

    assert (committed.version, committed.conflicts) == (1, ())
    assert rows(table) == KEPT_A + KEPT_B
    latest = DeltaTable(lake.uri()).history(1)[0]
    assert (latest["deltaworks"]["run_id"], latest["timestamp"]) == ("r1", 1_700_000_000_000)
    assert latest["deltaworks"]["groups"][0]["keys"] == ["a", "b"]
    assert latest["deltaworks"]["groups"][0]["rows"] == [3, 3]
    uris = {Path(uri).name for uri in DeltaTable(lake.uri()).file_uris()}
    assert uris == {Path(file.path).name for file in table.files(["a", "b"])}


def test_what_others_do_on_top_is_read_right_and_can_be_replaced(lake, rows):
    table = lake.make(START)
    uri = lake.uri()

    write_deltalake(uri, one("a", 9), mode="append")
    write_deltalake(uri, one("b", 20), mode="overwrite", predicate="p = 'b'")
    DeltaTable(uri).create_checkpoint()
    table.tail()
    assert rows(table) == [*KEPT_A, ("a", 9), ("b", 20)]

    DeltaTable(uri).optimize.compact()
    lake.replace(table, one("a", 30))
    assert rows(table) == [("a", 30), ("b", 20)]
    assert rows(lake.open()) == rows(table)


def test_vacuum_sees_exactly_the_files_that_were_removed(lake):
    table = lake.make(START)
    old = {file.path for file in table.files(["a"])}
    lake.replace(table, one("a", 1))
    lake.stage(table, one("b", 2))

    seen = DeltaTable(lake.uri()).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=True)

    assert set(seen) == old


def test_a_stale_writer_is_refused_by_our_commit(lake, rows):
    table = lake.make(START)
    stale = DeltaTable(lake.uri())
    lake.replace(table, one("a", 1))

    with pytest.raises(CommitFailedError):
        write_deltalake(stale, one("a", 99), mode="overwrite", predicate="p = 'a'")

    assert rows(table) == [("a", 1), *KEPT_B]


def test_a_partition_is_emptied_and_an_absent_one_is_recorded_as_empty(lake, rows):
    table = lake.make(START)

    lake.replace(table, START.clear(), empty=["a", "new"])

    assert rows(table) == KEPT_B
    states = {key: (origin, count) for key, _, origin, count, _ in table.partitions().rows()}
    assert (states["a"], states["new"]) == ((0, 0), (0, 0))


def recorded_keys(table):
    """The partitions that the latest record names."""
    (commit,) = tail(table.store, table.name, after=table.version - 1)
    return commit.record.groups[0].keys


def test_an_unpartitioned_table_is_replaced_whole(lake, rows):
    table = lake.make(START, by=())

    lake.replace(table, one("z", 1))

    assert rows(table) == [("z", 1)]
    assert recorded_keys(table) is None


def test_a_remove_repeats_what_the_add_said(lake):
    lake.create(START)
    write_deltalake(lake.uri(), one("a b%", 1), mode="append")
    table = lake.open()

    lake.replace(table, one("a b%", 2))

    (added,) = (action["add"] for action in actions(table, 1) if "add" in action)
    (removed,) = (action["remove"] for action in actions(table, 2) if "remove" in action)
    for name in ("path", "partitionValues", "size"):
        assert removed[name] == added[name]


# Races: two handles at the same version; the second is the stale one.


def test_disjoint_partitions_both_land(lake, rows):
    first, second = lake.make(START), lake.open()

    lake.replace(first, one("a", 10), "r1")
    landed = lake.replace(second, pl.concat([one("b", 20), one("new", 30)]), "r2")

    assert (landed.version, landed.conflicts) == (3, ())
    assert rows(second) == [("a", 10), ("b", 20), ("new", 30)]


@pytest.mark.parametrize("partition", ["a", "new"])
def test_of_two_runs_that_replace_a_partition_the_second_is_told(lake, rows, partition):
    first, second = lake.make(START), lake.open()

    lake.replace(first, one(partition, 10), "r1")
    refused = lake.replace(second, pl.concat([one(partition, 99), one("b", 20)]), "r2")

    assert refused.version == 3
    assert conflicts(refused) == [((partition,), 1, 2)]
    assert ("b", 20) in rows(second)
    assert [row for row in rows(second) if row[0] == partition] == [(partition, 10)]
    assert recorded_keys(second) == ("b",)


def test_nothing_is_committed_when_nothing_is_left(lake):
    first, second = lake.make(START), lake.open()
    lake.replace(first, one("a", 10), "r1")

    refused = lake.replace(second, one("a", 99), "r2")

    assert refused.version is None
    assert lake.open().version == 2


def test_an_empty_commit_of_another_run_is_a_conflict_too(lake):
    first, second = lake.make(START), lake.open()
    lake.replace(first, START.clear(), "r1", empty=["new"])

    refused = lake.replace(second, one("new", 1), "r2")

    assert conflicts(refused) == [(("new",), 1, 2)]


OUTSIDE: dict[str, Callable[[str], object]] = {
    "append": lambda uri: write_deltalake(uri, one("a", 9), mode="append"),
    "overwrite": lambda uri: write_deltalake(uri, one("a", 9), mode="overwrite", predicate="p = 'a'"),
    "delete": lambda uri: DeltaTable(uri).delete("p = 'a'"),
    "delete of a row": lambda uri: DeltaTable(uri).delete("v = 1"),
    "update": lambda uri: DeltaTable(uri).update({"v": "9"}, predicate="v = 1"),
    "restore": lambda uri: DeltaTable(uri).restore(0),
}


@pytest.mark.parametrize("how", OUTSIDE)
def test_a_partition_changed_from_outside_is_left_out(lake, rows, how):
    table = lake.make(START)
    OUTSIDE[how](lake.uri())
    left = sorted(row for row in pl.read_delta(lake.uri()).select("p", "v").rows() if row[0] == "a")

    refused = lake.replace(table, pl.concat([one("a", 99), one("new", 1)]))

    assert conflicts(refused) == [(("a",), 1, 2)]
    assert [row for row in rows(table) if row[0] == "a"] == left
    assert ("new", 1) in rows(table)


def test_a_new_partition_written_from_outside_is_left_out(lake, rows):
    table = lake.make(START)
    write_deltalake(lake.uri(), one("new", 9), mode="overwrite", predicate="p = 'new'")

    refused = lake.replace(table, one("new", 99))

    assert conflicts(refused) == [(("new",), 1, 2)]
    assert rows(table) == [*KEPT_A, *KEPT_B, ("new", 9)]


def test_a_compaction_in_between_is_no_conflict_and_its_file_is_removed(lake, rows):
    table = lake.make(START)
    write_deltalake(lake.uri(), one("a", 9), mode="append")
    table.tail()
    DeltaTable(lake.uri()).optimize.compact()

    landed = lake.replace(table, one("a", 10))

    assert (landed.version, landed.conflicts) == (4, ())
    assert rows(table) == [("a", 10), *KEPT_B]


def test_a_change_of_schema_in_between_is_verified_and_refused(lake):
    table = lake.make(START)
    wider = one("b", 1).with_columns(w=pl.lit(1))
    write_deltalake(lake.uri(), wider, mode="append", schema_mode="merge")

    staged = lake.stage(table, one("a", 10))
    with pytest.raises(TableMismatch, match="column 'w'"):
        lake.commit(table, staged)

    assert lake.open().version == 2


def test_a_change_of_properties_that_forbids_replacing_is_refused(lake):
    table = lake.make(START)
    DeltaTable(lake.uri()).alter.set_table_properties({"delta.appendOnly": "true"})

    with pytest.raises(TableMismatch, match="append-only"):
        lake.replace(table, one("a", 10))


def test_a_harmless_change_of_properties_is_committed_over(lake):
    table = lake.make(START)
    DeltaTable(lake.uri()).alter.set_table_description("another")

    assert lake.replace(table, one("a", 10)).version == 3


def test_what_another_attempt_of_the_run_has_committed_is_not_replaced(lake):
    table = lake.make(START)
    decided_at = table.version
    lake.replace(table, one("a", 10), "r1", decided_at=decided_at)

    again = lake.replace(table, pl.concat([one("a", 11), one("b", 20)]), "r1", decided_at=decided_at)

    assert (again.version, conflicts(again)) == (3, [(("a",), 1, 2)])


def test_a_change_after_the_decision_counts_though_the_table_has_been_advanced(lake):
    table = lake.make(START)
    decided_at = table.version
    write_deltalake(lake.uri(), one("a", 9), mode="append")
    table.tail()

    refused = lake.replace(table, one("a", 10), decided_at=decided_at)

    assert conflicts(refused) == [(("a",), 1, 2)]


def test_the_conflict_of_an_unpartitioned_table_names_the_whole(lake):
    table = lake.make(START, by=())
    write_deltalake(lake.uri(), one("z", 9), mode="append")

    (conflict,) = lake.replace(table, one("z", 1)).conflicts

    assert conflict.partitions == ()
    assert "the whole table changed at version 2" in str(conflict)


def test_a_missing_or_changed_staged_file_stops_the_commit(lake):
    table = lake.make(START)
    (staged,) = lake.stage(table, one("a", 1))
    (file,) = staged.files
    larger = StagedFile(file.path, file.size_bytes + 1, file.statistics)
    gone = StagedFile("p=a/gone.parquet", 1, "{}")

    for wrong in (larger, gone):
        with pytest.raises(StorageError, match=rf"data file {wrong.path} is not there as it was written"):
            lake.commit(table, [StagedPartition("a", {"p": "a"}, 1, (wrong,))])

    assert lake.open().version == 1


def test_a_table_made_anew_in_between_is_not_written_to(lake):
    table = lake.make(START)
    lake.replace(table, one("a", 1))
    (lake.store.root / "t").rename(lake.store.root / "old")
    lake.make(START)
    staged = lake.stage(table, one("a", 99))

    with pytest.raises(StorageError, match="version 2 of the log is no longer the commit that was read"):
        lake.commit(table, staged)

    assert lake.open().version == 1


def test_many_processes_lose_no_commit(lake):
    lake.create(one("", 0))
    program = Path(__file__).with_name("conftest.py")

    processes = [
        subprocess.Popen([sys.executable, program, str(lake.store.root), str(number), "15"]) for number in range(4)
    ]
    codes = [process.wait(timeout=60) for process in processes]

    table = lake.open()
    assert (codes, table.version) == ([0] * 4, 60)
    expected = sorted((f"{process}-{number}", number) for process in range(4) for number in range(15))
    assert sorted(scan_table(table).collect().rows()) == expected
    query = QueryBuilder().register("t", DeltaTable(lake.uri())).execute("select p, v from t")
    assert sorted(pl.DataFrame(query.read_all()).rows()) == expected


def test_commits_cost_the_same_however_large_the_table_is(lake):
    large = pl.DataFrame({"p": [str(number) for number in range(500)], "v": range(500)})
    table = lake.make(large)

    lake.replace(table, one("7", 1))

    assert len(actions(table, 2)) == 3  # commitInfo, remove, add
