"""Daemons, settings, code locations, alerts and lateness in a browser."""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path

import pytest

from deltaworks.engine.execution.pools import pool_line
from deltaworks.engine.workspace.project import Origin
from deltaworks.io.alerts import Message, put_message
from deltaworks.io.heartbeats import Heartbeat, write_heartbeat
from deltaworks.io.ledger import write_run
from deltaworks.io.process import Process
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.store import Store
from deltaworks.io.tickets import Ticket
from deltaworks.web.app import create_app
from deltaworks.web.http.roles import Auth
from deltaworks.web.workspace import Workspace
from tests.acceptance.conftest import Here
from tests.web.client import Client

NOW = dt.datetime.now(dt.UTC)

LATE = """
import datetime as dt
import deltaworks as dw
import polars as pl

@dw.asset
def raw() -> pl.DataFrame:
    return pl.DataFrame({"n": [1]})

@dw.asset(freshness=dw.FreshnessPolicy(dt.timedelta(hours=1)))
def mart(raw: pl.DataFrame) -> pl.DataFrame:
    return raw
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tables.py").write_text(LATE)
    return tmp_path


@pytest.fixture
def client(folder: Path) -> Client:
    return Client.of(folder)


def test_without_a_daemon_it_says_how_to_start_one(client: Client) -> None:
    text = client.get("/daemon").text

    assert "No daemon runs on this lake" in text
    assert ">deltaworks daemon</code>" in text


def test_a_daemon_shows_what_it_does_and_its_fault(client: Client, folder: Path) -> None:
    facts = {"watched": 41, "on": 40, "fault": "tables.py:3: <b>broken</b>"}
    now = dt.datetime.now(dt.UTC).isoformat()
    beat = Heartbeat("d-1", "elsewhere", 7, now, now, facts=facts)
    write_heartbeat(Store.at(str(folder / "lake")), beat)

    text = client.get("/daemon").text

    assert "No daemon runs" not in text
    assert "<dd>41</dd>" in text
    assert "&lt;b&gt;broken&lt;/b&gt;" in text
    assert client.get("/api/v1/daemon").json["daemons"][0]["state"] == "running"


def test_runs_that_wait_for_their_turn_and_what_they_share_stand_beside_the_daemons(
    client: Client, folder: Path
) -> None:
    own, now = Process.current(), dt.datetime.now(dt.UTC).isoformat()
    told = {"host": own.host, "pid": own.pid, "born": own.born, "heartbeat_at": now, "waits_for": "<a run> of max_runs"}
    write_run(Store.at(str(folder / "lake")), RunEntry("r-1", RunStatus.QUEUED, "backfill", now, priority=3, **told))

    text = client.get("/daemon").text

    assert "waits for &lt;a run&gt; of max_runs, priority 3" in text
    assert "no limit is set for all runs" in text
    assert str(folder / "lake") in text


def test_all_daemons_are_paused_and_resumed_by_a_form_and_by_the_api(client: Client) -> None:
    paused = client.submit("/daemon/pause", {"on": "0"})
    text, overview = client.get("/daemon").text, client.get("/").text
    told = client.get("/api/v1/daemon").json["paused"]

    assert (paused.status, paused.headers["location"]) == (303, "/daemon")
    assert "daemons begin nothing until they are resumed" in text
    assert ">Resume all</button>" in text
    assert "is paused: nothing begins by itself until it is resumed" in overview
    assert told["by"] == "local"

    resumed = client.send("PATCH", "/api/v1/daemon", b'{"paused": false}', {"content-type": "application/json"})

    assert (resumed.status, resumed.json["paused"]) == (200, None)
    assert ">Pause all</button>" in client.get("/daemon").text
    assert client.submit("/daemon/pause", {"on": "perhaps"}).status == 422


def test_pools_are_shown_with_who_has_a_place(client: Client, folder: Path) -> None:
    (folder / "deltaworks.toml").write_text('modules = ["tables"]\n\n[pools]\nwarehouse = 2\n')
    store, now = Store.at(str(folder / "lake")), dt.datetime.now(dt.UTC).isoformat()
    own = Process.current()
    told = {"host": own.host, "pid": own.pid, "born": own.born, "heartbeat_at": now}
    write_run(store, RunEntry("r-1", RunStatus.RUNNING, "backfill", now, **told))
    for number in range(3):
        ticket = Ticket(f"t-{number}", "r-1", now, str(own), f"2024-01-0{number + 1}")
        pool_line(store, "warehouse").ask(ticket, lambda others: len(others) < 2)

    workspace = Workspace(Origin(folder=folder), os.environ, lambda: dt.datetime.now(dt.UTC))
    pool_line(store, "printer").ask(Ticket("t-9", "r-1", now, str(own), "2024-01-09"), lambda _: True)  # an op's
    text = Client(create_app(workspace, Auth())).get("/daemon").text

    assert '<td class="mono">printer</td>' in text
    row = re.search(r'<td class="mono">warehouse</td>.*?</tr>', text)
    assert row is not None
    assert re.sub(r"<[^>]*>", " ", row[0]).split() == ["warehouse", "2", "of", "2", "1", "r-1"]


def test_settings_say_where_each_comes_from(client: Client, folder: Path) -> None:
    text = client.get("/settings").text
    named = {each["setting"]: each for each in client.get("/api/v1/settings").json["settings"]}

    assert str(folder / "lake") in text
    assert "--lake" in text
    assert named["lake"]["from"] == "command line"


def test_locations_are_loaded_anew_by_a_form(client: Client, folder: Path) -> None:
    assert "There are none" in client.get("/locations").text

    found = client.submit("/locations/reload", {"go": "1"})

    assert (found.status, found.headers["location"]) == (303, "/locations")
    assert client.get("/api/v1/locations").json == {"locations": [], "problems": []}


def test_messages_to_people_are_listed(client: Client, folder: Path) -> None:
    message = Message("team", "run_failure", "k", "nightly <failed>", ("because",), "", NOW)
    put_message(Store.at(str(folder / "lake")), "m-1", message)

    text = client.get("/alerts").text

    assert "nightly &lt;failed&gt;" in text
    assert "waiting" in text
    assert client.get("/api/v1/alerts").json["messages"][0]["title"] == "nightly <failed>"


def test_what_is_late_stands_on_the_overview(folder: Path) -> None:
    here = Here(folder)
    where = ("--lake", str(folder / "lake"))
    assert here.run("materialize", "raw", "mart", *where).code == 0
    assert here.run("materialize", "raw", *where).code == 0

    origin = Origin(file=folder / "tables.py", lake=str(folder / "lake"))
    tomorrow = Workspace(origin, os.environ, lambda: dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
    text = Client(create_app(tomorrow, Auth())).get("/").text

    assert 'mart</strong></a> <span class="mute">is late' in text
