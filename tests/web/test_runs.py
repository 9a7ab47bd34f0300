"""Runs in the browser: which there were, how each went, and what is asked of one."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path

import pytest

from deltaworks.engine.execution.entry import begin_entry
from deltaworks.io.ledger import write_run
from deltaworks.io.run_logs import OBJECT_BYTES, LogWriter
from deltaworks.io.stop_request import find_stop_request
from deltaworks.io.store import Store
from tests.acceptance.conftest import Here
from tests.web.client import Client

PATIENCE_S = 120

TABLES = """
import polars as pl
import deltaworks as dw

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")

@dw.asset(partitions=days, partition_by="day")
def orders(partition: dw.Partition) -> pl.LazyFrame:
    print("ordering", partition.key)
    return pl.LazyFrame({"day": [partition.start], "amount": [1.5]})

@dw.asset(partitions=days, partition_by="day", name="mart/daily")
def daily(orders: pl.LazyFrame) -> pl.LazyFrame:
    raise ConnectionError("the <b>bank</b> is closed")

@dw.asset
def rates() -> pl.LazyFrame:
    return pl.LazyFrame({"rate": [1.1]})
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Here:
    """A project with three runs: the first made the rates, the second failed at a table, the third made a day."""
    found = Here(tmp_path_factory.mktemp("runs"))
    found.write("tables.py", TABLES)
    lake = ("--lake", str(found.lake))
    assert found.run("materialize", "rates", *lake).code == 0
    assert found.run("backfill", "orders", "mart/daily", *lake, "--tag", "team=shop").code == 1
    assert found.run("materialize", "orders", "--partition", "2024-01-02", *lake).code == 0
    return found


@pytest.fixture(scope="module")
def client(here: Here) -> Client:
    return Client.of(Path(here.folder))


@pytest.fixture(scope="module")
def ids(client: Client) -> list[str]:
    """The ids of the runs, the first of them first."""
    return [each["run_id"] for each in client.get("/api/v1/runs").json["runs"]][::-1]


def test_runs_are_told_as_the_command_tells_them(client, here):
    assert client.get("/api/v1/runs").json["runs"] == here.run("runs", "list", "--json", "--lake", str(here.lake)).json


def test_runs_come_in_pages_the_latest_first(client, ids):
    first = client.get("/api/v1/runs?limit=2").json
    second = client.get(f"/api/v1/runs?limit=2&after={first['next']}").json

    assert [each["run_id"] for each in first["runs"] + second["runs"]] == ids[::-1]
    assert (first["total"], second["next"]) == (3, None)
    assert client.get("/api/v1/runs?after=nothing").status == 422


def test_the_list_is_filtered_by_its_address(client, ids):
    def shown(query: str) -> list[int]:
        text = client.get(f"/runs?{query}").text
        return [number for number, run in enumerate(ids) if f'href="/runs/{run}"' in text]

    assert shown("") == [0, 1, 2]
    assert shown("status=failure") == [1]
    assert shown("asset=orders") == [1, 2]
    assert shown("asset=orders&status=success") == [2]
    assert shown(f"after={ids[1]}") == [0]
    assert "No run is like that" in client.get("/runs?job=nothing").text
    assert client.get("/runs?status=bad").status == 422


def test_a_lake_without_runs_says_how_to_start_one(tmp_path):
    (tmp_path / "tables.py").write_text(TABLES)

    assert "No run yet." in Client.of(tmp_path).get("/runs").text


def test_the_page_of_a_run_says_how_it_went(client, ids):
    text = client.get(f"/runs/{ids[1]}").text

    assert "ConnectionError: the &lt;b&gt;bank&lt;/b&gt; is closed" in text
    assert 'href="/assets/mart%2Fdaily/partitions/2024-01-02"' in text
    assert 'aria-label="When each step waited and worked"' in text
    assert "<code>ordering 2024-01-03</code>" in text
    assert "team=shop" in text
    assert "deltaworks backfill orders mart/daily" in text
    assert f'action="/runs/{ids[1]}/retry"' in text
    assert f'action="/runs/{ids[1]}/cancel"' not in text
    assert "data-stream" not in text
    assert "ordering" not in client.get(f"/runs/{ids[1]}?level=error").text
    assert f'action="/runs/{ids[0]}/retry"' not in client.get(f"/runs/{ids[0]}").text


