"""A sweep takes what dead runs left behind, and nothing that any version of a table was ever made of."""

import datetime as dt
import os
from dataclasses import replace

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from deltaworks.errors import LogGap
from deltaworks.io.log import commit_path
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.sweep import Runs, find_candidates, leftovers

START = pl.DataFrame({"p": ["a", "a", "b"], "v": [1, 2, 3]})
NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
OLD = NOW - dt.timedelta(days=8)
DEAD = "20260201T000000-0123abcd"
RUNNING = RunEntry(DEAD, RunStatus.RUNNING, "backfill", "2026-02-20T00:00:00+00:00")
NONE = Runs.of([], NOW)


def age(lake, when: dt.datetime = OLD) -> None:
    """Make every file of the lake look as if it had been written then."""
    for path in lake.store.root.rglob("*"):
        os.utime(path, (when.timestamp(), when.timestamp()))


def put(lake, path: str) -> None:
    target = lake.store.root / "t" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"content")


def swept(lake, runs: Runs = NONE, name: str = "t") -> set[str]:
    """What may go, below the table's folder."""
    candidates = find_candidates(lake.store, name, NOW - dt.timedelta(days=7))
    return {file.path.removeprefix(f"{name}/") for file in leftovers(lake.store, name, candidates, runs)}


def test_it_takes_staged_files_that_no_commit_added(lake):
    table = lake.make(START)
    (left, other) = (part.files[0].path for part in lake.stage(table, START, DEAD))
    age(lake)

    assert swept(lake) == {left, other}


def test_it_leaves_what_was_ever_part_of_a_version(lake):
    table = lake.make(START)
    lake.replace(table, START, DEAD)
    lake.replace(table, START, "20260202T000000-0123abcd")
    DeltaTable(lake.uri()).delete("p = 'b'")
    age(lake)

    assert swept(lake, Runs.of([replace(RUNNING, status=RunStatus.FAILURE)], NOW)) == set()
    assert len(lake.open(version=2).files(["a", "b"])) == 2


@pytest.mark.parametrize("name", ["part-0.parquet", "part-00000-0f3a-c000.snappy.parquet", "mine.parquet", "x-1.csv"])
def test_it_leaves_what_others_have_named(lake, name):
    lake.make(START)
    put(lake, f"p=a/{name}")
    put(lake, name)
    age(lake)

    assert swept(lake) == set()


@pytest.mark.parametrize("run_id", ["nightly", "first"])
def test_a_run_id_that_somebody_chose_is_known_by_the_ledger_or_a_record(lake, run_id):
    table = lake.make(START)  # by the run `first`
    (part, _) = lake.stage(table, START, run_id)
    (unknown, _) = lake.stage(table, START, "nobody")
    age(lake)

    found = swept(lake, Runs.of([replace(RUNNING, run_id="nightly", status=RunStatus.FAILURE)], NOW))

    assert part.files[0].path in found
    assert unknown.files[0].path not in found


@pytest.mark.parametrize(
    ("status", "heartbeat", "goes"),
    [
        (RunStatus.RUNNING, NOW - dt.timedelta(hours=1), False),
        (RunStatus.RUNNING, NOW - dt.timedelta(days=2), True),
        (RunStatus.RUNNING, None, True),
        (RunStatus.FAILURE, NOW, True),
    ],
)
def test_a_run_that_may_still_commit_keeps_its_files(lake, status, heartbeat, goes):
    table = lake.make(START)
    lake.stage(table, START, DEAD)
    age(lake)
    entry = replace(RUNNING, status=status, heartbeat_at=heartbeat and heartbeat.isoformat())

    assert bool(swept(lake, Runs.of([entry], NOW))) is goes


def test_young_files_stay_by_the_age_of_the_file(lake):
    table = lake.make(START)
    lake.stage(table, START, DEAD)
    age(lake, NOW - dt.timedelta(days=6, hours=23))

    assert swept(lake) == set()


def test_it_takes_the_temporaries_of_both_writers_and_leaves_what_looks_like_them(lake):
    lake.make(START)
    ours = f"_delta_log/.{2:020d}.json.{'0' * 32}.tmp"
    gone = {ours, "p=a/x.parquet#1", f"_delta_log/{2:020d}.json#1", "_delta_log/_commit_1f.json.tmp"}
    for name in (*gone, "p=a/x.parquet#", "p=a/notes#1", "p=a/.x.tmp", "_delta_log/notes.json"):
        put(lake, name)
    age(lake)

    assert swept(lake) == gone


def test_a_file_that_is_named_like_a_temporary_but_was_added_stays(lake):
    table = lake.make(START)
    (file,) = table.files(["a"])
    put(lake, "p=a/x.parquet#1")
    added = f'{{"add":{{"path":"p=a/x.parquet%231","partitionValues":{{"p":"a"}},"size":{file.size_bytes},'
    lake.store.put(commit_path("t", 2), (added + '"modificationTime":1,"dataChange":true}}').encode())
    age(lake)

    assert swept(lake) == set()


def test_a_table_inside_the_folder_is_not_touched(lake):
    lake.make(START)
    inner = lake.make(START, name="t/inner")
    lake.stage(inner, START, DEAD)
    age(lake)

    assert swept(lake) == set()
    assert len(swept(lake, name="t/inner")) == 2


def test_files_logged_in_full_are_known(lake):
    table = lake.make(START)
    (part, _) = lake.stage(table, START, DEAD)
    path = f"{lake.uri()}/{part.files[0].path}"
    added = f'{{"add":{{"path":"file://{path}","partitionValues":{{"p":"a"}},"size":1,'
    lake.store.put(commit_path("t", 2), (added + '"modificationTime":1,"dataChange":true}}').encode())
    age(lake)

    assert part.files[0].path not in swept(lake)


def test_without_a_log_nothing_staged_is_taken_and_with_a_gap_nobody_can_say(lake):
    table = lake.make(START)
    lake.stage(table, START, DEAD)
    age(lake)
    (lake.store.root / commit_path("t", 1)).unlink()
    write_deltalake(lake.uri(), START, mode="append")
    lake.store.delete(commit_path("t", 0))

    with pytest.raises(LogGap):
        swept(lake)
    (lake.store.root / commit_path("t", 1)).unlink()
    assert swept(lake) == set()
