"""History: commits from the latest one backwards, each read when it is asked for."""

from __future__ import annotations

from itertools import islice

import polars as pl
import pytest
from deltalake import DeltaTable

from deltaworks.errors import LogGap
from deltaworks.io.history import changes_data, history
from deltaworks.io.log import commit_path

ROWS = pl.DataFrame({"p": ["a", "b"], "v": [1, 2]})


def versions(lake) -> list[int]:
    return [commit.version for commit in history(lake.store, "t")]


def test_a_table_that_does_not_exist_has_none(lake):
    assert versions(lake) == []


def test_commits_come_newest_first_with_their_records(lake):
    table = lake.make(ROWS)
    lake.replace(table, ROWS.head(1), "second")

    commits = list(history(lake.store, "t"))

    assert [(commit.version, commit.record and commit.record.run_id) for commit in commits] == [
        (2, "second"),
        (1, "first"),
        (0, None),
    ]
    assert [commit.changed_keys for commit in commits] == [{"a"}, {"a", "b"}, set()]


def test_only_the_commits_that_are_asked_for_are_read(lake):
    table = lake.make(ROWS)
    lake.replace(table, ROWS, "second")
    lake.store.put(commit_path("t", 1), b"nothing that can be read")

    assert [commit.version for commit in islice(history(lake.store, "t"), 1)] == [2]
    with pytest.raises(LogGap, match="version 1 of the log cannot be read"):
        versions(lake)


def test_a_gap_is_told_and_a_cleaned_beginning_is_the_end(lake):
    table = lake.make(ROWS)
    for run in ("second", "third"):
        lake.replace(table, ROWS, run)
    lake.store.delete(commit_path("t", 0))
    assert versions(lake) == [3, 2, 1]

    lake.store.delete(commit_path("t", 2))
    with pytest.raises(LogGap, match="version 2 of the log is absent though an earlier one exists"):
        versions(lake)


def test_checkpoints_and_temporaries_are_no_commits(lake):
    lake.make(ROWS)
    DeltaTable(lake.uri()).create_checkpoint()
    lake.store.put("t/_delta_log/_sidecars/00000000000000000009.crc", b"")

    assert versions(lake) == [1, 0]


def test_creation_and_compaction_change_no_data_and_an_empty_partition_does(lake):
    table = lake.make(ROWS)
    lake.replace(table, ROWS.head(0), "empties", empty=["c"])
    pl.DataFrame({"p": ["a"], "v": [3]}).write_delta(lake.uri(), mode="append")
    DeltaTable(lake.uri()).optimize.compact()

    found = {commit.version: changes_data(commit) for commit in history(lake.store, "t")}

    assert found == {0: False, 1: True, 2: True, 3: True, 4: False}
