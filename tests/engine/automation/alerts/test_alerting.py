"""Alerts: what goes wrong is told once, on real servers, whoever looks; and that it is over."""

from __future__ import annotations

import datetime as dt
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deltaworks.engine.automation.alerts.alerting import MOST_ATTEMPTS, NAME, Alerting
from deltaworks.engine.automation.freshness import NAME as FRESHNESS
from deltaworks.engine.automation.freshness import write_late
from deltaworks.engine.definitions.automation.freshness_change import FreshnessChange
from deltaworks.engine.workspace.alert_settings import AlertSettings
from deltaworks.io.alerts import Outcome, claim_attempt, deliveries
from deltaworks.io.asset_outcome import AssetOutcome
from deltaworks.io.marks import Mark, advance_mark
from deltaworks.io.run_entry import CheckFailure, RunStatus
from deltaworks.io.ticks import TickEntry, TickKind, TickOutcome, number_id, read_ticks
from tests.engine.automation.alerts.servers import Received, webhook
from tests.engine.automation.alerts.stage import Stage, hooked

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def hook() -> Iterator[Received]:
    with webhook() as received:
        yield received


def test_a_job_that_fails_is_told_once_until_it_succeeds(tmp_path: Path, hook: Received) -> None:
    stage = Stage(tmp_path, hooked(hook))

    for number in (1, 2, 3):
        stage.end_run(f"r{number}", RunStatus.FAILURE, "daily", job="nightly", job_partition="2024-01-01")
        stage.look()
    stage.end_run("r4", RunStatus.SUCCESS, job="nightly")
    stage.look()
    stage.end_run("r5", RunStatus.FAILURE, "daily", job="nightly")
    stage.look()

    assert hook.titles == [
        "job nightly failed for 2024-01-01",
        "over: job nightly failed for 2024-01-01",
        "job nightly failed",
    ]
    text = hook.documents[0]["text"]
    assert "Run r1 (backfill): failure; partitions: 0 made, 1 failed, 0 skipped." in text
    assert "Failed: daily 2024-01-01 - RuntimeError: the disk is on fire" in text
    assert f"Lake: {stage.store.uri('')}" in text
    assert text.endswith("To look further: deltaworks runs show r1")
    assert set(stage.outcomes()) == {Outcome.SENT}


def test_what_goes_on_is_told_again_when_its_time_has_passed(tmp_path: Path, hook: Received) -> None:
    stage = Stage(tmp_path, hooked(hook, repeat_s=3600))
    late = FreshnessChange("total", True, stage.now - HOUR, stage.now, "late, 1 h behind")

    for _ in range(5):
        stage.look(late, after=HOUR / 4)
    stage.look(after=HOUR / 4)
    stage.look(after=HOUR / 4)

    assert hook.titles == ["total is late", "total is late", "over: total is late"]
    assert hook.documents[0]["command"] == "deltaworks why total"


def test_an_asset_that_failed_is_over_when_a_run_has_made_it(tmp_path: Path, hook: Received) -> None:
    stage = Stage(tmp_path, hooked(hook, resolved=False))

    stage.end_run("r1", RunStatus.FAILURE, "daily", "weekly")
    stage.look()
    stage.end_run("r2", RunStatus.SUCCESS, steps=(AssetOutcome("daily", 1, materialized=1),))
    stage.look()
    stage.end_run("r3", RunStatus.FAILURE, "daily", "weekly")
    stage.look()

    assert hook.titles == ["2 assets failed: daily, weekly", "daily failed"]


def test_checks_and_ticks_that_fail_are_told_of_what_was_asked_for(tmp_path: Path, hook: Received) -> None:
    stage = Stage(
        tmp_path,
        hooked(hook, on=["check_failure", "automation_error"], assets=["raw/*"]),
        hooked(hook, name="all", on=["automation_error"]),
    )
    checks = tuple(CheckFailure(each, "2024-01-01", "full", "fail", "3 rows", 7, {}) for each in ("raw/a", "mart"))
    at = stage.now.isoformat()
    tick = TickEntry(
        "morning", TickKind.SCHEDULE, "2024-01-01T0600Z", at, at, TickOutcome.FAILED, error="no such table"
    )

    stage.end_run("r1", RunStatus.SUCCESS, check_failures=checks)
    stage.alerting.hear(tick)
    stage.alerting.hear(replace(tick, attempt=2))
    stage.look()
    stage.alerting.hear(replace(tick, outcome=TickOutcome.STARTED, error=None))
    stage.look()

    told = [(each["alert"], each["title"]) for each in hook.documents]
    assert told == [
        ("oncall", "check full of raw/a does not hold"),
        ("all", "schedule morning fails"),
        ("all", "over: schedule morning fails"),
    ]
    assert "Version 7 of 2024-01-01: 3 rows" in hook.documents[0]["text"]
    assert hook.documents[1]["command"] == "deltaworks schedule ticks morning"


