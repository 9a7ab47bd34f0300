"""A workspace goes on by itself: schedules and sensors of one location watch and make what others define."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest

from deltaworks.engine.automation.asking import ask
from deltaworks.engine.automation.location_load import load_surroundings
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.engine.workspace.locations.process import LocationProcess
from deltaworks.engine.workspace.project import Origin
from deltaworks.errors import LocationFailed
from tests.acceptance.conftest import Here
from tests.acceptance.running import started, wait_until

SETTINGS = """
[[locations]]
name = "shop"
modules = ["shop_tables"]

[[locations]]
name = "finance"
modules = ["finance_tables"]

[environments.test.resources.till]
name = "test"
"""
SHOP = """
import polars as pl
import deltaworks as dw

class Till(dw.Resource):
    name: str

till = Till(name="plain")

@dw.asset
def orders(till: Till) -> pl.LazyFrame:
    return pl.LazyFrame({"amount": [1], "till": [till.name]})

daily = dw.define_asset_job("daily", "orders")
"""
FINANCE = """
import polars as pl
import deltaworks as dw

@dw.asset
def totals(orders: pl.LazyFrame) -> pl.LazyFrame:
    return orders.select(total=pl.col("amount").sum())

make = dw.define_asset_job("make", "totals")

@dw.schedule(job=make, cron="0 6 * * *")
def daily(tick: dw.Tick) -> dw.RunRequest:
    return dw.RunRequest(run_key="from the schedule")

@dw.asset_sensor(asset="orders", job=make)
def on_orders(commits: dw.Commits) -> dw.RunRequest:
    return dw.RunRequest(run_key=f"orders-{commits.version}")
"""
AGAIN = """
@dw.asset
def orders() -> pl.LazyFrame:
    return pl.LazyFrame()
