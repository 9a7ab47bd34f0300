"""The Python client, of an app that is served on the loopback interface."""

import re

import pytest

from deltaworks.client import Client, Counts, Job, StatusRange, Step, Totals
from deltaworks.errors import PlanChanged, RequestError, ServerError
from deltaworks.web.serve import listen
from tests.acceptance.conftest import Here
from tests.web.browser import serving

ONE = """
import polars as pl
import deltaworks as dw

@dw.asset
def one() -> pl.LazyFrame:
    print("made <one>")
    return pl.LazyFrame({"a": [1]})
"""
NIGHTLY = """
import deltaworks as dw

class Letter(dw.Config):
    to: str

@dw.op
def send(config: Letter) -> None:
    print(config.to)

@dw.job
def mail() -> None:
    send()

@dw.schedule(job=mail, cron="0 6 * * *")
def nightly(tick: dw.Tick) -> dw.RunRequest:
    return dw.RunRequest()
"""


@pytest.fixture
def remote(address):
    return Client(address + "/")


def test_assets_are_listed_page_by_page(remote, monkeypatch):
    monkeypatch.setattr("deltaworks.client.connection.PAGE", 2)

    found = list(remote.assets())

    assert [each.name for each in found] == ["orders", "mart/daily", "total"]
    assert found[1] == remote.asset("mart/daily")
    assert found[1].counts == Counts(total=10, fresh=4, stale=1, missing=5, external=0, failed=0)
    assert [each.name for each in remote.assets(["group:raw"])] == ["orders"]


def test_ranges_come_with_their_causes(remote):
    stale, fresh, missing = remote.status("mart/daily")

    assert (stale.status, stale.count, stale.ranges) == ("stale", 1, (("2024-01-01", "2024-01-01"),))
    assert stale.causes[0].startswith("data: orders 2024-01-01 changed")
    assert (fresh.status, fresh.count) == ("fresh", 4)
    assert missing == StatusRange("missing", 5, (("2024-01-06", "2024-01-10"),), ("never materialized",))


def test_history_is_that_of_the_command(remote, shop):
    here = Here(shop)

    assert remote.history("orders") == here.run("history", "orders", "--json", "--lake", str(here.lake)).json


def test_a_plan_is_looked_at_and_another_one_refused(remote):
    plan = remote.plan(["mart/daily"], start="2024-01-01", end="2024-01-05", only=["stale"])

    (step,) = plan.steps
    assert (plan.partitions, step.asset, step.ranges) == (1, "mart/daily", (("2024-01-01", "2024-01-01"),))
    assert isinstance(step, Step)
    with pytest.raises(PlanChanged) as refused:
        remote.backfill(["mart/daily"], partitions=["2024-01-02"], only=["all"], plan_hash=plan.plan_hash)
    assert refused.value.was == plan.plan_hash
    assert list(remote.audit()) == []


def test_a_backfill_is_started_once_for_each_key(tmp_path):
    (tmp_path / "tables.py").write_text(ONE)
    with serving(tmp_path) as address:
        remote = Client(address)
        first, again = (remote.backfill(["one"], idempotency_key="k") for _ in range(2))

        assert first == again
        assert first.command == "deltaworks backfill -- one"
        assert {each["led_to"] for each in remote.audit()} == {f"/runs/{first.run_id}"}
        lines = list(remote.log(first.run_id, follow=True))
        run = remote.wait(first.run_id)

        assert (run.status, run.totals, run.job) == ("success", Totals(1, 0, 0, 1), None)
        assert lines == list(remote.log(run.run_id))
        assert [line for line in lines if "event" in line] == list(remote.events(run.run_id))
        assert "made <one>" in [line.get("text") for line in lines]
        assert [each.run_id for each in remote.runs()] == [each.run_id for each in remote.backfills()] == [run.run_id]
        assert remote.steps(run.run_id)["assets"][0]["materialized"] == 1
        assert remote.asset("one").counts.fresh == 1
        assert remote.preview("one")["rows"] == [{"a": 1}]
        with pytest.raises(RequestError, match="it has ended as success"):
            remote.cancel(run.run_id)


def test_a_job_is_run_and_a_schedule_switched(tmp_path):
    (tmp_path / "tables.py").write_text(NIGHTLY)
    with serving(tmp_path) as address:
        remote = Client(address)

        (job,) = remote.jobs()
        done = remote.wait(remote.run_job("mail", config={"send": {"to": "[me]"}}).run_id)
        off = remote.switch("schedule", "nightly", enabled=False)

        assert isinstance(job, Job)
        assert remote.job("mail").config_schema["properties"]["send"]["required"] == ["to"]
        assert (done.status, done.job, done.document["config"]) == ("success", "mail", {"send": {"to": "[me]"}})
        assert off["is_on"] is False
        assert list(remote.automations("schedule")) == [off]
        assert list(remote.ticks("schedule", "nightly")) == []
        assert remote.evaluate("schedule", "nightly")["requests"][0]["job"] == "mail"
        with pytest.raises(RequestError, match="config field 'to' is missing"):
            remote.run_job("mail")


def test_what_is_known_of_an_asset_is_told(remote, shop):
    here = Here(shop)

    assert remote.lineage("orders") == here.run("lineage", "orders", "--json", "--lake", str(here.lake)).json
    assert remote.lineage("mart/daily", "amount")["column"] == "amount"
    assert [node["asset"] for node in remote.graph(["mart/daily"])["nodes"]] == ["mart/daily"]
    assert [column["name"] for column in remote.schema("orders")["columns"]] == ["day", "amount"]
    assert remote.checks("orders")["rules"][-1]["column"] == "amount"
    assert remote.metrics("orders")["metrics"][0]["name"] == "rows"
    assert remote.why("mart/daily", ["2024-01-01"])["asset"] == "mart/daily"
    assert (remote.daemons(), remote.conditions()["conditions"]) == ([], [])
    assert remote.pause_daemons(paused=True)["paused"]["by"] == "local"
    assert remote.pause_daemons(paused=False)["paused"] is None


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (lambda remote: remote.asset("ordres"), "There is no asset 'ordres'. Did you mean 'orders'?"),
        (lambda remote: remote.run("nothing"), "There is no run 'nothing'"),
        (lambda remote: remote.plan(only=["nothing"]), "body/only/0: "),
        (lambda remote: remote.request("GET", "/api/v1/nothing"), "GET /api/v1/nothing"),
    ],
)
def test_what_the_server_refuses_is_told_as_it_tells_it(remote, asked, told):
    with pytest.raises(RequestError, match=f"^{re.escape(told)}"):
        asked(remote)


def test_who_is_no_server_of_deltaworks_is_said_to_be_none(address):
    with listen("127.0.0.1", 0) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(ServerError, match="it cannot be reached"):
        Client(nobody).asset("orders")
    with pytest.raises(ServerError, match="answers 303"):
        Client(address).request("POST", "/logout")
    with pytest.raises(ServerError, match="no JSON"):
        Client(address).request("GET", "/")
    with pytest.raises(RequestError, match="is no address of a server"):
        Client("file:///etc/hosts")