def test_a_project_that_cannot_be_loaded_is_told(tmp_path: Path, hook: Received) -> None:
    stage = Stage(tmp_path, hooked(hook))

    stage.alerting.hear_load("tables.py:3: no module named pandas", stage.now, has_policies=True)
    stage.look()
    stage.look()
    stage.alerting.hear_load(None, stage.now, has_policies=True)
    stage.look()

    assert hook.titles == ["the project cannot be loaded", "over: the project cannot be loaded"]
    assert "no module named pandas" in hook.documents[0]["text"]


def test_several_daemons_tell_everything_once(tmp_path: Path, hook: Received) -> None:
    stage = Stage(tmp_path, hooked(hook))
    for number in range(10):
        stage.end_run(f"r{number}", RunStatus.FAILURE, job=f"job{number}")
    many = [stage.another() for _ in range(4)]
    start = threading.Barrier(len(many))

    def look(one: Alerting) -> None:
        start.wait()
        for _ in range(3):
            one.look(stage.now, ())

    threads = [threading.Thread(target=look, args=(each,)) for each in many]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(hook.titles) == sorted(f"job job{number} failed" for number in range(10))


def test_a_daemon_that_dies_between_decision_and_sending_loses_nothing(tmp_path: Path, hook: Received) -> None:
    stage = Stage(tmp_path, hooked(hook))
    hook.answers = [503]
    stage.end_run("r1", RunStatus.FAILURE, job="nightly")
    stage.look()
    (waiting,) = deliveries(stage.store)
    assert claim_attempt(stage.store, waiting, stage.now)  # whoever is at it dies, and its process is never seen again

    stage.alerting = stage.another()
    stage.look(after=HOUR)
    stage.look(after=HOUR)

    assert hook.titles == ["job nightly failed"]
    assert stage.outcomes() == [Outcome.SENT]


def test_what_is_not_taken_is_tried_again_when_it_is_due(tmp_path: Path, hook: Received) -> None:
    stage = Stage(tmp_path, hooked(hook, url="env:HOOK"), HOOK=f"{hook.address}?key=hunter2")
    hook.answers = [500, 302]
    stage.end_run("r1", RunStatus.FAILURE, job="nightly")

    stage.look()
    assert stage.alerting.waiting == 1
    stage.look()  # not before its time
    assert hook.answers == [302]
    stage.look(after=HOUR)
    stage.look(after=HOUR)
    assert (stage.outcomes(), hook.titles) == ([Outcome.SENT], ["job nightly failed"])


def test_what_is_never_taken_is_given_up_in_the_end(tmp_path: Path, hook: Received) -> None:
    stage = Stage(tmp_path, hooked(hook))
    hook.answers = [500] * 20
    stage.end_run("r1", RunStatus.FAILURE, job="nightly")

    for _ in range(MOST_ATTEMPTS + 3):
        stage.look(after=HOUR)

    (last,) = deliveries(stage.store)
    assert (last.outcome, last.attempts, stage.alerting.waiting) == (Outcome.GIVEN_UP, MOST_ATTEMPTS, 0)
    assert len(hook.answers) == 20 - MOST_ATTEMPTS
    assert "it answered 500" in (last.error or "")
    assert "'job nightly failed' was not told" in str(stage.alerting.problem)


