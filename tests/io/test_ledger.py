"""The ledger gives runs back as they were written, oldest first."""

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from deltaworks.errors import RequestError, StorageError
from deltaworks.io.known_runs import KnownRuns
from deltaworks.io.ledger import find_run, read_run, read_runs, write_run
from deltaworks.io.process import Process
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus
from deltaworks.io.store import Store

STARTED = RunEntry("b", RunStatus.RUNNING, "materialize", "2026-01-02T00:00:00+00:00")
ENDED = replace(
    STARTED,
    status=RunStatus.FAILURE,
    ended_at="2026-01-02T00:00:05+00:00",
    materialized=3,
    failed=2,
    skipped=1,
    commits=1,
    failures=(Failure("raw/x", "2013-01-01", "it broke", 4, "1a2b"), Failure("y", None, "so did this", -1)),
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


def test_an_entry_says_where_the_run_is_and_when_it_was_last_alive(lake):
    beating = replace(STARTED, heartbeat_at="2026-01-02T00:01:00+00:00", host="here", pid=7)
    write_run(lake.store, beating)

    assert read_runs(lake.store) == [beating]


def test_an_entry_of_an_older_engine_has_no_heartbeat(lake):
    write_run(lake.store, STARTED)
    (path,) = (lake.store.root / "_deltaworks").rglob("*.json")
    document = json.loads(path.read_text())
    path.write_text(json.dumps({key: document[key] for key in document.keys() - {"heartbeat_at", "host", "pid"}}))

    assert read_runs(lake.store) == [STARTED]


def test_a_failure_in_an_entry_of_an_older_engine_names_no_table(lake):
    write_run(lake.store, ENDED)
    (path,) = (lake.store.root / "_deltaworks").rglob("*.json")
    document = json.loads(path.read_text())
    for failure in document["failures"]:
        del failure["table_id"]
    path.write_text(json.dumps(document))

    (entry,) = read_runs(lake.store)

    assert entry.failures == tuple(replace(failure, table_id=None) for failure in ENDED.failures)


@pytest.mark.parametrize(
    ("entry", "after_s", "status"),
    [
        (STARTED, 30, RunStatus.RUNNING),
        (STARTED, 31, RunStatus.LOST),
        (replace(STARTED, heartbeat_at="2026-01-02T00:01:00+00:00"), 90, RunStatus.RUNNING),
        (replace(STARTED, heartbeat_at="2026-01-02T00:01:00+00:00"), 91, RunStatus.LOST),
        (STARTED, -60, RunStatus.RUNNING),  # another machine's clock
        (ENDED, 9999, RunStatus.FAILURE),
    ],
)
def test_a_run_that_falls_silent_is_lost(entry, after_s, status):
    now = dt.datetime.fromisoformat(STARTED.started_at) + dt.timedelta(seconds=after_s)

    assert entry.status_at(now) is status


@dataclass(frozen=True)
class Meanwhile(Store):
    """A store beside which something happens as soon as an object was read."""

    then: Callable[[], None] = lambda: None

    def read(self, path: str) -> bytes | None:
        content = super().read(path)
        self.then()
        return content


def begun_by(lake, process: subprocess.Popen[bytes]) -> RunEntry:
    """Return a run that another process has begun, as it stands in the ledger."""
    now = dt.datetime.now(dt.UTC).isoformat()
    entry = replace(STARTED, heartbeat_at=now, host=Process.current().host, pid=process.pid)
    write_run(lake.store, entry)
    return entry


def test_a_run_that_ends_while_it_is_looked_at_is_not_lost(lake):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        entry = begun_by(lake, process)

        def end() -> None:
            write_run(lake.store, replace(entry, status=RunStatus.CANCELED))
            process.kill()
            process.wait()

        found = read_run(Meanwhile(lake.store.root, then=end), entry)

    assert found is not None
    assert found.status_at(dt.datetime.now(dt.UTC)) is RunStatus.CANCELED


def test_who_looks_again_and_again_sees_a_run_lost_whose_process_dies(lake):
    known = KnownRuns(lake.store)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        begun_by(lake, process)
        before = [run.status_at(dt.datetime.now(dt.UTC)) for run in known.read()]
        process.kill()
    after = [run.status_at(dt.datetime.now(dt.UTC)) for run in known.read()]

    assert (before, after) == ([RunStatus.RUNNING], [RunStatus.LOST])
    assert known.read() is known.read(), "what was seen to be lost is not read again"


RUNS = [replace(ENDED, run_id=run_id) for run_id in ("20260101-aa", "20260102-bb", "20260102-bbcc")]


@pytest.mark.parametrize(("name", "found"), [("20260101", 0), ("20260102-bb", 1), ("20260102-bbc", 2), ("latest", 2)])
def test_a_run_is_found_by_its_id_the_beginning_of_one_or_as_the_latest(name, found):
    assert find_run(RUNS, name) is RUNS[found]


@pytest.mark.parametrize(
    ("runs", "name", "told"),
    [
        (RUNS, "20260102", r"^2 runs begin with '20260102', among them 20260102-bb, 20260102-bbcc; write more"),
        (RUNS, "20260101-ab", r"^There is no run '20260101-ab'. Did you mean '20260101-aa'"),
        (RUNS, "x", r"^There is no run 'x'. `deltaworks runs list`"),
        (RUNS, "", r"^There is no run ''."),
        ([], "latest", r"^There are no runs yet."),
    ],
)
def test_a_run_that_is_not_one_is_refused(runs, name, told):
    with pytest.raises(RequestError, match=told):
        find_run(runs, name)
