"""A table of others that cannot be read: nothing is made from it until it can, and everything else goes on."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.errors import RunError
from tests.acceptance.conftest import Here, Project
from tests.acceptance.shop import TABLES, Shop

RATED = """
@dw.asset
def rated(rates: pl.LazyFrame) -> pl.LazyFrame:
    return rates.select("rate")
"""


READS_RATES = "rates: dw.LazyFrame[Rate]) -> pl.LazyFrame:\n    return orders"


@pytest.fixture
def made(project: Project) -> Shop:
    """Everything is made."""
    project.write("tables.py", TABLES + RATED)
    shop = Shop(Here(project.folder), project.folder.parent / "theirs")
    shop.order(1, 2, 3, 4, 5)
    shop.order(2)
    shop.rate(1.5)
    shop.backfill()
    return shop


@pytest.fixture
def broken(made: Shop) -> Shop:
    """Then a commit of `orders` is damaged, and `rates`, which others read too, changes."""
    commit(made, 1).write_text("damaged", "utf-8")
    made.rate(1.6)
    return made


def commit(shop: Shop, version: int) -> Path:
    return Path(shop.orders) / "_delta_log" / f"{version:020d}.json"


def test_the_status_of_everything_else_is_told(broken: Shop) -> None:
    found = broken.project.status()
    told = broken.project.run("status").out

    assert "version 1 of its log cannot be read" in found["orders"]["problem"]
    assert found["orders"]["version"] is None
    assert {asset: each.get("held_by") for asset, each in found.items()} == {
        "orders": None,
        "rates": None,
        "daily": "orders",
        "total": "orders",
        "rated": None,
    }
    assert found["rated"]["partitions"]["stale"] == 1
    assert found["daily"]["partitions"]["stale"] == 5, "for rates, which can be read"
    assert f"orders cannot be read: external table {broken.orders}: version 1 of its log" in told
    assert "daily, total: as far as is known without orders, which cannot be read" in told
    (row,) = (line.split() for line in told.splitlines() if line.startswith("orders  "))
    assert row == ["orders", "?", "5", *"?????"]
    assert "held_by" not in broken.project.status("rated")["rated"]


def test_a_backfill_makes_what_is_not_made_from_it(broken: Shop) -> None:
    planned = broken.project.run("plan", "--json")

    done = broken.project.run("backfill", "--json")

    assert planned.code == 0
    assert [step["asset"] for step in planned.json["steps"]] == ["rated"]
    assert list(planned.json["problems"]) == ["orders"]
    assert done.code == 1
    assert done.json["status"] == "failure"
    assert done.json["totals"] == {"materialized": 1, "failed": 1, "skipped": 6, "commits": 1}
    assert [failure["asset"] for failure in done.json["failures"]] == ["orders"]
    reasons = {left["asset"]: left["reason"] for left in done.json["left_out"]}
    assert reasons == {"daily": "orders cannot be read", "total": "orders cannot be read"}
    assert broken.project.status()["rated"]["partitions"]["fresh"] == 1


def test_what_does_not_hang_on_it_succeeds(broken: Shop) -> None:
    done = broken.project.run("backfill", "rated", "--json")

    assert done.code == 0
    assert done.json["failures"] == []


def test_a_table_with_other_columns_than_its_reader_relies_on_holds_only_what_is_below(made: Shop) -> None:
    made.project.edit("tables.py", "import polars as pl\n", "import pandera.polars as pa\nimport polars as pl\n")
    made.project.edit("tables.py", "days = ", "class Rate(pa.DataFrameModel):\n    rate: int\n\ndays = ")
    made.project.edit("tables.py", "rates: pl.LazyFrame) -> pl.LazyFrame:\n    return orders", READS_RATES)
    made.rate(1.6)

    planned = made.project.run("plan", "--json").json
    done = made.project.run("backfill", "--json")
    alone = made.project.run("backfill", "daily")

    problem = "column 'rate' is Float64, expected Int64"
    assert [step["asset"] for step in planned["steps"]] == ["rated"]
    assert problem in planned["problems"]["daily"]
    assert done.code == 1
    assert done.json["totals"] == {"materialized": 1, "failed": 1, "skipped": 6, "commits": 1}
    (failure,) = done.json["failures"]
    assert (failure["asset"], problem in failure["error"]) == ("daily", True)
    reason = "daily reads columns that are not as it expects"
    assert {left["asset"]: left["reason"] for left in done.json["left_out"]} == {"daily": reason, "total": reason}
    assert alone.code == 1
    assert f"failed: daily: external table {made.theirs}/rates (version 1): {problem}" in alone.out


def test_the_ledger_tells_of_what_was_held_back(broken: Shop) -> None:
    """Whether or not something else was made."""
    for command in ("backfill", "backfill daily"):
        done = broken.project.run(*command.split(), "--json").json
        latest = broken.project.run("runs", "show", "--json").json

        assert (latest["run_id"], latest["status"]) == (done["run_id"], "failure")
        assert [failure["asset"] for failure in latest["failures"]] == ["orders"]
        assert "version 1 of its log cannot be read" in latest["failures"][0]["error"]
    assert broken.project.status()["orders"]["partitions"]["failed"] == 0


@pytest.mark.parametrize("command", ["backfill daily", "materialize daily --partition 2024-01-01"])
def test_what_was_asked_for_and_held_back_is_a_failure(broken: Shop, command: str) -> None:
    done = broken.project.run(*command.split())

    assert done.code == 1
    assert f"failed: orders cannot be read: external table {broken.orders}" in done.out
    assert "left out: daily 2024-01-01" in done.out


def test_nothing_is_called_up_to_date_that_may_not_be(made: Shop) -> None:
    commit(made, 1).write_text("damaged", "utf-8")

    done = made.project.run("backfill")

    assert done.code == 1
    assert "Nothing to do: everything asked for is up to date, as far as that is known." in done.out
    assert "as far as that is known" in made.project.run("plan").out


def test_what_is_below_is_not_made_either_for_another_upstream(broken: Shop) -> None:
    """`daily` is fresh as far as is known, and would be moved by `rated`, which is planned."""
    broken.project.edit(
        "tables.py",
        "rates: pl.LazyFrame) -> pl.LazyFrame:\n    return orders",
        "rated: pl.LazyFrame) -> pl.LazyFrame:\n    return orders",
    )
    broken.project.edit("tables.py", "join(rates.", "join(rated.")
    commit(broken, 1).unlink()
    broken.backfill()
    broken.order(2)
    commit(broken, 1).write_text("damaged", "utf-8")
    broken.rate(1.7)

    done = broken.project.run("backfill", "--json").json

    assert done["totals"] == {"materialized": 1, "failed": 1, "skipped": 6, "commits": 1}
    assert [left["asset"] for left in done["left_out"]] == ["daily", "total"]


def test_why_tells_what_is_not_known(broken: Shop) -> None:
    of_daily, of_orders = (broken.project.run("why", asset, "--json").json for asset in ("daily", "orders"))

    assert (of_daily["problem"], of_daily["problems_above"]) == (None, {"orders": of_orders["problem"]})
    assert "version 1 of its log cannot be read" in of_orders["problem"]
    told = broken.project.run("why", "daily").out
    assert "orders cannot be read: external table" in told
    assert "daily: as far as is known without orders" in told
    assert broken.project.run("why", "orders").out.startswith("orders cannot be read: external table ")
    assert broken.project.run("why", "rated", "--json").json["problems_above"] == {}


def test_check_and_doctor_report_it(broken: Shop) -> None:
    checked, examined = broken.project.run("check", "--json"), broken.project.run("doctor", "--json")

    assert (checked.code, examined.code) == (2, 1)
    (problem,) = checked.json["problems"]
    assert (problem["kind"], problem["asset"]) == ("unreadable_table", "orders")
    assert problem["file"].endswith("tables.py")
    assert [(each["kind"], each["asset"]) for each in examined.json["problems"]] == [("unreadable", "orders")]
    assert broken.project.run("check", "rated").code == 0


def test_once_it_can_be_read_everything_is_as_before(made: Shop) -> None:
    before = made.found()
    path = commit(made, 1)
    content = path.read_bytes()

    path.write_text("damaged", "utf-8")
    assert made.found() != before
    path.write_bytes(content)

    assert made.found() == before


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('partition_by="day", group', 'partition_by="date", group', "is partitioned by 'day', but its asset orders"),
        (
            'partitions=days, partition_by="day", group',
            'partitions=dw.StaticPartitions(["a"]), partition_by="day", group',
            "one key is 'a'",
        ),
    ],
)
def test_a_table_that_is_partitioned_otherwise_holds_only_what_is_below(
    made: Shop, old: str, new: str, sentence: str
) -> None:
    made.project.edit("tables.py", old, new)
    made.project.edit(
        "tables.py",
        "def daily(orders: pl.LazyFrame,",
        "def daily(orders: Annotated[pl.LazyFrame, dw.Input(mapping=dw.AllPartitionsMapping())],",
    )
    made.project.edit("tables.py", "import polars as pl\n", "from typing import Annotated\nimport polars as pl\n")

    found = made.project.status()

    assert sentence in found["orders"]["problem"]
    assert found["total"]["held_by"] == "orders"
    assert found["rated"]["partitions"]["fresh"] == 1


FOLLOWING = """
currencies = dw.external_asset(
    "currencies", uri="../theirs/rates", partitions=dw.DynamicPartitions("known"), partition_by="currency"
)
followed = dw.DynamicPartitions.from_column("currencies", "currency")