def test_a_run_and_its_log_are_told_as_the_commands_tell_them(client, here, ids):
    lake = ("--json", "--lake", str(here.lake))

    assert client.get(f"/api/v1/runs/{ids[1]}").json == here.run("runs", "show", ids[1], *lake).json
    assert client.get("/api/v1/runs/latest").json["run_id"] == ids[2]
    first = client.get(f"/api/v1/runs/{ids[1]}/log?limit=2").json
    rest = client.get(f"/api/v1/runs/{ids[1]}/log?after={first['next']}").json
    assert first["lines"] + rest["lines"] == here.run("runs", "logs", ids[1], *lake).json


def test_a_run_that_is_not_there_is_said_to_be_none(client):
    assert "There is no such run" in client.get("/runs/nothing").text
    assert client.get("/api/v1/runs/nothing").status == 404


def test_a_stream_of_a_log_ends_with_its_run(client, ids):
    sent = client.get(f"/api/v1/runs/{ids[1]}/log?level=error", accept="text/event-stream").text

    assert sent.count("the <b>bank</b> is closed") == 3
    assert "ordering" not in sent
    assert sent.rstrip().endswith('event: end\ndata: {"status": "failure"}')


def test_a_log_is_a_stream_of_lines_too(client, here, ids):
    kept = here.run("runs", "logs", ids[1], "--json", "--lake", str(here.lake)).json

    lines = client.get(f"/api/v1/runs/{ids[1]}/log", accept="application/x-ndjson")
    events = client.get(f"/api/v1/runs/{ids[1]}/events", accept="application/x-ndjson", accept_encoding="gzip")

    assert (lines.headers["content-type"], lines.headers["cache-control"]) == ("application/x-ndjson", "no-store")
    assert [json.loads(line) for line in lines.text.splitlines()] == kept
    happened = [line for line in kept if "event" in line]
    assert [json.loads(line) for line in events.text.splitlines()] == happened
    assert 0 < len(happened) < len(kept)
    first = client.get(f"/api/v1/runs/{ids[1]}/events?limit=1").json
    rest = client.get(f"/api/v1/runs/{ids[1]}/events?after={first['next']}").json
    assert first["events"] + rest["events"] == happened
    assert client.get(f"/api/v1/runs/{ids[1]}/log?after=7").status == 422


def test_the_state_of_a_run_is_a_stream_that_ends_with_it(client, ids):
    sent = client.get(f"/api/v1/runs/{ids[1]}", accept="text/event-stream").text

    (told,) = (line for line in sent.splitlines() if line.startswith("data: "))
    assert "event: state" in sent
    assert json.loads(told.removeprefix("data: "))["status"] == "failure"


def test_backfills_are_runs_that_were_backfills(client, ids):
    listed = client.get("/api/v1/backfills").json

    assert [each["run_id"] for each in listed["backfills"]] == [ids[1]]
    assert client.get(f"/api/v1/backfills/{ids[1]}").json == client.get(f"/api/v1/runs/{ids[1]}").json
    assert client.get(f"/api/v1/backfills/{ids[0]}").status == 404
    assert client.post(f"/api/v1/backfills/{ids[0]}:cancel", {}).status == 404
    assert client.post(f"/api/v1/backfills/{ids[1]}:cancel", {}).status == 422


def test_how_far_each_asset_came_is_told(client, ids):
    told = client.get(f"/api/v1/runs/{ids[1]}/steps").json

    assert [(each["asset"], each["materialized"], each["failed"]) for each in told["assets"]] == [
        ("orders", 3, 0),
        ("mart/daily", 0, 3),
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"select": []}, 422),
        ({}, 422),
        ({"select": ["order"]}, 404),
        ({"select": ["orders"], "from": "2024-01-01"}, 422),
    ],
)
def test_what_cannot_be_materialized_starts_nothing(client, ids, body, status):
    assert client.post("/api/v1/runs", body).status == status
    assert len(client.get("/api/v1/runs").json["runs"]) == len(ids)


