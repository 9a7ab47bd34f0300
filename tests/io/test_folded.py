"""Runs of long ago are folded into Parquet, and nobody who asks for runs can tell."""

import datetime as dt
import json
import threading
from dataclasses import fields, replace

import polars as pl
import pytest

from deltaworks.errors import StorageError
from deltaworks.io.asset_outcome import AssetOutcome
from deltaworks.io.folded import FOLDER, SCHEMA
from deltaworks.io.folding import find_foldable, fold_runs
from deltaworks.io.ledger import find_damaged_runs, read_runs, write_run
from deltaworks.io.record import Kind
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus, document_of
from deltaworks.io.store import Store
from tests.exactness.failing_store import Crash, FailingStore, Moment, Trigger

ENDED = RunEntry(
    "20260102T000000-00000000",
    RunStatus.FAILURE,
    "backfill",
    "2026-01-02T00:00:00.000001+00:00",
    "2026-01-02T00:00:05+00:00",
    materialized=3,
    failed=2,
    skipped=1,
    commits=1,
    failures=(Failure("raw/x", "2013-01-01", "it broke", 4, "1a2b"), Failure("y", None, "so did this", -1)),
    heartbeat_at="2026-01-02T00:00:04+00:00",
    host="here",
    pid=12,
)
TODAY = dt.date(2026, 3, 1)


def runs_of(*days: str) -> list[RunEntry]:
    """One run a day, the second of them one that wiped and failed at nothing."""
    made = [
        replace(ENDED, run_id=f"run-{number}", started_at=f"{day}T12:00:00+00:00") for number, day in enumerate(days)
    ]
    made[1:2] = [replace(run, kind=Kind.WIPE, failures=(), heartbeat_at=None, replaced=7) for run in made[1:2]]
    return made


def write(store: Store, runs: list[RunEntry]) -> list[RunEntry]:
    for run in runs:
        write_run(store, run)
    return runs


def objects(store: Store) -> int:
    return sum(path.endswith(".json") for path in store.list("_deltaworks/ledger/runs"))


def fold(store: Store, before: dt.date = TODAY) -> int:
    found = find_foldable(store, before)
    fold_runs(store, found)
    return len(found)


def test_runs_read_the_same_before_and_after(lake):
    runs = write(lake.store, runs_of("2026-01-30", "2026-01-31", "2026-02-01", "2026-03-01"))

    assert fold(lake.store) == 3

    assert read_runs(lake.store) == runs
    assert objects(lake.store) == 1
    assert fold(lake.store) == 0


def test_a_later_fold_adds_to_the_file_of_its_month(lake):
    runs = write(lake.store, runs_of("2026-01-30", "2026-01-31"))
    fold(lake.store, dt.date(2026, 1, 31))
    fold(lake.store)

    assert [path.rpartition("/")[2] for path in lake.store.list(FOLDER)] == ["2026-01.parquet"]
    assert read_runs(lake.store) == runs


def test_any_parquet_reader_can_query_it(lake):
    write(lake.store, runs_of("2026-01-30", "2026-01-31"))
    fold(lake.store)

    df = pl.read_parquet(lake.store.uri(f"{FOLDER}/*.parquet"))
    assert df["started_at"].to_list() == [dt.datetime(2026, 1, day, 12, tzinfo=dt.UTC) for day in (30, 31)]
    failed = df.explode("failures").unnest("failures").drop_nulls("asset").group_by("asset").len().sort("asset")
    assert failed.rows() == [("raw/x", 1), ("y", 1)]


def test_it_has_a_column_for_everything_that_a_run_says():
    assert document_of(ENDED).keys() <= SCHEMA.keys()
    struct = SCHEMA["failures"]
    assert isinstance(struct, pl.List)
    assert isinstance(struct.inner, pl.Struct)
    assert [each.name for each in struct.inner.fields] == [each.name for each in fields(Failure)]


