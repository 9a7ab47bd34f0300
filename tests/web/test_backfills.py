"""Backfills in the browser: the plan that is shown is the one that is launched, or nothing is."""

import html
import re
import time

import polars as pl
import pytest

from deltaworks.web.http.roles import Role
from tests.acceptance.conftest import Here
from tests.web.client import TABLES, Client
from tests.web.test_doors import TOKENS

PATIENCE_S = 120


@pytest.fixture
def here(tmp_path):
    found = Here(tmp_path)
    found.write("tables.py", TABLES)
    return found


def form_of(text):
    """The hidden fields of the form that launches."""
    form = text[text.index('<form class="fields actions" method="post" action="/backfills">') :].partition("</form>")[0]
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))


def test_a_plan_is_shown_with_reasons_numbers_and_the_command(client):
    text = client.get("/backfills/new?select=orders%2B&from=2024-01-01&to=2024-01-06").text

    assert "4 partitions of 3 assets" in text  # as the same request of the API
    assert '<span class="mono">2024-01-06</span>' in text
    assert '<span class="mute">whole table</span>' in text
    assert "never materialized" in text
    assert "at least " in text
    assert "deltaworks backfill --from=2024-01-01 --to=2024-01-06 -- orders+" in text
    assert re.findall(r'value="(\w+)" checked', text) == ["missing", "stale", "failed"]


def test_several_assets_are_chosen_in_the_catalog(client):
    ticked = client.get("/backfills/new?select=orders&select=mart%2Fdaily&only=all&from=2024-01-01&to=2024-01-02")

    assert 'name="select" value="mart/daily" aria-label="Choose mart/daily"' in client.get("/assets").text
    assert "4 partitions of 2 assets" in ticked.text
    assert form_of(ticked.text)["select"] == "orders or mart/daily"


def test_what_is_to_be_made_may_be_ticked(client):
    nothing = client.get("/backfills/new?select=orders&from=2024-01-01&to=2024-01-05")
    every = client.get("/backfills/new?select=orders&from=2024-01-01&to=2024-01-05&only=all")
    two = client.get("/backfills/new?select=orders&only=stale&only=failed")

    assert (nothing.status, "everything that is asked for is up to date" in nothing.text) == (200, True)
    assert 'method="post" action="/backfills"' not in nothing.text
    assert "5 partitions of 1 asset" in every.text
    assert form_of(every.text)["only"] == "all"
    assert "nothing that is asked for is like that" in two.text


def test_what_lacks_its_upstream_is_left_out_and_told(client):
    text = client.get("/backfills/new?select=mart%2Fdaily&from=2024-01-05&to=2024-01-10").text

    assert "lacks what it is made from" in text
    assert '<h2 id="left">Left out</h2>' in text
    assert "2024-01-06 … 2024-01-10" in text
    both = re.search(r'href="([^"]*)">Plan both<', text)
    assert both is not None
    assert "10 partitions of 2 assets" in client.get(html.unescape(both[1])).text


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("select=nothing", "There is no asset &#39;nothing&#39;"),
        ("select=orders&from=2024-01-01", "A range needs both ends"),
        ("select=orders&partitions=2030-01-01", "has no partition &#39;2030-01-01&#39;"),
        ("only=some", "Only &#39;some&#39; cannot be made; expected missing, stale, failed, external, all."),
    ],
)
def test_what_cannot_be_planned_is_said_above_the_form(client, query, told):
    found = client.get(f"/backfills/new?{query}")

    assert found.status == 422
    assert told in found.text
    assert 'name="select"' in found.text


def test_a_plan_is_launched_and_its_run_is_listed(here):
    client = Client.of(here.folder)
    assert "No backfill yet." in client.get("/backfills").text
    form = form_of(client.get("/backfills/new?select=orders&partitions=2024-01-02").text)

    started = client.submit("/backfills", form)

    assert started.status == 303, started.text
    run = started.headers["location"]
    until = time.monotonic() + PATIENCE_S
    while (found := client.get(f"/api/v1{run}")).status == 404 or found.json["ended_at"] is None:
        assert time.monotonic() < until, client.get(run).text
        time.sleep(0.2)
    assert (found.json["status"], found.json["tags"]) == ("success", ["by=local"])
    assert pl.scan_delta(str(here.lake / "orders")).collect().height == 1
    entry = client.get("/api/v1/audit").json["entries"][0]
    assert (entry["led_to"], entry["command"]) == (run, "deltaworks backfill --partition=2024-01-02 -- orders")

    assert here.run("materialize", "orders", "--partition", "2024-01-03", "--lake", str(here.lake)).code == 0
    other = Client.of(here.folder)
    assert other.get("/runs").text.count("<tr>") == other.get("/backfills").text.count("<tr>") + 1
    assert f'href="{run}"' in other.get("/backfills").text
    assert 'href="/backfills?status=success"' in other.get("/backfills").text


def test_a_plan_that_has_changed_is_refused_and_the_new_one_shown(here):
    form = form_of(Client.of(here.folder).get("/backfills/new?select=orders&from=2024-01-01&to=2024-01-03").text)
    assert here.run("materialize", "orders", "--partition", "2024-01-02", "--lake", str(here.lake)).code == 0
    client = Client.of(here.folder)

    refused = client.submit("/backfills", form)

    assert refused.status == 409
    assert "The plan has changed since it was looked at" in refused.text
    assert "2 partitions of 1 asset" in refused.text
    assert form_of(refused.text)["plan_hash"] != form["plan_hash"]
    assert client.submit("/backfills", {"select": "orders"}).status == 409
    assert len(client.get("/api/v1/runs").json["runs"]) == 1


def test_a_viewer_sees_the_plan_and_cannot_launch_it(here):
    viewer = Client.of(here.folder, TOKENS)
    viewer.headers["authorization"] = f"Bearer {TOKENS.tokens[Role.VIEWER]}"
    text = viewer.get("/backfills/new?select=orders").text

    assert '<button class="primary" disabled>' in text
    assert viewer.submit("/backfills", form_of(text)).status == 403
