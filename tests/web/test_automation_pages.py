"""Schedules, sensors and conditions in a browser, on a lake in which some of them have ticked."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from deltaworks.io.condition_notes import DecisionNote, DecisionNotes, write_decisions
from deltaworks.io.store import Store
from deltaworks.io.switches import read_switch, read_switches
from deltaworks.io.ticks import (
    AskedRun,
    TickClaim,
    TickEntry,
    TickKind,
    TickOutcome,
    claim_tick,
    decide_tick,
    instant_id,
    number_id,
)
from deltaworks.web.http.roles import Auth, Role
from tests.web.client import Client

AUTOMATED = '''
import deltaworks as dw
import polars as pl

@dw.asset(automation=dw.AutomationCondition.eager())
def orders() -> pl.DataFrame:
    return pl.DataFrame({"n": [1]})

orders_job = dw.define_asset_job("orders_job", orders)
nightly = dw.define_schedule("nightly", job=orders_job, cron="0 5 * * *", timezone="Europe/Berlin")

@dw.sensor(job=orders_job)
def mail(tick: dw.Tick):
    """Asks when there is mail."""
    return dw.RunRequest(run_key="letter-<b>")

@dw.asset_sensor(asset=orders, job=orders_job, is_on=False)
def on_orders(commits: dw.Commits): ...
'''

FIRST = dt.datetime(2024, 1, 1, 4, tzinfo=dt.UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tables.py").write_text(AUTOMATED)
    return tmp_path


@pytest.fixture
def client(folder: Path) -> Client:
    return Client.of(folder)


def lake(folder: Path) -> Store:
    return Store.at(str(folder / "lake"))


def tick(folder: Path, day: int, outcome: TickOutcome, **told: object) -> None:
    at = FIRST + dt.timedelta(days=day)
    entry = TickEntry("nightly", TickKind.SCHEDULE, instant_id(at), at.isoformat(), at.isoformat(), outcome, **told)  # type: ignore[arg-type]
    decide_tick(lake(folder), entry)


def test_what_is_defined_stands_with_its_switch_and_its_next_tick(client: Client) -> None:
    text = client.get("/automation").text

    for name in ('href="/schedules/nightly"', 'href="/sensors/mail"', 'href="/sensors/on_orders"'):
        assert name in text
    assert 'aria-label="Stop schedule nightly"' in text
    assert 'aria-label="Start sensor on_orders"' in text
    assert 'aria-label="Stop the condition of orders"' in text
    assert "No daemon runs on this lake" in text
    assert 'every day at 05:00 <span class="mono mute nowrap">0 5 * * *</span>' in text
    assert "/sensors/mail" not in client.get("/schedules").text
    assert "/schedules/nightly" not in client.get("/sensors").text


def test_a_schedule_shows_its_ticks_with_runs_reasons_and_errors(client: Client, folder: Path) -> None:
    tick(folder, 0, TickOutcome.STARTED, requests=(AskedRun("20240101T0400-a", "orders_job"),))
    tick(folder, 1, TickOutcome.SKIPPED, skip_reason="it is Sunday")
    tick(folder, 2, TickOutcome.FAILED, error="ValueError: <i>no</i>")

    text = client.get("/schedules/nightly").text

    assert '<a class="link" href="/runs/20240101T0400-a">orders_job</a>' in text
    assert "it is Sunday" in text
    assert "ValueError: &lt;i&gt;no&lt;/i&gt;" in text
    assert text.index("ValueError") < text.index("it is Sunday") < text.index("/runs/20240101T0400-a")
    assert "Europe/Berlin" in text
    assert "the last 3 ticks: started, skipped, failed" in client.get("/schedules").text


def test_a_run_that_a_tick_asks_for_has_a_page_before_it_begins(client: Client, folder: Path) -> None:
    known, given_up = AskedRun("20240101T0400-a", "orders_job"), AskedRun("20240101T0400-b", "orders_job", error="no")
    claim_tick(lake(folder), TickClaim("nightly", instant_id(FIRST), TickKind.SCHEDULE, 1, "a daemon", None))
    tick(folder, 0, TickOutcome.REQUESTED, requests=(known, given_up))

    asked, refused, unknown = (client.get(f"/runs/20240101T0400-{each}") for each in "abc")

    assert (asked.status, refused.status, unknown.status) == (200, 404, 404)
    assert f'<span class="mono">nightly {instant_id(FIRST)}</span> asked for it' in asked.text
    assert '<meta http-equiv="refresh" content="1">' in asked.text


def test_ticks_come_in_pages(client: Client, folder: Path) -> None:
    for day in range(3):
        tick(folder, day, TickOutcome.SKIPPED, skip_reason=f"day {day}")

    first = client.get("/api/v1/schedules/nightly/ticks?limit=2").json
    rest = client.get(f"/api/v1/schedules/nightly/ticks?limit=2&before={first['next']}").json

    assert [each["skip_reason"] for each in first["ticks"] + rest["ticks"]] == ["day 2", "day 1", "day 0"]
    assert rest["next"] is None


def test_a_schedule_is_stopped_and_started_by_a_form(client: Client, folder: Path) -> None:
    stopped = client.submit("/schedules/nightly/switch", {"on": "0", "back": "/automation"})
    said = read_switch(lake(folder), "nightly")
    text = client.get("/automation").text
    started = client.submit("/schedules/nightly/switch", {"on": "1", "back": "https://evil.example/"})

    assert (stopped.status, stopped.headers["location"]) == (303, "/automation")
    assert said is not None
    assert (said.is_on, said.by) == (False, "local")
    assert 'aria-label="Start schedule nightly"' in text
    assert (started.status, started.headers["location"]) == (303, "/schedules/nightly")
    assert read_switches(lake(folder)) == {"nightly": True}
    assert client.submit("/schedules/nightly/switch", {"on": "perhaps"}).status == 422


def test_a_program_switches_a_sensor_and_reads_it_back(client: Client, folder: Path) -> None:
    found = client.send(
        "PATCH", "/api/v1/sensors/on_orders", b'{"enabled": true}', {"content-type": "application/json"}
    )

    assert (found.status, found.json["is_on"]) == (200, True)
    assert client.get("/api/v1/sensors").json["sensors"][1] == found.json
    assert client.get("/api/v1/sensors/on_order").json["detail"].endswith("Did you mean 'on_orders'?")
    assert client.get("/sensors/nothing").status == 404


def test_conditions_show_what_was_decided_and_are_switched_alone_or_together(client: Client, folder: Path) -> None:
    decision = DecisionNote("orders", (("", ""),), 1, "waits: orders is in run r-1")
    write_decisions(lake(folder), DecisionNotes(FIRST, (decision,)))

    text = client.get("/automation").text
    client.submit("/automation/switch", {"on": "0", "asset": "orders"})
    alone = client.get("/api/v1/conditions").json
    kind = {"content-type": "application/json"}
    together = client.send("PATCH", "/api/v1/conditions", b'{"is_on": false}', kind).json

    assert "waits: orders is in run r-1" in text
    assert (alone["is_on"], alone["conditions"][0]["is_on"], alone["conditions"][0]["waiting"]) == (True, False, 1)
    assert together["is_on"] is False
    assert client.get("/api/v1/conditions").json == together
    unknown = client.send("PATCH", "/api/v1/conditions", b'{"enabled": true, "asset": "x"}', kind)
    assert (unknown.status, "no asset 'x' that has a condition" in unknown.text) == (422, True)
    assert client.submit("/automation/switch", {"on": "0", "asset": "nothing"}).status == 422


def test_a_viewer_sees_switches_and_changes_none(folder: Path) -> None:
    auth = Auth({Role.OPERATOR: "operator-token-0123456789", Role.VIEWER: "viewer-token-0123456789"})
    viewer = Client.of(folder, auth)
    viewer.headers["authorization"] = "Bearer viewer-token-0123456789"

    refused = viewer.submit("/schedules/nightly/switch", {"on": "0"})

    assert viewer.get("/automation").status == 200
    assert refused.status == 403
    assert read_switches(lake(folder)) == {}


def test_a_dry_run_shows_what_a_sensor_asks_for_and_starts_nothing(client: Client, folder: Path) -> None:
    text = client.submit("/sensors/mail/preview", {"go": "1"}).text

    assert "nothing was started or recorded" in text
    assert "letter-&lt;b&gt;" in text
    assert [path.name for path in (folder / "lake" / "_deltaworks" / "ledger").iterdir()] == ["audit"]


def test_a_sensor_counts_its_ticks(client: Client, folder: Path) -> None:
    at = FIRST.isoformat()
    entry = TickEntry("mail", TickKind.SENSOR, number_id(7), at, at, TickOutcome.SKIPPED, skip_reason="no mail")
    decide_tick(lake(folder), entry)

    assert '<td class="mono nowrap">7</td>' in client.get("/sensors/mail").text