def test_runs_that_go_on_and_those_of_a_newer_engine_stay_objects(lake):
    running, newer = runs_of("2026-01-30", "2026-01-31")
    write(lake.store, [replace(running, status=RunStatus.RUNNING, ended_at=None), newer])
    (path,) = lake.store.root.rglob("run-1.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "green"}))

    assert fold(lake.store) == 0


def test_a_run_that_is_written_again_is_as_its_object_says_and_is_folded_anew(lake):
    (run,) = write(lake.store, runs_of("2026-01-30"))
    fold(lake.store)
    again = replace(run, materialized=99)
    write_run(lake.store, again)

    assert read_runs(lake.store) == [again]
    fold(lake.store)
    assert read_runs(lake.store) == [again]


@pytest.mark.parametrize("method", ["put", "delete", "read", "list"])
@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_crash_at_any_call_loses_no_run_and_counts_none_twice(lake, method, moment, call):
    runs = write(lake.store, runs_of("2025-12-30", "2026-01-31", "2026-02-01"))
    crashed = False
    try:
        fold(FailingStore(lake.store.root, False, Trigger(method, call, moment)))
    except Crash:
        crashed = True

    assert crashed or call > 1
    assert read_runs(lake.store) == runs
    fold(lake.store)
    assert read_runs(lake.store) == runs
    assert objects(lake.store) == 0


def test_who_reads_while_it_is_folded_misses_nothing(lake):
    runs = write(lake.store, runs_of(*(f"2026-01-{day:02}" for day in range(1, 29))))
    seen: list[list[RunEntry]] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.append(read_runs(lake.store))

    reader = threading.Thread(target=look)
    reader.start()
    for day in range(2, 30):
        fold(lake.store, dt.date(2026, 1, day))
    done.set()
    reader.join()

    assert seen
    assert all(each == runs for each in seen)


@pytest.mark.parametrize("content", [b"", b"PAR1 torn", b"text"])
def test_a_damaged_file_is_one_sentence_that_names_it(lake, content):
    write(lake.store, runs_of("2026-01-30"))
    fold(lake.store)
    path = f"{FOLDER}/2026-01.parquet"
    (lake.store.root / path).write_bytes(content)

    with pytest.raises(StorageError, match=r"^ledger file .*/2026-01\.parquet is damaged \([^\n]*\); delete it: only"):
        read_runs(lake.store)
    assert [found for found, _ in find_damaged_runs(lake.store)] == [path]


def test_a_word_of_a_newer_engine_is_one_sentence_too(lake):
    write(lake.store, runs_of("2026-01-30"))
    fold(lake.store)
    path = lake.store.root / FOLDER / "2026-01.parquet"
    pl.read_parquet(path).with_columns(status=pl.lit("dancing")).write_parquet(path)

    with pytest.raises(StorageError, match=r"is damaged \(ValueError: 'dancing'"):
        read_runs(lake.store)
    assert len(list(find_damaged_runs(lake.store))) == 1


def test_a_file_of_an_older_engine_lacks_columns(lake):
    (run,) = write(lake.store, runs_of("2026-01-30"))
    fold(lake.store)
    path = lake.store.root / FOLDER / "2026-01.parquet"
    pl.read_parquet(path).drop("replaced", "kind", "host").write_parquet(path)

    assert read_runs(lake.store) == [replace(run, host=None)]


def test_what_an_older_engine_did_not_measure_of_an_asset_counts_as_not_known(lake):
    step = AssetOutcome("x", 5, 3, failed=2, calls=4, calls_s=0.5, rows=9, rate=1.5)
    (run,) = write(lake.store, [replace(runs_of("2026-01-30")[0], steps=(step,))])
    fold(lake.store)
    path = lake.store.root / FOLDER / "2026-01.parquet"

    assert read_runs(lake.store) == [run]

    old = pl.Struct(
        {name: pl.Int64() for name in ("planned", "materialized", "failed", "skipped")} | {"asset": pl.String()}
    )
    steps = [[{name: getattr(step, name) for name in ("asset", "planned", "materialized", "failed", "skipped")}]]
    pl.read_parquet(path).with_columns(steps=pl.Series(steps, dtype=pl.List(old))).write_parquet(path)

    assert read_runs(lake.store) == [replace(run, steps=(AssetOutcome("x", 5, 3, failed=2),))]
