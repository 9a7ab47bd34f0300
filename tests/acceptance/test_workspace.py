"""A workspace: two code locations, one lake, one graph; the code of neither is ever in the host."""

from __future__ import annotations

import datetime as dt
import os
import sys
from contextlib import closing
from typing import Any

import pytest

from deltaworks.engine.automation.asking import ask, described
from deltaworks.engine.automation.location_load import load_surroundings
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.engine.workspace.project import Origin
from tests.acceptance.conftest import Here

SETTINGS = """
lake = "./lake"

[[locations]]
name = "shop"
modules = ["shop_tables"]
working_directory = "shop"
environment = { TOKEN = "canary-of-the-shop" }

[[locations]]
name = "finance"
modules = ["finance_tables"]
working_directory = "finance"
environment = { KEY = { env = "FINANCE_KEY" } }
"""

SHOP = """
import os
import deltaworks as dw
import pandera.polars as pa
import polars as pl

class Order(pa.DataFrameModel):
    day: pl.Date
    amount: float = pa.Field(ge=0)
    seen: str

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")
print("something on stdout " * 20_000)

@dw.asset(partitions=days, partition_by="day")
def orders(partition: dw.Partition) -> dw.LazyFrame[Order]:
    seen = f"{os.environ.get('TOKEN')} {os.environ.get('KEY')} {os.environ.get('FINANCE_KEY')}"
    print("ordering")
    return pl.LazyFrame({"day": [partition.start], "amount": [1.0], "seen": [seen]})

@dw.asset_check(asset=orders)
def not_too_many(result: dw.LazyFrame[Order]) -> bool:
    return result.collect().height < 10

@dw.asset
def closing(report: pl.LazyFrame) -> pl.LazyFrame:
    return report.select(pl.col("amount").sum())
"""

FINANCE = """
import os
import deltaworks as dw
import pandera.polars as pa
import polars as pl

class Ordered(pa.DataFrameModel):
    day: pl.Date
    amount: float

class Total(pa.DataFrameModel):
    day: pl.Date
    amount: float
    seen: str

def same_day(key: str) -> list[str]:
    return [key]

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")

@dw.asset(partitions=days, partition_by="day")
def totals(orders: dw.Annotated[dw.LazyFrame[Ordered], dw.Input(mapping=same_day)]) -> dw.LazyFrame[Total]:
    seen = f"{os.environ.get('TOKEN')} {os.environ.get('KEY')}"
    return orders.group_by("day").agg(pl.col("amount").sum()).with_columns(seen=pl.lit(seen))

@dw.asset
def report(totals: dw.LazyFrame[Total]) -> pl.LazyFrame:
    return totals.select("day", "amount")

every = dw.define_asset_job("every")
""".replace("dw.Annotated", "Annotated").replace("import os\n", "import os\nfrom typing import Annotated\n")


@pytest.fixture
def workspace(here: Here, monkeypatch: pytest.MonkeyPatch) -> Here:
    monkeypatch.setenv("XDG_CACHE_HOME", str(here.folder / "cache"))
    monkeypatch.setenv("FINANCE_KEY", "canary-of-finance")
    here.write("deltaworks.toml", SETTINGS)
    for name, text in (("shop", SHOP), ("finance", FINANCE)):
        (here.folder / name).mkdir()
        here.write(f"{name}/{name}_tables.py", text)
    return here


def fresh(workspace: Here) -> dict[str, int]:
    return {asset: each["partitions"]["fresh"] for asset, each in workspace.status().items()}


def rows(workspace: Here, asset: str) -> list[dict[str, Any]]:
    shown = workspace.run("show", asset, "--json")
    found: list[dict[str, Any]] = shown.json["rows"]
    return found


