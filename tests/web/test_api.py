"""The REST API: the same bodies as the commands, plans that are carried out or refused, and problems that say why."""

import time

import polars as pl
import pytest

from deltaworks.io.ledger import read_runs
from deltaworks.io.store import Store
from tests.acceptance.conftest import Here
from tests.web.client import TABLES, Client

PATIENCE_S = 120


def test_the_server_lives_without_a_project(tmp_path):
    client = Client.of(tmp_path)

    assert client.get("/health/live").json["status"] == "live"
    assert client.get("/health/ready").status == 503


def test_assets_are_told_as_the_commands_tell_them(client, shop):
    found = client.get("/api/v1/assets").json

    here = Here(shop)
    status = here.run("status", "--json", "--lake", str(here.lake)).json["assets"]
    assert [each["asset"] for each in found["assets"]] == ["orders", "mart/daily", "total"]
    for told, known in zip(found["assets"], status, strict=True):
        assert told["version"] == known["version"]
        assert known["partitions"].items() <= told["partitions"].items()
    assert client.get("/api/v1/assets/orders").json == found["assets"][0]


def test_ranges_and_history_are_those_of_the_commands(client, shop):
    here = Here(shop)
    status = here.run("status", "--partitions", "mart/daily", "--json", "--lake", str(here.lake)).json
    history = here.run("history", "orders", "--json", "--lake", str(here.lake)).json

    assert client.get("/api/v1/assets/mart%2Fdaily/status").json == status["assets"][0]
    assert client.get("/api/v1/assets/orders/history").json == history


def test_rows_and_lineage_are_those_of_the_commands(client, shop):
    here = Here(shop)
    lake = ("--json", "--lake", str(here.lake))

    shown = client.get("/api/v1/assets/orders/preview?version=1&partition=2024-01-03").json
    assert shown == here.run("show", "orders@v1", "--partition", "2024-01-03", *lake).json
    assert client.get("/api/v1/assets/mart%2Fdaily/lineage").json == here.run("lineage", "mart/daily", *lake).json
    column = client.get("/api/v1/assets/mart%2Fdaily/column-lineage?column=amount").json
    assert column == here.run("lineage", "mart/daily.amount", *lake).json
    why = client.get("/api/v1/assets/mart%2Fdaily/why?partition=2024-01-01").json
    assert why == here.run("why", "mart/daily", "--partition", "2024-01-01", *lake).json


def test_the_graph_and_what_is_asked_of_rows_are_told(client):
    graph = client.get("/api/v1/graph?select=mart%2Fdaily%2B").json
    rules = client.get("/api/v1/assets/orders/checks").json["rules"]
    numbers = client.get("/api/v1/assets/orders/metrics").json["metrics"]
    schema = client.get("/api/v1/assets/orders/schema").json

    assert graph == {
        "nodes": [{"asset": "mart/daily", "status": "stale"}, {"asset": "total", "status": "missing"}],
        "edges": [["mart/daily", "total"]],
    }
    assert ("amount", "ge(0)", [True, True]) in [(rule["column"], rule["name"], rule["marks"]) for rule in rules]
    assert [value["number"] for value in numbers[0]["values"]] == [1, 5]
    assert [column["name"] for column in schema["columns"]] == ["day", "amount"]
    assert schema["changes"][0]["lines"] == ["added: day Date, amount Float64"]


def test_lists_are_read_page_by_page(client):
    first = client.get("/api/v1/assets?limit=2").json
    second = client.get(f"/api/v1/assets?limit=2&after={first['next'].replace('/', '%2F')}").json

    assert [each["asset"] for each in first["assets"] + second["assets"]] == ["orders", "mart/daily", "total"]
    assert (first["total"], second["next"]) == (3, None)
    assert client.get("/api/v1/assets?limit=501").status == 422
    assert client.get("/api/v1/assets?after=nothing").status == 422


def test_the_map_is_told_as_one_byte_a_cell(client):
    cells = client.get("/api/v1/assets/mart%2Fdaily/cells").json
    painted = client.get("/api/v1/assets/mart%2Fdaily/status", accept="application/octet-stream")

    assert painted.headers["x-shape"] == "1 366"
    assert (cells["rows"], cells["columns"], len(cells["keys"])) == (1, 366, 366)
    assert list(painted.body[:11]) == [5, 1, 1, 1, 1, 4, 4, 4, 4, 4, 0]
    assert cells["keys"][0] == ["2024-01-01", "2024-01-01"]
    assert cells["keys"][10] is None


