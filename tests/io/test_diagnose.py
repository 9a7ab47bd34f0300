"""Each problem is named with the repair, and the repair repairs."""

import datetime as dt
import os
import shutil

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from deltaworks.io import index_file
from deltaworks.io.damage import inspect
from deltaworks.io.diagnose import Subject, ledger_problems, log_problems, table_problems
from deltaworks.io.index import FOLDER, FORMAT, save_index
from deltaworks.io.log import commit_path
from deltaworks.io.sweep import Runs

START = pl.DataFrame({"p": ["a", "a", "b"], "v": [1, 2, 3]})
NOW = dt.datetime.now(dt.UTC)


def problems(lake, *, defined: str = "ab", read_at: int = -1) -> dict[str, tuple[str, str]]:
    """Message and repair, by kind."""
    subject = Subject("raw", inspect(lake.store, "t"), lambda key: key in defined, read_at)
    found = list(log_problems(subject))
    if subject.inspection.is_readable:
        found += table_problems(subject, Runs.of([], NOW), NOW)
    assert {problem.asset for problem in found} <= {"raw"}
    assert len({problem.kind for problem in found}) == len(found)
    return {problem.kind: (problem.message, problem.repair) for problem in found}


def test_nothing_is_wrong_with_what_we_write_nor_with_nothing(lake):
    assert problems(lake) == {}
    table = lake.make(START)
    save_index(table)

    assert problems(lake) == {}


def test_a_damaged_last_commit_can_be_deleted_if_nobody_read_it(lake):
    lake.make(START)
    path = lake.store.root / commit_path("t", 1)
    path.write_bytes(path.read_bytes()[:-20])

    (message, repair) = problems(lake)["damaged_commit"]

    assert message.startswith("version 1 of its log cannot be read (JSONDecodeError")
    assert repair == f"restore {path} from a backup; or delete it, and `deltaworks backfill` makes again what it held"
    path.unlink()
    assert problems(lake) == {}


@pytest.mark.parametrize("why", ["read", "checkpoint", "not the last"])
def test_a_damaged_commit_that_others_build_on_is_not_to_be_deleted(lake, why):
    table = lake.make(START)
    if why == "checkpoint":
        DeltaTable(lake.uri()).create_checkpoint()
    if why == "not the last":
        lake.replace(table, START)
    (lake.store.root / commit_path("t", 1)).write_bytes(b"")

    (message, repair) = problems(lake, read_at=1 if why == "read" else -1)["damaged_commit"]

    assert message == "version 1 of its log is empty"
    assert f"or move {lake.uri()} away, and `deltaworks backfill raw+` makes the table anew" in repair


def test_an_absent_commit_is_a_gap(lake):
    table = lake.make(START)
    lake.replace(table, START)
    lake.store.delete(commit_path("t", 1))

    assert problems(lake)["log_gap"][0] == "version 1 of its log is absent though a later one exists"


def test_a_damaged_checkpoint_is_to_be_deleted_only_if_the_commits_are_whole(lake):
    table = lake.make(START)
    lake.replace(table, START)
    DeltaTable(lake.uri()).create_checkpoint()
    path = lake.store.root / "t" / "_delta_log" / f"{2:020d}.checkpoint.parquet"
    path.write_bytes(b"torn")

    (_, repair) = problems(lake)["damaged_checkpoint"]
    assert (
        repair == f"delete {path} and {path.parent}/_last_checkpoint; nothing is lost, since the commits are complete"
    )

    lake.store.delete(commit_path("t", 1))
    assert "restore" in problems(lake)["damaged_checkpoint"][1]


def test_missing_data_files_are_made_again_by_partition(lake):
    table = lake.make(START)
    for file in table.files(["a", "b"]):
        lake.store.delete(f"t/{file.path}")

    (message, repair) = problems(lake)["missing_files"]
    (_, beyond) = problems(lake, defined="b")["missing_files"]

    assert "of partitions a, b is not there, and 1 more are damaged" in message
    assert repair == "`deltaworks materialize raw --partition a --partition b`"
    assert beyond.startswith("`deltaworks materialize raw --partition b`")
    assert "from a backup" in beyond