def test_one_run_makes_tables_of_both_and_what_changes_in_one_is_seen_in_the_other(workspace: Here) -> None:
    made = workspace.run("backfill", "--json")

    assert made.code == 0, made.err
    assert made.json["totals"] == {"materialized": 8, "failed": 0, "skipped": 0, "commits": 4}
    assert fresh(workspace) == {"orders": 3, "totals": 3, "report": 1, "closing": 1}
    (run,) = workspace.run("runs", "list", "--json").json
    assert (run["run_id"], run["status"]) == (made.json["run_id"], "success")
    assert workspace.run("history", "totals", "--json").json[0]["inputs"] == {"orders": 1}
    # Neither knows what the other was given, and the host knows neither's code.
    assert {row["seen"] for row in rows(workspace, "orders")} == {"canary-of-the-shop None None"}
    assert {row["seen"] for row in rows(workspace, "totals")} == {"None canary-of-finance"}
    assert not {"shop_tables", "finance_tables"} & set(sys.modules)
    settings = workspace.run("settings")
    assert "canary" not in settings.out
    assert "ordering" in workspace.run("runs", "logs", "latest").out + workspace.run("runs", "logs", "latest").err

    workspace.edit("shop/shop_tables.py", '"amount": [1.0]', '"amount": [2.0]')

    status = workspace.status()
    assert [each["partitions"]["stale"] for each in status.values()] == [3, 3, 1, 1]
    assert workspace.run("why", "closing").out.count("orders") >= 1
    assert [each["asset"] for each in workspace.run("plan", "--json").json["steps"]] == list(status)


def test_what_fails_or_dies_in_one_location_blocks_what_others_make_of_it(workspace: Here) -> None:
    workspace.edit("shop/shop_tables.py", '"amount": [1.0]', '"amount": [1.0 if partition.start.day > 1 else -1.0]')
    workspace.edit(
        "finance/finance_tables.py", "    return orders.group", "    os.kill(os.getpid(), 9)\n    return orders.group"
    )

    made = workspace.run("backfill", "--json")

    assert made.code == 1
    failed = {(each["asset"], each["partition"]): each["error"] for each in made.json["failures"]}
    assert set(failed) == {("orders", "2024-01-01"), ("totals", "2024-01-02"), ("totals", "2024-01-03")}
    assert failed["totals", "2024-01-02"].startswith("location 'finance': its process was killed by signal 9")
    assert made.json["totals"] == {"materialized": 2, "failed": 3, "skipped": 3, "commits": 1}
    assert {(each["asset"], each["because"]) for each in made.json["blocked"]} == {
        ("totals", "orders 2024-01-01"),
        ("report", "totals 2024-01-01"),
        ("closing", "report"),
    }
    assert {asset: each["partitions"]["failed"] for asset, each in workspace.status().items()} == {
        "orders": 1,
        "totals": 2,
        "report": 0,
        "closing": 0,
    }


OPS = """
import deltaworks as dw
import polars as pl

@dw.asset
def numbers() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1, 2]})

@dw.op
def announce() -> None:
    print("announced by its own interpreter")

@dw.job
def announcing():
    announce()

@dw.schedule(job=announcing, cron="0 6 * * *")
def daily(tick: dw.Tick) -> dw.RunRequest:
    return dw.RunRequest(tags={"day": f"{tick.scheduled_at:%Y-%m-%d}"})
"""


def test_what_needs_the_code_of_a_location_is_done_by_its_interpreter(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(here.folder / "cache"))
    here.write("deltaworks.toml", '[[locations]]\nname = "only"\nmodules = ["only_ops"]\n')
    here.write("only_ops.py", OPS)
    os.utime(here.folder / "only_ops.py", (1, 1))  # what was written a moment ago is loaded again the next time

    ran = here.run("job", "run", "announcing", "--json")

    assert (ran.code, ran.json["status"], ran.json["totals"]["steps"]) == (0, "success", 1)
    (location,) = here.run("list", "locations", "--json").json["locations"]
    assert (location["location"], location["assets"], location["is_cached"], location["fault"]) == (
        "only",
        1,
        True,
        None,
    )
    assert here.run("list", "jobs", "--json").json["jobs"][0]["job"] == "announcing"
    assert here.run("list", "--location", "other").sentence == "there is no location 'other'; there are only"

    around = load_surroundings(Origin(here.folder))

    with closing(around):
        noon = dt.datetime(2024, 1, 5, 12, tzinfo=dt.UTC)
        evaluation = ask(around, Tick("daily", noon))
    assert [(each.job, each.tags) for each in evaluation.requests] == [("announcing", {"day": "2024-01-05"})]
    assert [each.name for each in described(around.definitions)] == ["daily"]
    assert "only_ops" not in sys.modules
