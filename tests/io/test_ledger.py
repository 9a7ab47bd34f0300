"""The ledger gives runs back as they were written, oldest first."""

import json
from dataclasses import replace

import pytest

from deltaworks.errors import StorageError
from deltaworks.io.ledger import Failure, RunEntry, RunStatus, read_runs, write_run

STARTED = RunEntry("b", RunStatus.RUNNING, "materialize", "2026-01-02T00:00:00+00:00")
ENDED = replace(
    STARTED,
    status=RunStatus.FAILURE,
    ended_at="2026-01-02T00:00:05+00:00",
    materialized=3,
    failed=2,
    skipped=1,
    commits=1,
    failures=(Failure("raw/x", "2013-01-01", "it broke", 4), Failure("y", None, "so did this", -1)),
)


def test_a_run_comes_back_as_it_was_last_written(lake):
    write_run(lake.store, STARTED)
    write_run(lake.store, ENDED)

    assert list(read_runs(lake.store)) == [ENDED]


def test_runs_come_oldest_first_whatever_their_ids(lake):
    starts = {
        "c": "2025-12-31T23:00:00+00:00",
        "b": "2026-01-01T00:00:00+00:00",
        "a": "2026-01-01T00:00:00.500000+00:00",
    }
    for run_id, started_at in starts.items():
        write_run(lake.store, replace(ENDED, run_id=run_id, started_at=started_at))

    assert [entry.run_id for entry in read_runs(lake.store)] == ["c", "b", "a"]


def test_an_absent_ledger_has_no_runs(lake):
    assert list(read_runs(lake.store)) == []


def test_keys_of_a_newer_engine_are_ignored(lake):
    write_run(lake.store, ENDED)
    (path,) = (lake.store.root / "_deltaworks").rglob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "green"}))

    assert list(read_runs(lake.store)) == [ENDED]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"run_id": "b", "status": "dancing"}'])
def test_a_damaged_entry_is_one_sentence_that_names_it(lake, content):
    write_run(lake.store, ENDED)
    (path,) = (lake.store.root / "_deltaworks").rglob("*.json")
    path.write_text(content)

    with pytest.raises(StorageError, match=r"^ledger entry .*/2026-01-02/b\.json is damaged .*; delete it"):
        list(read_runs(lake.store))
