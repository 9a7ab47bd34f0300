"""Jobs in the browser: which there are, and what their form takes and refuses."""

import re
import time

import pytest

from tests.web.client import Client

TABLES = '''
from typing import Literal
import pydantic
import deltaworks as dw

class Fetch(dw.Config):
    url: str
    limit: int = pydantic.Field(10, ge=1, description="Rows, at most.")
    is_fast: bool = False
    kind: Literal["xml", "csv"] = "csv"

@dw.op
def fetch(config: Fetch) -> int:
    return config.limit

@dw.job
def weekly() -> None:
    """Fetch the <b>rates</b>."""
    fetch()
'''
PATIENCE_S = 120


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "tables.py").write_text(TABLES)
    return Client.of(folder)


def test_jobs_are_listed_and_have_a_form(client):
    text = client.get("/jobs/weekly").text

    assert 'href="/jobs/weekly"' in client.get("/jobs").text
    assert 'name="config.fetch.limit" class="mono" value="10"' in text
    assert "Rows, at most." in text
    assert "<option>true</option><option selected>false</option>" in text
    assert "<option>xml</option><option selected>csv</option>" in text
    assert "Fetch the &lt;b&gt;rates&lt;/b&gt;." in text
    assert client.get("/jobs/nothing").status == 404


def test_what_does_not_fit_is_said_beside_its_field(client):
    refused = client.submit("/jobs/weekly/runs", {"config.fetch.url": "<i>", "config.fetch.limit": "0"})

    assert refused.status == 422
    assert 'name="config.fetch.limit" class="mono" value="0" aria-invalid="true"' in refused.text
    assert 'id="config.fetch.limit-problem">Input should be greater than or equal to 1<' in refused.text
    assert 'value="&lt;i&gt;"' in refused.text
    assert "config.fetch.url-problem" not in refused.text


def test_a_text_that_is_no_config_is_refused(client):
    refused = client.submit("/jobs/weekly/runs", {"text": "[1]"})

    assert refused.status == 422
    assert "must have fields by op or asset, not be a list" in refused.text


def test_a_job_is_launched_with_what_was_filled_in(client):
    key = re.search(r'name="idempotency_key" value="([^"]+)"', client.get("/jobs/weekly").text)
    form = {"config.fetch.url": "a b", "config.fetch.limit": "3", "idempotency_key": key[1]}

    started, doubled = (client.submit("/jobs/weekly/runs", form) for _ in range(2))

    assert (started.status, doubled.headers["location"]) == (303, started.headers["location"])
    run = started.headers["location"]
    until = time.monotonic() + PATIENCE_S
    while (found := client.get(f"/api/v1{run}")).status == 404 or found.json["ended_at"] is None:
        assert time.monotonic() < until, client.get(run).text
        assert "Starting" in client.get(run).text or found.status == 200
        time.sleep(0.2)
    assert (found.json["status"], found.json["tags"]) == ("success", ["by=local"])
    assert found.json["config"] == {"fetch": {"url": "a b", "limit": "3"}}
    assert len(client.get("/api/v1/runs").json["runs"]) == 1
    assert client.submit("/jobs/weekly/runs", {**form, "config.fetch.limit": "0"}).status == 422
