"""Sensors on runs: each end of a run is told once, also that of a run that fell silent or was tried again."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import deltaworks as dw
from deltaworks.engine.automation.ended_runs import OVERLAP
from deltaworks.errors import StorageError
from deltaworks.io.ledger import write_run
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus
from tests.engine.automation.sensed import Watching


@dw.op
def send() -> None: ...


@dw.job
def mail() -> None:
    send()


def on_failures(tmp_path: Path, **which: Any) -> tuple[Watching, list[dw.Run]]:
    told: list[dw.Run] = []

    @dw.run_failure_sensor(job=mail, **which)
    def alert(run: dw.Run) -> dw.RunRequest:
        told.append(run)
        return dw.RunRequest(run_key=f"{run.run_id} {run.attempt}")

    sensor = Watching(tmp_path, alert, jobs=[mail])
    sensor.now = dt.datetime.now(dt.UTC)
    return sensor, told


def run(sensor: Watching, run_id: str, status: RunStatus, **about: Any) -> RunEntry:
    at = sensor.now.isoformat()
    ended = at if status.is_over else None
    entry = RunEntry(run_id, status, "job run mail", at, ended, heartbeat_at=at, **about)
    write_run(sensor.store, entry)
    return entry


def test_each_end_is_told_once_and_those_before_the_start_are_not(tmp_path: Path) -> None:
    sensor, told = on_failures(tmp_path)
    run(sensor, "before", RunStatus.FAILURE)
    going = run(sensor, "going", RunStatus.RUNNING)

    begun = sensor.ask()
    nothing = sensor.ask()
    failure = Failure("orders", "2024-01-01", "no such column", 3)
    about = {"job": "mail", "job_partition": "a", "tags": ("team=ops",), "tick": "every_morning/2024-01-10T0600Z"}
    write_run(sensor.store, replace(going, status=RunStatus.FAILURE, ended_at=going.started_at))
    run(sensor, "later", RunStatus.FAILURE, failures=(failure,), **about)
    run(sensor, "fine", RunStatus.SUCCESS)
    found = sensor.ask()
    after = sensor.ask()

    assert begun.skip_reason == "it begins with the runs that end from now on"
    assert (nothing.requests, nothing.cursor, nothing.skip_reason) == ((), None, "no run has ended so")
    assert [each.run_key for each in found.requests] == ["going 1", "later 1"]
    assert after.requests == ()
    later = told[1]
    assert (later.status, later.job, later.partition) == (dw.RunStatus.FAILURE, "mail", "a")
    assert later.failures == {"orders 2024-01-01": "no such column"}
    assert (later.tags, later.tick) == ({"team": "ops"}, "every_morning/2024-01-10T0600Z")
    assert later.ended_at == later.started_at == sensor.now


def test_a_run_that_was_tried_again_ends_again(tmp_path: Path) -> None:
    sensor, told = on_failures(tmp_path)
    sensor.ask()
    entry = run(sensor, "r", RunStatus.FAILURE)
    sensor.ask()

    write_run(sensor.store, replace(entry, attempt=2))
    sensor.ask()
    sensor.ask()

    assert [(each.run_id, each.attempt) for each in told] == [("r", 1), ("r", 2)]


def test_a_run_that_fell_silent_is_lost(tmp_path: Path) -> None:
    sensor, told = on_failures(tmp_path)
    run(sensor, "silent", RunStatus.RUNNING)
    sensor.ask()
    watch = sensor.watch()
    sensor.is_due(watch)

    early = sensor.is_due(watch, 5.0)
    late = [sensor.is_due(watch, 40.0), sensor.is_due(watch, 40.0)]

    assert (early, late) == (False, [True, False])
    assert [(each.run_id, each.status, each.ended_at) for each in told] == [("silent", dw.RunStatus.LOST, None)]


def test_only_runs_of_the_named_jobs_are_told(tmp_path: Path) -> None:
    sensor, told = on_failures(tmp_path, jobs=[mail])
    sensor.ask()

    run(sensor, "other", RunStatus.FAILURE, job="other")
    run(sensor, "command", RunStatus.FAILURE)
    run(sensor, "meant", RunStatus.FAILURE, job="mail")
    sensor.ask()

    assert [each.run_id for each in told] == ["meant"]


def test_a_run_that_the_sensor_asked_for_itself_is_not_told(tmp_path: Path) -> None:
    sensor, told = on_failures(tmp_path)
    sensor.ask()

    run(sensor, "own", RunStatus.FAILURE, tick="alert/000000000001")
    run(sensor, "another", RunStatus.FAILURE, tick="alerts/000000000001")
    sensor.ask()

    assert [each.run_id for each in told] == ["another"]


def test_the_cursor_forgets_what_was_long_ago(tmp_path: Path) -> None:
    sensor, told = on_failures(tmp_path)
    sensor.ask()
    for number in range(20):
        run(sensor, f"r{number}", RunStatus.FAILURE)
    sensor.ask()
    assert sensor.cursor is not None
    long = len(sensor.cursor)

    sensor.now += 10 * OVERLAP
    found = sensor.ask()

    assert (found.requests, found.cursor is not None) == ((), True)
    assert len(sensor.cursor) < long / 3
    assert len(told) == 20


def test_a_cursor_that_is_none_is_said(tmp_path: Path) -> None:
    sensor, _ = on_failures(tmp_path)
    sensor.cursor = "yesterday"

    with pytest.raises(StorageError, match="sensor 'alert': its cursor 'yesterday' names no runs"):
        sensor.ask()


def test_a_look_finds_an_end(tmp_path: Path) -> None:
    sensor, told = on_failures(tmp_path)
    watch = sensor.watch()
    sensor.is_due(watch, 2.0)

    idle = sensor.is_due(watch, 2.0)
    run(sensor, "r", RunStatus.FAILURE)
    found, after = sensor.is_due(watch, 2.0), sensor.is_due(watch, 2.0)

    assert (idle, found, after) == (False, True, False)
    assert [each.run_id for each in told] == ["r"]
