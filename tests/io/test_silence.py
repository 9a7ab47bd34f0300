"""Machines whose clocks differ: who lives is told by the store's clock, and by no other."""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from deltaworks.engine.documents.daemons import daemon_json
from deltaworks.io import alerts
from deltaworks.io.heartbeats import FOLDER, Heartbeat, read_heartbeats, write_heartbeat
from deltaworks.io.known_runs import KnownRuns
from deltaworks.io.ledger import read_run, read_runs, write_run
from deltaworks.io.process import Process
from deltaworks.io.run_entry import LOST_AFTER_S, RunEntry, RunStatus, document_of
from deltaworks.io.store import Store

NOW = dt.datetime.now(dt.UTC)
MINUTES = dt.timedelta(minutes=7)

CLOCKS = pytest.mark.parametrize(
    ("theirs", "ours"),
    [(-MINUTES, MINUTES), (MINUTES, -MINUTES), (-MINUTES, -MINUTES)],
    ids=["behind", "ahead", "both"],
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.at(tmp_path, durable=False)


def begun(store: Store, at: dt.datetime) -> RunEntry:
    """Let a run begin on another machine, by its clock."""
    said = at.isoformat()
    entry = RunEntry("far", RunStatus.RUNNING, "backfill", said, heartbeat_at=said, host="elsewhere", pid=7)
    write_run(store, entry)
    return entry


def age(store: Store, path: str, seconds: float) -> None:
    """Make a file as old as if nobody had written it for so long, by the store's clock."""
    then = dt.datetime.now(dt.UTC).timestamp() - seconds
    os.utime(store.uri(path), (then, then))


@CLOCKS
def test_a_run_that_lives_is_not_lost_whatever_the_clocks_show(
    store: Store, theirs: dt.timedelta, ours: dt.timedelta
) -> None:
    begun(store, NOW + theirs)

    assert [run.status_at(NOW + ours) for run in read_runs(store)] == [RunStatus.RUNNING]
    assert [run.status_at(NOW + ours) for run in KnownRuns(store).read()] == [RunStatus.RUNNING]


@CLOCKS
def test_a_run_that_fell_silent_is_lost_whatever_the_clocks_show(
    store: Store, theirs: dt.timedelta, ours: dt.timedelta
) -> None:
    entry = begun(store, NOW + theirs)
    age(store, next(store.list("_deltaworks/ledger/runs")), LOST_AFTER_S + 5)

    found = read_run(store, entry)

    assert found is not None
    assert found.status_at(NOW + ours) is RunStatus.LOST
    assert "silence" not in document_of(found)
    assert found == entry


def test_who_looks_again_and_again_sees_the_silence_go_on(store: Store) -> None:
    begun(store, NOW - MINUTES)
    known = KnownRuns(store)
    entry = known.read()[0]
    assert entry.silence is not None

    later = replace(entry, silence=replace(entry.silence, read_at_s=entry.silence.read_at_s - LOST_AFTER_S - 5))

    assert known.read()[0] is entry, "it is not read again"
    assert later.status_at(NOW) is RunStatus.LOST


def test_the_clock_of_the_store_is_asked_and_leaves_nothing_behind(store: Store) -> None:
    begun(store, NOW)

    read_runs(store)

    assert list(store.list("_deltaworks/claims")) == []


@CLOCKS
def test_a_daemon_elsewhere_is_running_or_dead_by_the_store(
    store: Store, theirs: dt.timedelta, ours: dt.timedelta
) -> None:
    said = (NOW + theirs).isoformat()
    write_heartbeat(store, Heartbeat("live", "elsewhere", 7, said, said))
    write_heartbeat(store, Heartbeat("dead", "elsewhere", 8, said, said))
    age(store, f"{FOLDER}/dead.json", 60)

    found = {beat.daemon_id: daemon_json(beat, NOW + ours)["state"] for beat in read_heartbeats(store)}

    assert found == {"live": "running", "dead": "dead"}


@CLOCKS
def test_an_attempt_to_send_is_abandoned_by_the_store(store: Store, theirs: dt.timedelta, ours: dt.timedelta) -> None:
    delivery = alerts.Delivery("m", message=None)  # type: ignore[arg-type] # what it says does not matter here
    process = asdict(replace(Process.current(), host="elsewhere"))
    path = f"{alerts.CLAIMS}/m.0001.json"
    store.put(path, json.dumps({"process": process, "at": (NOW + 2 * theirs).isoformat()}).encode())

    assert not alerts.is_abandoned(store, delivery, NOW + ours)
    age(store, path, alerts.ABANDONED.total_seconds() + 60)
    assert alerts.is_abandoned(store, delivery, NOW + ours)