def test_a_server_that_says_nothing_holds_up_nobody_for_long(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        stage = Stage(
            tmp_path, AlertSettings.model_validate({"name": "a", "kind": "webhook", "url": url, "timeout_s": 0.1})
        )
        stage.end_run("r1", RunStatus.FAILURE, job="nightly")

        stage.look()

    assert stage.alerting.waiting == 1
    said = str(stage.alerting.problem)
    assert "timed out" in said or "was not over after" in said, "one step of it, or on a busy machine all of it"


def test_a_server_that_answers_a_letter_at_a_time_holds_up_nobody_for_long(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as slow:
        over = threading.Event()

        def answer() -> None:
            with slow.accept()[0] as client:
                client.recv(1 << 16)
                client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not over.wait(0.01):
                    client.sendall(b"o")

        server = threading.Thread(target=answer)
        server.start()
        url = f"http://127.0.0.1:{slow.getsockname()[1]}/"
        stage = Stage(
            tmp_path, AlertSettings.model_validate({"name": "a", "kind": "webhook", "url": url, "timeout_s": 0.2})
        )
        stage.end_run("r1", RunStatus.FAILURE, job="nightly")

        stage.look()
        over.set()
        server.join()

    assert "was not over after" in str(stage.alerting.problem)


def test_a_server_that_says_nothing_is_tried_once_a_look_and_others_are_told(tmp_path: Path, hook: Received) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        dead = AlertSettings.model_validate({"name": "a", "kind": "webhook", "url": url, "timeout_s": 0.1})
        stage = Stage(tmp_path, dead, hooked(hook))
        for number in range(3):
            stage.end_run(f"r{number}", RunStatus.FAILURE, job=f"job{number}")

        stage.look()

    assert hook.titles == ["job job0 failed", "job job1 failed", "job job2 failed"]
    assert sum(each.attempts for each in deliveries(stage.store) if each.message.alert == "a") == 1
    assert stage.alerting.waiting == 3


def test_what_is_late_goes_on_until_a_tick_says_otherwise(tmp_path: Path, hook: Received) -> None:
    stage = Stage(tmp_path, hooked(hook))
    change = FreshnessChange("total", True, stage.now - HOUR, stage.now, "late, 1 h behind")
    stage.look(change)

    def see(number: int, *late: FreshnessChange) -> None:
        advance_mark(stage.store, FRESHNESS, Mark(number_id(number), write_late({each.asset: each for each in late})))

    see(1)  # by a daemon that ended long ago
    daemon = stage.another()
    daemon.look(stage.now)
    see(2, change)
    daemon.look(stage.now)
    assert hook.titles == ["total is late"]
    see(3)
    daemon.look(stage.now)
    assert hook.titles == ["total is late", "over: total is late"]


def test_what_was_late_is_over_when_no_policy_is_left(tmp_path: Path, hook: Received) -> None:
    stage = Stage(tmp_path, hooked(hook))
    stage.look(FreshnessChange("total", True, stage.now - HOUR, stage.now, "late, 1 h behind"))

    daemon = stage.another()
    daemon.hear_load("tables.py:3: no module named pandas", stage.now, has_policies=True)
    daemon.look(stage.now)
    daemon.hear_load(None, stage.now, has_policies=False)  # so nothing ticks any more
    daemon.look(stage.now)

    assert [each for each in hook.titles if "total" in each] == ["total is late", "over: total is late"]


def test_many_that_become_late_at_a_time_are_one_message(tmp_path: Path, hook: Received) -> None:
    stage = Stage(tmp_path, hooked(hook))
    late = [FreshnessChange(name, True, stage.now - HOUR, stage.now, f"late by {name}") for name in "abcde"]

    stage.look(*late[:4])
    stage.look(*late[2:])
    stage.look()

    assert hook.titles == [
        "4 assets are late: a, b, c and 1 more",
        "over: 2 assets are late: a, b",
        "e is late",
        "over: 3 assets are late: c, d, e",
    ]
    assert hook.documents[0]["lines"][1:] == ["a: late by a.", "b: late by b.", "c: late by c.", "And 1 more."]
    assert hook.documents[0]["command"] == "deltaworks status"
    assert hook.documents[1]["keys"] == ["late:a", "late:b"]


def test_slack_gets_text_and_secrets_go_only_where_they_belong(tmp_path: Path, hook: Received) -> None:
    slack = hooked(hook, kind="slack", headers={"Authorization": "env:TOKEN"})
    stage = Stage(tmp_path, slack, TOKEN="hunter2")
    hook.answers = [401]
    stage.end_run("r1", RunStatus.FAILURE, job="nightly")

    stage.look()
    (waiting,) = deliveries(stage.store)
    stage.look(after=HOUR)

    (document,) = hook.documents
    assert set(document) == {"text"}
    assert document["text"].startswith("*job nightly failed*\n")
    assert hook.headers[0]["Authorization"] == "hunter2"
    assert "it answered 401" in (waiting.error or "")
    lake = b"".join(path.read_bytes() for path in stage.store.root.rglob("*") if path.is_file())
    assert b"hunter2" not in lake
    assert not any("hunter2" in each for each in stage.problems)


def test_a_variable_that_is_not_set_is_said_and_tried_again(tmp_path: Path, hook: Received) -> None:
    stage = Stage(tmp_path, hooked(hook, url="env:HOOK"))
    stage.end_run("r1", RunStatus.FAILURE, job="nightly")

    stage.look()

    (waiting,) = deliveries(stage.store)
    told = "alerts.oncall.url is env:HOOK, but the environment has no HOOK, or it is empty"
    assert waiting.error == f"alert 'oncall' could not be sent: {told}"


def test_a_thread_looks_by_itself_and_survives_what_it_finds(tmp_path: Path, hook: Received) -> None:
    stage = Stage(tmp_path, hooked(hook))
    broken = stage.store.root / "_deltaworks/ledger/alerts/000.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("nonsense")
    stage.end_run("r1", RunStatus.FAILURE, job="nightly")

    stage.alerting.start()
    stage.alerting.stop()

    assert "is damaged" in str(stage.alerting.problem)
    broken.unlink()
    stage.look()
    assert hook.titles == ["job nightly failed"]
    assert [each.skip_reason for each in read_ticks(stage.store, NAME)] == [
        "oncall: job nightly failed",
        "nothing is told",
    ]