def test_many_missing_data_files_are_made_again_by_range(lake):
    keys = [f"2024-01-{day:02d}" for day in range(1, 21)]
    table = lake.make(pl.DataFrame({"p": keys, "v": range(20)}))
    for file in table.files(keys[2:18]):
        lake.store.delete(f"t/{file.path}")

    (message, repair) = problems(lake, defined=" ".join(keys))["missing_files"]

    assert "partitions 2024-01-03, 2024-01-04, 2024-01-05, 2024-01-06, 2024-01-07 and 11 more" in message
    assert repair == "`deltaworks backfill raw --only all --from 2024-01-03 --to 2024-01-18`"


def test_an_unpartitioned_table_is_made_again_as_a_whole(lake):
    table = lake.make(START, by=())
    (file,) = table.files([""])
    lake.store.delete(f"t/{file.path}")

    (_, repair) = problems(lake, defined="")["missing_files"]

    assert repair == "`deltaworks materialize raw`"


def test_changed_properties_are_told_with_both_values(lake):
    lake.make(START)
    DeltaTable(lake.uri()).alter.set_table_properties({"delta.enableExpiredLogCleanup": "true"})

    (message, repair) = problems(lake)["changed_properties"]

    assert "delta.enableExpiredLogCleanup is 'true' instead of 'false'" in message
    assert "logRetentionDuration" not in message
    assert repair == "`deltaworks adopt raw`"


@pytest.mark.parametrize(
    ("appended", "told"),
    [
        (START.filter(p="a"), "others appended 2 rows to partition a at version 2, all of which were there already"),
        (START.filter(p="a").head(1), "others appended 1 row to partition a at version 2, all of which were there"),
        (START, "others appended 3 rows to partitions a, b at version 2, all of which were there already"),
        (pl.concat([START.filter(p="b")] * 2), None),
        (pl.DataFrame({"p": ["a", "a"], "v": [1, 7]}), None),
        (pl.DataFrame({"p": ["c"], "v": [1]}), None),
    ],
)
def test_rows_that_others_append_are_told_if_they_were_all_there(lake, appended, told):
    lake.make(START)

    write_deltalake(lake.uri(), appended, mode="append")

    found = problems(lake, defined="abc").get("doubled_rows", (None, None))
    assert (found[0] or "").startswith(told or "")
    assert (found[0] is None) is (told is None)


def test_what_others_append_to_their_own_partition_is_theirs(lake):
    lake.make(START)
    for mode in ("overwrite", "append"):
        write_deltalake(lake.uri(), START, mode=mode)

    assert problems(lake) == {}


def test_leftovers_are_told_when_maintain_would_take_them(lake):
    table = lake.make(START)
    staged = [part.files[0].path for part in lake.stage(table, START, "20260201T000000-0123abcd")]
    assert problems(lake) == {}
    for path in staged:
        os.utime(lake.store.root / "t" / path, (0, 0))

    assert problems(lake)["leftovers"][0].startswith("2 files (")


def test_partitions_beyond_the_definition_are_told(lake):
    lake.make(START)

    assert problems(lake, defined="a")["beyond_definition"][0].startswith("it holds partition b, which its definition")


def test_an_index_that_is_damaged_or_wrong_is_told_and_one_of_another_table_is_not(lake):
    def kept() -> str | None:
        return problems(lake).get("damaged_index", (None, None))[0]

    table = lake.make(START)
    save_index(table)
    lake.replace(table, START)
    assert kept() is None, "an old index is a good one"

    path = lake.store.root / FOLDER / "t.index"
    path.write_bytes(path.read_bytes()[:-9])
    assert kept() == "its index cannot be read; it is left aside"

    save_index(table)
    files = lake.store.root / FOLDER / "t.files"
    df, facts = index_file.from_bytes(files.read_bytes(), FORMAT)
    files.write_bytes(index_file.to_bytes(df.head(1), facts))
    assert kept() == "its index says something else than the log; it is left aside"

    shutil.rmtree(lake.store.root / "t")
    lake.make(START)
    assert kept() is None


def test_every_damaged_entry_of_the_ledger_is_told(lake):
    for name in ("a", "b"):
        lake.store.put(f"_deltaworks/ledger/runs/2026-01-01/{name}.json", b"{")

    found = sorted(problem.repair for problem in ledger_problems(lake.store))

    assert found == [
        f"delete {lake.store.uri(f'_deltaworks/ledger/runs/2026-01-01/{name}.json')}; only that run's history is lost"
        for name in ("a", "b")
    ]