@dw.asset(partitions=followed, partition_by="currency")
def by_currency(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"currency": [partition.key], "n": [1]})

@dw.asset
def free() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1]})
"""


def test_keys_that_follow_a_table_that_cannot_be_read_hold_only_what_hangs_on_them(made: Shop) -> None:
    made.project.write("tables.py", "import polars as pl\nimport deltaworks as dw\n" + FOLLOWING)
    assert made.project.run("partitions", "add", "currencies", "eur").code == 0
    assert made.project.run("backfill", "by_currency").code == 0
    (made.theirs / "rates" / "_delta_log" / f"{0:020d}.json").write_text("damaged", "utf-8")
    made.project.edit("tables.py", '"n": [1]})\n\n@dw', '"n": [2]})\n\n@dw')

    found = made.project.status()
    done = made.project.run("backfill", "--json")
    followers = made.project.run("backfill", "by_currency")

    assert found["by_currency"]["held_by"] == "currencies"
    assert (found["by_currency"]["partitions"]["total"], found["by_currency"]["partitions"]["undefined"]) == (1, 0)
    assert done.code == 1
    assert done.json["totals"] == {"materialized": 1, "failed": 1, "skipped": 1, "commits": 1}
    assert [failure["asset"] for failure in done.json["failures"]] == ["currencies"]
    assert followers.code == 1
    assert "left out: by_currency eur: currencies cannot be read" in followers.out
    assert [each["kind"] for each in made.project.run("doctor", "--json").json["problems"]] == ["unreadable"]


def test_python_raises_once_the_rest_is_made(broken: Shop) -> None:
    orders = dw.external_asset("orders", uri=broken.orders)
    rates = dw.external_asset("rates", uri=str(broken.theirs / "rates"))

    @dw.asset
    def counted(orders: pl.LazyFrame) -> pl.LazyFrame:
        return orders.select(pl.len().cast(pl.Int64))

    @dw.asset
    def rated(rates: pl.LazyFrame) -> pl.LazyFrame:
        return rates.select("rate")

    lake = broken.project.folder / "other-lake"
    with pytest.raises(RunError, match="version 1 of its log cannot be read"):
        dw.materialize([orders, rates, counted, rated], lake=lake)

    assert dw.read(rated, lake=lake).collect().item() == 1.6
    assert not (lake / "counted").exists()