"""
NOON = dt.datetime(2024, 1, 5, 12, tzinfo=dt.UTC)


@pytest.fixture
def workspace(here: Here, monkeypatch: pytest.MonkeyPatch) -> Here:
    monkeypatch.setenv("XDG_CACHE_HOME", str(here.folder / "cache"))
    here.write("deltaworks.toml", SETTINGS)
    here.write("shop_tables.py", SHOP)
    here.write("finance_tables.py", FINANCE)
    return here


def test_ticks_are_answered_where_the_functions_are_also_when_an_asset_is_defined_twice(workspace: Here) -> None:
    assert workspace.run("backfill", "--json").json["totals"]["materialized"] == 2
    workspace.write("finance_tables.py", FINANCE + AGAIN)

    with closing(load_surroundings(Origin(workspace.folder))) as around:
        scheduled = ask(around, Tick("daily", NOON))  # a job of the shop has its name
        sensed = ask(around, Tick("on_orders", NOON, '{"orders": {"version": 0}}'))

    assert len(around.problems) == 1
    assert "asset 'orders' of location 'finance' is defined twice" in around.problems[0]
    assert [(each.job, each.run_key) for each in scheduled.requests] == [("make", "from the schedule")]
    assert [(each.job, each.run_key) for each in sensed.requests] == [("make", "orders-1")]


def test_a_location_is_told_once_what_the_others_define_however_many_ticks_it_answers(
    workspace: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    ask_process = LocationProcess.ask

    def noted(process: LocationProcess, what: str, told: Mapping[str, Any], **how: Any) -> Any:
        said.extend(name for name in told if name in {"others", "tick"})
        return ask_process(process, what, told, **how)

    monkeypatch.setattr(LocationProcess, "ask", noted)
    with closing(load_surroundings(Origin(workspace.folder))) as around:
        asked = [ask(around, Tick("daily", NOON)) for _ in range(3)]

    assert said == ["others", "tick", "tick", "tick"]
    assert {each.job for evaluation in asked for each in evaluation.requests} == {"make"}


def test_a_broken_location_is_not_imported_anew_at_each_tick(workspace: Here) -> None:
    assert workspace.run("check").code == 0
    imports = workspace.folder / "imports"
    workspace.write("finance_tables.py", f"open({str(imports)!r}, 'a').write('x')\nraise OSError('gone')\n" + FINANCE)

    with closing(load_surroundings(Origin(workspace.folder))) as around:
        for _ in range(3):
            with pytest.raises(LocationFailed, match=r"location 'finance': .*OSError: gone"):
                ask(around, Tick("daily", NOON))

    assert imports.read_text() == "x"


def test_an_environment_gives_values_to_the_resources_of_whichever_location_has_them(workspace: Here) -> None:
    made = workspace.run("backfill", "--environment", "test", "--json")

    assert (made.code, made.json["totals"]["materialized"], made.err.count("warning")) == (0, 2, 0)
    assert workspace.run("show", "orders", "--json").json["rows"] == [{"amount": 1, "till": "test"}]

    workspace.edit("deltaworks.toml", "resources.till", "resources.tell")

    refused = workspace.run("check", "--environment", "test")
    assert refused.code == 2
    assert "environments.test.resources.tell: there is no resource 'tell'. Did you mean 'till'?" in refused.out


def total_commits(workspace: Here) -> int:
    return len(list((workspace.lake / "totals" / "_delta_log").glob("*.json")))


def sensor_looked(workspace: Here) -> bool:
    return (workspace.lake / "_deltaworks" / "state" / "ticks" / "on_orders").exists()


def test_a_daemon_makes_what_follows_from_another_location_also_after_that_was_broken(workspace: Here) -> None:
    workspace.edit("finance_tables.py", 'sensor(asset="orders", ', 'sensor(asset="orders", interval_s=0.5, ')
    with started(workspace, "daemon") as daemon:
        wait_until(lambda: sensor_looked(workspace), "the sensor's first look, which passes over what is there")
        assert workspace.run("materialize", "orders").code == 0
        wait_until(lambda: total_commits(workspace) > 0, "totals of what was there first")

        workspace.edit("shop_tables.py", "import polars", "import polarbears")
        broken = workspace.run("workspace", "reload", "--json")
        assert broken.code == 2
        shop, finance = broken.json["locations"]
        assert "No module named 'polarbears'" in shop["fault"]
        # What it told last stands for it, so nothing is left out of what reads it.
        assert (shop["assets"], finance["assets"], finance["fault"]) == (1, 1, None)

        workspace.edit("shop_tables.py", "import polarbears", "import polars")
        assert workspace.run("workspace", "reload").code == 0
        before = total_commits(workspace)
        assert workspace.run("materialize", "orders").code == 0
        wait_until(lambda: total_commits(workspace) > before, "totals of what was made afterwards")
        daemon.terminate()


def test_a_run_across_locations_is_canceled_and_gone_on_with(workspace: Here) -> None:
    held = workspace.write("held", "")
    workspace.edit(
        "finance_tables.py",
        "    return orders.select",
        "    Path('began').touch()\n    while Path('held').exists(): time.sleep(0.05)\n    return orders.select",
    )
    workspace.edit(
        "finance_tables.py", "import polars as pl", "import time\nfrom pathlib import Path\nimport polars as pl"
    )

    with started(workspace, "backfill", "--json") as backfill:
        wait_until((workspace.folder / "began").exists, "the second location's part")
        asked = workspace.run("runs", "cancel", "latest", "--json")
        assert (asked.code, asked.json["status"]) == (0, "canceled")
        backfill.communicate()
    held.unlink()

    (run,) = workspace.run("runs", "list", "--json").json
    assert (run["status"], run["totals"]["materialized"], run["reason"].split(" by ")[0]) == ("canceled", 1, "canceled")
    assert workspace.run("runs", "retry", "latest", "--json").json["totals"]["materialized"] == 1
    assert {each["partitions"]["fresh"] for each in workspace.status().values()} == {1}
