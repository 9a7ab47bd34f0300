"""`runs`: what the ledger says about attempts, to people and as JSON."""

from __future__ import annotations

import datetime as dt
import os
import time
from dataclasses import replace
from typing import Any

import pytest

from deltaworks.io.run_entry import Failure, RunEntry, RunStatus

DONE = RunEntry(
    "20240101-aa",
    RunStatus.SUCCESS,
    "backfill",
    "2024-01-01T10:00:00+00:00",
    "2024-01-01T10:01:05+00:00",
    materialized=7,
    commits=3,
)
FAILED = replace(
    DONE,
    run_id="20240102-bb",
    status=RunStatus.FAILURE,
    started_at="2024-01-02T12:00:00+02:00",
    ended_at="2024-01-02T12:00:02.500000+02:00",
    failed=2,
    failures=(Failure("numbers", "2024-01-02", "it broke", 4), Failure("total", None, "so did this", -1)),
)

UNKNOWN: dict[str, Any] = {"rules": [], "kept": None}
"""What there is to say of a failure whose rows are not kept."""


def alive(seconds_ago: float) -> RunEntry:
    now = dt.datetime.now(dt.UTC)
    heartbeat = (now - dt.timedelta(seconds=seconds_ago)).isoformat()
    started = (now - dt.timedelta(seconds=seconds_ago + 60)).isoformat()
    return RunEntry("r", RunStatus.RUNNING, "backfill", started, heartbeat_at=heartbeat, host="here", pid=7)


def test_list_is_json_with_the_latest_run_first(shell: Any) -> None:
    shell.log(DONE, FAILED)

    latest, first = shell.run("runs", "list", "--json").json

    assert {name: latest[name] for name in ("run_id", "status", "started_at", "ended_at", "job")} == {
        "run_id": "20240102-bb",
        "status": "failure",
        "started_at": "2024-01-02T10:00:00Z",
        "ended_at": "2024-01-02T10:00:02.500000Z",
        "job": None,
    }
    assert (first["run_id"], first["command"], first["duration_s"]) == ("20240101-aa", "backfill", 65.0)
    assert first["totals"] == {"materialized": 7, "failed": 0, "skipped": 0, "commits": 3}


def test_list_shows_as_many_as_asked(shell: Any) -> None:
    shell.log(DONE, FAILED)

    answer = shell.run("runs", "list", "-n", "1")

    assert answer.lines[1:] == ["20240102-bb failure 2024-01-02 10:00:00 2.5s 7 2 0 backfill", "1 of 2 runs"]


def test_an_absent_ledger_is_an_empty_list(shell: Any) -> None:
    assert shell.run("runs", "list", "--json").json == []
    assert shell.run("runs", "list").lines == ["No run yet: `deltaworks backfill` starts one."]


@pytest.mark.parametrize(("seconds_ago", "status"), [(1, "running"), (60, "lost")])
def test_a_run_is_running_until_it_falls_silent(shell: Any, seconds_ago: float, status: str) -> None:
    shell.log(alive(seconds_ago))
    then = time.time() - seconds_ago
    (path,) = shell.store.list("_deltaworks/ledger/runs")
    os.utime(shell.store.uri(path), (then, then))  # the run is elsewhere, so the store's clock counts

    (found,) = shell.run("runs", "list", "--json").json

    assert (found["status"], found["ended_at"], found["host"], found["pid"]) == (status, None, "here", 7)
    assert found["duration_s"] == pytest.approx(60 if status == "lost" else 61, abs=20)


def test_show_tells_how_a_run_went_and_what_failed(shell: Any) -> None:
    shell.log(DONE, FAILED)

    document = shell.run("runs", "show", "latest", "--json").json
    lines = shell.run("runs", "show", "20240102").lines

    assert document["failures"] == [
        {"asset": "numbers", "partition": "2024-01-02", "error": "it broke", "table_version": 4, **UNKNOWN},
        {"asset": "total", "partition": None, "error": "so did this", "table_version": None, **UNKNOWN},
    ]
    assert document["kept"] == []
    assert [lines[1], lines[5], lines[6]] == ["status failure", "took 2.5s", "made 7 partitions in 3 commits"]
    assert lines[-2:] == ["numbers 2024-01-02 4 it broke", "total whole table - so did this"]


def test_an_unknown_run_is_refused_with_close_names(shell: Any) -> None:
    shell.log(DONE)

    answer = shell.run("runs", "show", "20240101-ab")

    assert answer.code == 2
    assert answer.sentence == "There is no run '20240101-ab'. Did you mean '20240101-aa'?"


def test_a_project_that_cannot_be_imported_still_has_its_runs(shell: Any) -> None:
    shell.log(DONE)
    (shell.folder / "tables.py").write_text("import nothing_of_that_name")

    assert shell.run("runs", "list").code == 0
    assert shell.run("list").code == 2


def test_a_real_run_is_listed(shell: Any) -> None:
    made = shell.run("backfill", "--json").json

    (run,) = shell.run("runs", "list", "--json").json

    assert (run["run_id"], run["status"], run["totals"]) == (made["run_id"], "success", made["totals"])
