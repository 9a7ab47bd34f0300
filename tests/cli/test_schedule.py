"""`deltaworks schedule` and `deltaworks daemon --status`: what there is, when it ticks, and what it asked for."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from deltaworks.io.heartbeats import Heartbeat, write_heartbeat
from deltaworks.io.marks import read_mark
from deltaworks.io.process import Process
from deltaworks.io.switches import read_switches
from deltaworks.io.ticks import AskedRun, TickEntry, TickKind, TickOutcome, decide_tick, open_ticks, read_tick

SCHEDULES = """
daily = dw.define_asset_job("daily", "numbers+", partitions=days)

@dw.schedule(job=daily, cron=["0 6 * * *", "30 18 * * 5"], timezone="Europe/Berlin", tags={"team": "ops"})
def morning(tick: dw.Tick) -> dw.RunRequest:
    \"\"\"Make yesterday.\"\"\"
    return dw.RunRequest(partition="2024-01-02", run_key=f"{tick.scheduled_at:%a}")

closed = dw.define_schedule("closed", job=daily, cron="@daily", is_on=False)
"""


@pytest.fixture
def shop(shell: Any) -> Any:
    file = shell.folder / "tables.py"
    file.write_text(file.read_text() + SCHEDULES)
    return shell


def test_schedules_are_listed_with_what_they_run_and_when(shop: Any) -> None:
    listed = shop.run("schedule", "list", "--json").json["schedules"]

    assert [(each["schedule"], each["job"], each["is_on"], each["timezone"]) for each in listed] == [
        ("morning", "daily", True, "Europe/Berlin"),
        ("closed", "daily", False, "UTC"),
    ]
    assert listed[0]["crons"] == ["0 6 * * *", "30 18 * * 5"]
    assert shop.run("list", "schedules", "--json").json["schedules"] == listed
    assert "morning on daily 0 6 * * *, 30 18 * * 5 Europe/Berlin" in shop.run("schedule", "list").lines[1]
    assert shop.run("schedule", "ticks", "mornin").sentence == "There is no schedule 'mornin'. Did you mean 'morning'?"


def test_the_next_ticks_are_previewed_and_asked_about(shop: Any) -> None:
    shown = shop.run("schedule", "preview", "morning", "-n", "8", "--ask", "--json").json
    plain = shop.run("schedule", "preview", "closed", "--ask")

    ticks = [dt.datetime.fromisoformat(each["local"]) for each in shown["ticks"]]
    assert len(ticks) == 8
    assert {tick.strftime("%H:%M") for tick in ticks} == {"06:00", "18:30"}
    assert [(each["job"], each["partition"], each["tags"]) for each in shown["requests"]] == [
        ("daily", "2024-01-02", {"team": "ops"})
    ]
    assert "daily 2024-01-03 - -" in plain.lines
    assert list(shop.store.list("_deltaworks")) == []


def test_a_schedule_that_is_started_begins_now_for_all_daemons(shop: Any) -> None:
    assert shop.run("schedule", "start", "closed", "morning").lines == [
        "schedule closed: started",
        "schedule morning: started",
    ]
    assert shop.run("schedule", "stop", "morning").code == 0

    assert read_switches(shop.store) == {"closed": True, "morning": False}
    assert read_mark(shop.store, "closed", TickKind.SCHEDULE) is not None
    assert read_mark(shop.store, "morning", TickKind.SCHEDULE) is None  # it was on, so nothing of it is forgotten


def test_ticks_are_shown_with_what_came_of_them(shop: Any) -> None:
    at = "2024-01-05T05:00:00+00:00"
    made = TickEntry("morning", TickKind.SCHEDULE, "2024-01-05T0500Z", at, at, TickOutcome.STARTED)
    decide_tick(shop.store, TickEntry(**{**_fields(made), "requests": (AskedRun("r1", "daily", "2024-01-02"),)}))
    decide_tick(
        shop.store,
        TickEntry(**{**_fields(made), "tick_id": "2024-01-06T0500Z", "outcome": TickOutcome.FAILED, "error": "boom"}),
    )

    shown = shop.run("schedule", "ticks", "morning").lines
    found = shop.run("schedule", "ticks", "morning", "-n", "1", "--json").json["ticks"]

    assert "failed 1 boom" in shown[1]
    assert "started 1 1 run: daily 2024-01-02" in shown[2]
    assert [(each["tick"], each["outcome"]) for each in found] == [("2024-01-06T0500Z", "failed")]


def test_runs_of_a_tick_that_were_given_up_are_asked_for_again(shop: Any) -> None:
    at, tick_id = "2024-01-05T05:00:00+00:00", "2024-01-05T0500Z"
    requests = (AskedRun("r1", "daily"), AskedRun("r2", "daily", error="no such partition"))
    made = TickEntry("morning", TickKind.SCHEDULE, tick_id, at, at, TickOutcome.STARTED, requests=requests)
    decide_tick(shop.store, made)

    told = shop.run("schedule", "ticks", "morning", "--retry", tick_id, "--json").json
    again = shop.run("schedule", "ticks", "morning", "--retry", tick_id)
    never = shop.run("schedule", "ticks", "morning", "--retry", "2024-01-06T0500Z")

    assert [each["run_id"] for each in told["retried"]] == ["r2"]
    (claim,) = open_ticks(shop.store)
    assert (claim.tick_id, claim.daemon_id) == (tick_id, "")
    entry = read_tick(shop.store, "morning", tick_id)
    assert entry is not None
    assert [each.error for each in entry.requests] == [None, None]
    assert again.sentence == f"schedule 'morning': tick {tick_id} has no run that was given up."
    assert never.sentence == (
        "schedule 'morning' has no tick '2024-01-06T0500Z' that was answered; `deltaworks schedule ticks morning` "
        "shows them."
    )


def test_a_daemon_that_is_silent_here_is_no_health_though_one_elsewhere_runs(shop: Any) -> None:
    at = dt.datetime.now(dt.UTC).isoformat()
    facts = {"failing": "on_orders, on_files"}
    write_heartbeat(shop.store, Heartbeat("theirs", "elsewhere", 1, at, at, facts=facts))

    anywhere, here = shop.run("daemon", "--status"), shop.run("daemon", "--status", "--here")

    assert (anywhere.code, here.code) == (0, 1)
    assert "theirs: tried again, since they failed: on_orders, on_files" in anywhere.out
    assert "theirs" not in here.out


def test_daemons_are_paused_and_resumed(shop: Any) -> None:
    at = dt.datetime.now(dt.UTC).isoformat()
    write_heartbeat(shop.store, Heartbeat("theirs", "elsewhere", 1, at, at))

    paused, status = shop.run("daemon", "--pause"), shop.run("daemon", "--status")
    told = shop.run("daemon", "--status", "--json").json["paused"]
    resumed, again = shop.run("daemon", "--resume", "--json"), shop.run("daemon", "--status", "--json")

    assert paused.out == "The daemons of the lake are paused: they begin nothing until `deltaworks daemon --resume`.\n"
    assert f"Paused by {told['by']} at {told['at'][:16]}" in status.out
    assert (resumed.json, again.json["paused"]) == ({"paused": False}, None)
    assert shop.run("daemon", "--pause", "--status").sentence == (
        "--status, --pause and --resume are three commands; give one of them."
    )


def test_the_status_of_daemons_is_told_by_their_heartbeats(shop: Any) -> None:
    assert shop.run("daemon", "--status").code == 1
    now, here = dt.datetime.now(dt.UTC), Process.current()
    for name, beaten_at, stopped_at in (
        ("alive", now, None),
        ("silent", now - dt.timedelta(hours=1), None),
        ("stopped", now - dt.timedelta(hours=2), (now - dt.timedelta(hours=2)).isoformat()),
    ):
        facts = {"watched": 3, "on": 2, "running": 1, "fault": None}
        beat = Heartbeat(
            name,
            here.host,
            here.pid,
            "2024-01-01T00:00:00+00:00",
            beaten_at.isoformat(),
            1,
            here.born,
            stopped_at,
            facts,
        )
        write_heartbeat(shop.store, beat)

    told = shop.run("daemon", "--status", "--json")

    assert told.code == 0
    states = [(each["daemon_id"], each["state"], each["on"]) for each in told.json["daemons"]]
    assert states == [("alive", "running", 2), ("silent", "dead", 2), ("stopped", "stopped", 2)]
    assert shop.run("daemon", "--on-stop", "now").sentence == "--on-stop 'now' means nothing; use wait or cancel."


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ('cron="61 * * * *"', "schedule 'wrong': cron '61 * * * *' has '61' in its minute"),
        ("cron=[]", "schedule 'wrong': it has 0 cron expressions; give 1 to 100"),
        ('cron="@daily", timezone="Mars/Olympus"', "schedule 'wrong': there is no time zone 'Mars/Olympus'"),
        ('cron="@daily", catchup="some"', "schedule 'wrong': catchup must be 'none', 'last' or 'all', not 'some'"),
        ('cron="@daily", catchup_limit=0', "schedule 'wrong': catchup_limit must be a whole number from 1"),
        ('cron="@daily", timeout_s=0', "schedule 'wrong': timeout_s must be more than 0"),
    ],
)
def test_check_says_where_a_schedule_is_wrong(shop: Any, arguments: str, problem: str) -> None:
    file = shop.folder / "tables.py"
    file.write_text(file.read_text() + f"\n@dw.schedule(job=daily, {arguments})\ndef wrong(tick: dw.Tick): ...\n")

    (found,) = shop.run("check", "--json").json["problems"]

    assert found["message"].startswith(problem)
    assert (found["file"], found["line"]) == (str(file), len(file.read_text().splitlines()) - 1)


def test_a_schedule_that_a_later_name_hides_is_refused(shop: Any) -> None:
    file = shop.folder / "tables.py"
    file.write_text(file.read_text() + "\nmorning = 5\n")

    (found,) = shop.run("check", "--json").json["problems"]

    assert found["message"].startswith("schedule 'morning' is not held by any name of the module, or a later one hides")


def _fields(entry: TickEntry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in TickEntry.__slots__}