def test_a_plan_is_that_of_the_command_and_runs_nothing(client, shop):
    here = Here(shop)
    asked = {"select": ["orders+"], "from": "2024-01-01", "to": "2024-01-06"}

    found = client.post("/api/v1/plans", asked).json

    span = ("--from", "2024-01-01", "--to", "2024-01-06")
    assert found == here.run("plan", "orders+", *span, "--json", "--lake", str(here.lake)).json
    assert found["totals"]["partitions"] == 4  # a day of orders, two of what is made from them, and the total


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"select": ["nothing"]}, 404, "There is no asset 'nothing'"),
        ({"select": ["orders"], "from": "2024-01-01"}, 422, "A range needs both ends"),
        ({"select": ["orders"], "partitions": ["2030-01-01"]}, 404, "has no partition '2030-01-01'"),
        ({"only": ["some"]}, 422, "body/only/0"),
        ({"selection": []}, 422, "body/selection"),
    ],
)
def test_what_cannot_be_planned_is_a_problem_that_says_why(client, body, status, told):
    found = client.post("/api/v1/plans", body)

    assert (found.status, found.headers["content-type"]) == (status, "application/problem+json")
    assert told in found.json["detail"]
    assert found.json["status"] == status


def test_a_backfill_runs_as_a_process_of_its_own_and_once_for_each_key(tmp_path):
    (tmp_path / "tables.py").write_text(TABLES)
    client = Client.of(tmp_path)
    asked = {"select": ["orders"], "partitions": ["2024-01-02"]}
    planned = client.post("/api/v1/plans", asked).json

    body = {**asked, "plan_hash": planned["plan_hash"]}
    first = client.post("/api/v1/backfills", body, idempotency_key="one")
    again = client.post("/api/v1/backfills", body, idempotency_key="one")
    other = client.post("/api/v1/backfills", {**body, "partitions": ["2024-01-03"]}, idempotency_key="one")

    assert first.status == 202, first.text
    assert first.headers["location"] == f"/runs/{first.json['run_id']}"
    assert again.json == first.json
    assert (other.status, "was used for another request" in other.text) == (422, True)
    run = await_run(tmp_path, first.json["run_id"])
    assert (run.status, run.materialized, run.tags) == ("success", 1, ("by=local",))
    assert len(read_runs(Store.at(str(tmp_path / "lake")))) == 1
    assert pl.scan_delta(str(tmp_path / "lake" / "orders")).collect().height == 1

    late = client.post("/api/v1/backfills", body)
    assert late.status == 409
    assert "The plan has changed since it was looked at" in late.json["detail"]

    entries = client.get("/api/v1/audit").json["entries"]
    assert [(each["who"], each["led_to"]) for each in entries] == [("local", first.headers["location"])] * 2
    assert entries[0]["command"] == "deltaworks backfill --partition=2024-01-02 -- orders"
    page = client.get("/audit").text
    assert page.count(entries[0]["command"]) == 2
    assert f'href="{entries[0]["led_to"]}"' in page


def await_run(folder, run_id):
    deadline = time.monotonic() + PATIENCE_S
    store = Store.at(str(folder / "lake"))
    while time.monotonic() < deadline:
        found = [run for run in read_runs(store) if run.run_id == run_id and run.status.is_over]
        if found:
            return found[0]
        time.sleep(0.1)
    raise AssertionError("the run does not end")


def test_the_description_names_every_endpoint_and_no_other_host(client):
    document = client.get("/api/v1/openapi.json").json

    assert {"/health/live", "/api/v1/assets", "/api/v1/plans", "/api/v1/backfills"} <= document["paths"].keys()
    assert not any(path.startswith("/assets") for path in document["paths"])
    text = client.get("/api").text
    assert "/api/v1/backfills" in text
    assert "http://" not in text.replace("http://www.w3.org", "")


def test_of_a_long_log_only_the_last_commits_are_searched_for_changed_columns(client, monkeypatch):
    whole = client.get("/api/v1/assets/orders/schema").json
    monkeypatch.setattr("deltaworks.web.views.schema.LOOKED_AT", 1)

    cut = client.get("/api/v1/assets/orders/schema").json

    assert ([each["version"] for each in whole["changes"]], whole["changes_since"]) == ([0], 0)
    assert (cut["changes"], cut["changes_since"]) == ([], 2)
    assert "from version 2 on" in client.get("/assets/orders/schema").text
