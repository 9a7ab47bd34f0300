"""Jobs by REST: what one is made of and may be told, and starting one with a config, once for each key."""

import time

import pytest

from deltaworks.io.ledger import read_runs
from deltaworks.io.store import Store
from tests.acceptance.conftest import Here
from tests.web.client import Client

TABLES = '''
import pydantic
import polars as pl
import deltaworks as dw

class Retry(pydantic.BaseModel):
    tries: int = 1

class Fetch(dw.Config):
    url: str
    limit: int = pydantic.Field(10, ge=1, description="Rows, at most.")
    note: str | None = "none"
    retry: Retry = Retry()
    names: dict[str, int] = {}

class Rate(dw.Config):
    base: str

@dw.op
def fetch(config: Fetch) -> str:
    return f"{config.url} {config.note} {config.names}"

@dw.op(config=Rate(base="EUR"))
def rate(config: Rate) -> str:
    return config.base

@dw.graph
def inner() -> None:
    fetch()
    rate()

@dw.job
def weekly() -> None:
    """Fetch the rates."""
    inner()
    rate()

@dw.asset
def rates(config: Rate) -> pl.LazyFrame:
    return pl.LazyFrame({"base": [config.base]})

daily = dw.define_asset_job("daily.rates", "rates")
'''
PATIENCE_S = 120


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    found = Here(tmp_path_factory.mktemp("jobs"))
    found.write("tables.py", TABLES)
    return found


@pytest.fixture(scope="module")
def client(here):
    return Client.of(here.folder)


def test_jobs_are_told_as_the_commands_tell_them(client, here):
    lake = ("--json", "--lake", str(here.lake))

    assert client.get("/api/v1/jobs").json["jobs"] == here.run("job", "list", *lake).json["jobs"]
    for name in ("weekly", "daily.rates"):
        assert client.get(f"/api/v1/jobs/{name}").json == here.run("job", "print", name, *lake).json
    assert client.get("/api/v1/jobs/weekl").status == 404
    assert "Did you mean 'weekly'?" in client.get("/api/v1/jobs/weekl").json["detail"]


def test_a_job_says_which_config_it_takes(client):
    weekly = client.get("/api/v1/jobs/weekly").json["config_schema"]
    daily = client.get("/api/v1/jobs/daily.rates").json["config_schema"]

    fetch, rate = (weekly["properties"]["inner"]["properties"][op] for op in ("fetch", "rate"))
    assert (weekly["required"], weekly["properties"]["inner"]["required"], fetch["required"]) == (
        ["inner"],
        ["fetch"],
        ["url"],
    )
    assert fetch["properties"]["limit"]["description"] == "Rows, at most."
    assert fetch["properties"]["retry"]["$ref"] == "#/$defs/Retry"
    assert weekly["$defs"]["Retry"]["properties"]["tries"]["type"] == "integer"
    assert (rate["required"], rate["additionalProperties"]) == ([], False)
    assert weekly["properties"]["rate"] == rate
    assert (daily["required"], daily["properties"]["rates"]["required"]) == (["rates"], ["base"])


@pytest.mark.parametrize(
    ("job", "body", "told"),
    [
        ("weekly", {}, "config field 'url' is missing"),
        ("weekly", {"config": {"inner": {"fetch": {"url": "a", "limit": 0}}}}, "greater than or equal to 1"),
        ("weekly", {"config": {"outer": {"fetch": {}}}}, "has no op 'outer' that takes config"),
        ("weekly", {"config": {"inner": 3}}, "The config of inner must have fields, not be 3."),
        ("weekly", {"partition": "2024-01-01"}, "partition"),
        ("daily.rates", {"config": {"rates": {"base": []}}}, "rates.base: Input should be a valid string"),
        ("weekly", {"run": 1}, "body/run"),
        ("weekly", {"config": {"inner": {"fetch": {"url": "x" * 200_000}}}}, "an argument may have 100,000 bytes"),
        ("weekly", {"config": {"\udcff": {}}}, "no op '\\udcff' that takes config"),
    ],
)
def test_what_does_not_fit_starts_nothing(client, here, job, body, told):
    refused = client.post(f"/api/v1/jobs/{job}/runs", body)

    assert (refused.status, told in refused.json["detail"]) == (422, True), refused.text
    assert read_runs(Store.at(str(here.lake))) == []


def test_a_job_is_started_with_just_that_config_and_once_for_each_key(client, here):
    config = {"inner": {"fetch": {"url": "[a\nb\0", "limit": 3, "note": None, "names": {"x": 1, "y": 2}}}}

    first = client.post("/api/v1/jobs/weekly/runs", {"config": config}, idempotency_key="k")
    again = client.post("/api/v1/jobs/weekly/runs", {"config": config}, idempotency_key="k")

    assert (first.status, first.headers["location"]) == (202, f"/runs/{first.json['run_id']}")
    assert again.json == first.json
    until = time.monotonic() + PATIENCE_S
    while (found := client.get(f"/api/v1/runs/{first.json['run_id']}")).status == 404 or not found.json["ended_at"]:
        assert time.monotonic() < until, client.get(first.headers["location"]).text
        time.sleep(0.1)
    assert (found.json["status"], found.json["config"]) == ("success", config)
    assert len(read_runs(Store.at(str(here.lake)))) == 1
    assert client.get("/api/v1/audit").json["entries"][0]["command"] == first.json["command"]

    steps = client.get(f"/api/v1/runs/{first.json['run_id']}/steps").json
    assert [(each["name"], each["status"]) for each in steps["steps"]] == [("inner", "success"), ("rate", "success")]
    assert [each["step"] for each in steps["steps"][0]["steps"]] == ["inner.fetch", "inner.rate"]