def test_a_materialization_is_a_run_of_its_own(tmp_path):
    (tmp_path / "tables.py").write_text(TABLES)
    client = Client.of(tmp_path)

    started = client.post("/api/v1/runs", {"select": ["rates"]})

    assert (started.status, started.json["command"]) == (202, "deltaworks materialize -- rates")
    until = time.monotonic() + PATIENCE_S
    while client.get("/api/v1/assets/rates").json["partitions"]["fresh"] == 0:
        assert time.monotonic() < until, client.get(started.headers["location"]).text
        time.sleep(0.1)


def test_the_page_of_a_run_reads_no_more_of_a_long_log_than_its_beginning_and_its_end(tmp_path):
    (tmp_path / "tables.py").write_text(TABLES)
    client, store = Client.of(tmp_path), Store.at(str(tmp_path / "lake"))
    run = begin_entry("backfill orders", dt.datetime.now(dt.UTC))
    write_run(store, run)
    log = LogWriter(store, run.run_id, 1)
    for number in range(8):
        log.write(
            {"at": run.started_at, "step": "s", "stream": "stdout", "text": f"line {number} " + "x" * OBJECT_BYTES}
        )
    log.flush()

    text = client.get(f"/runs/{run.run_id}").text

    assert [number for number in range(8) if f"line {number} " in text] == [0, 5, 6, 7]
    assert "the last 4" in text
    assert 'data-after="001-000007:' in text


def test_a_run_that_is_over_is_not_canceled(client, ids):
    refused = client.post(f"/api/v1/runs/{ids[1]}:cancel", {})

    assert refused.status == 422
    assert "cannot be canceled: it has ended as failure" in refused.json["detail"]


def test_a_run_that_goes_on_is_asked_to_stop(tmp_path):
    (tmp_path / "tables.py").write_text(TABLES)
    client, store = Client.of(tmp_path), Store.at(str(tmp_path / "lake"))
    run = begin_entry("backfill orders", dt.datetime.now(dt.UTC))
    write_run(store, run)

    assert f'data-stream="/api/v1/runs/{run.run_id}/log"' in client.get(f"/runs/{run.run_id}").text
    asked = client.submit(f"/runs/{run.run_id}/cancel", {})

    assert (asked.status, asked.headers["location"]) == (303, f"/runs/{run.run_id}")
    assert str(find_stop_request(store, run.run_id)) == "canceled by local in the browser"
    assert "asked to stop: canceled by local" in client.get(f"/runs/{run.run_id}").text
    assert client.post(f"/api/v1/runs/{run.run_id}:retry", {}).status == 422


def test_a_run_is_tried_again_and_says_by_whom(tmp_path):
    here = Here(tmp_path)
    here.write("tables.py", TABLES)
    assert here.run("backfill", "orders", "mart/daily", "--lake", str(here.lake)).code == 1
    client = Client.of(tmp_path)
    run = client.get("/api/v1/runs/latest").json["run_id"]
    here.edit("tables.py", 'raise ConnectionError("the <b>bank</b> is closed")', "return orders")

    again = client.submit(f"/runs/{run}/retry", {})

    assert (again.status, again.headers["location"]) == (303, f"/runs/{run}")
    until = time.monotonic() + PATIENCE_S
    while (found := client.get(f"/api/v1/runs/{run}").json)["attempt"] == 1 or found["ended_at"] is None:
        assert time.monotonic() < until, client.get(f"/runs/{run}").text
        time.sleep(0.2)
    assert (found["status"], found["totals"]["materialized"], found["tags"]) == ("success", 3, ["by=local"])
    assert "Earlier attempts" in client.get(f"/runs/{run}").text


def test_what_failed_of_an_asset_is_told_with_its_line_from_the_folder_on(client: Client, here: Here):
    text = client.get("/assets/mart%2Fdaily/checks").text

    assert "ConnectionError: the &lt;b&gt;bank&lt;/b&gt; is closed (tables.py:" in text
    assert str(here.folder) not in text


def test_the_log_says_figures_in_words(client: Client):
    text = client.get("/runs/latest").text

    assert "<code>orders, version 2, partitions 1, rows 1</code>" in text
    assert "number" not in text.partition('aria-label="Lines of the log"')[2]
