"""External assets in all that Delta allows their writers: spellings, features, deleted rows, older versions."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

from deltaworks.errors import RequestError
from tests.acceptance.conftest import Project
from tests.acceptance.shop import Shop, days, open_shop
from tests.io.deletion import delete_rows


@pytest.fixture
def shop(project: Project) -> Shop:
    return open_shop(project)


def test_hours_are_told_however_their_writer_spells_them(shop: Shop) -> None:
    shop.project.write(
        "tables.py",
        """
import polars as pl
import deltaworks as dw

hours = dw.HourlyPartitions(start="2024-03-31T00:00", end="2024-03-31T06:00", timezone="Europe/Berlin")
events = dw.external_asset("events", uri="../theirs/events", partitions=hours, partition_by="hour")

@dw.asset(partitions=hours, partition_by="hour")
def counted(events: pl.LazyFrame) -> pl.LazyFrame:
    return events.group_by("hour").agg(pl.len().cast(pl.Int64))
""",
    )
    hours = [dt.datetime(2024, 3, 31, hour, tzinfo=dt.UTC) for hour in range(3)]
    events = str(shop.theirs / "events")
    write_deltalake(events, pl.DataFrame({"hour": hours, "n": [1, 2, 3]}), partition_by=["hour"])
    assert shop.backfill()["materialized"] == 3

    write_deltalake(events, pl.DataFrame({"hour": hours[:1], "n": [4]}), mode="append")

    assert shop.found()["counted"]["stale"] == ["2024-03-31T01:00+01:00"]
    assert shop.found()["counted"]["fresh"] == ["2024-03-31T03:00+02:00..2024-03-31T04:00+02:00"]


def test_a_table_by_an_older_writer_is_an_upstream_by_each_of_its_dimensions(shop: Shop) -> None:
    shutil.copytree(Path(__file__).parents[1] / "io" / "theirs" / "orders", shop.theirs / "old")
    shop.project.write(
        "tables.py",
        """
import polars as pl
import deltaworks as dw

cut = dw.MultiPartitions(
    {
        "day": dw.DailyPartitions(start="2024-01-01", end="2024-01-03"),
        "city": dw.StaticPartitions(["São Paulo", "a b/c%20=d", "Ulm"]),
    }
)
orders = dw.external_asset("orders", uri="../theirs/old", partitions=cut, partition_by=["day", "city"])

@dw.asset(partitions=cut, partition_by=["day", "city"])
def priced(orders: pl.LazyFrame) -> pl.LazyFrame:
    return orders.select("day", "city", "id", "price", "seen_at")
""",
    )

    assert shop.backfill()["materialized"] == 3

    rows = pl.read_delta(str(shop.project.lake / "priced")).sort("id")
    assert rows.select("city", "id").rows() == [("São Paulo", 2), ("a b/c%20=d", 3), ("Ulm", 5)]
    assert shop.project.status()["orders"]["partitions"]["undefined"] == 1
    shown = shop.project.run("show", "orders", "--sql", "SELECT labels, lines FROM orders WHERE id = 5", "--json")
    assert shown.json["rows"] == [{"labels": {"k": "5"}, "lines": [{"sku": "s5", "n": 5}, {"sku": None, "n": None}]}]
    shop.project.edit(
        "tables.py",
        'partitions=cut, partition_by=["day", "city"])\n\n',
        "partitions=dw.MultiPartitions("
        '{"city": dw.StaticPartitions(["Ulm"]), "day": dw.DailyPartitions(start="2024-01-01")}), '
        'partition_by=["city", "day"])\n\n',
    )
    problem = shop.project.status()["orders"]["problem"]
    assert "is partitioned by 'day', 'city', but its asset orders" in problem
    assert "says partition_by 'city', 'day'" in problem


def test_what_cannot_be_read_right_is_not_read(shop: Shop) -> None:
    shop.backfill()
    log = Path(shop.theirs) / "rates" / "_delta_log" / f"{0:020d}.json"
    text = log.read_text(encoding="utf-8")
    log.write_text(text.replace('"configuration":{}', '"configuration":{"delta.columnMapping.mode":"name"}'), "utf-8")

    refused = shop.project.run("show", "rates")
    done = shop.project.run("backfill", "--only", "all", "--json")

    assert refused.code == 2
    assert "table rates maps its columns to other names in its files" in refused.sentence
    assert done.code == 1
    assert [failure["asset"] for failure in done.json["failures"]] == ["rates"]
    assert done.json["totals"]["materialized"] == 0


def test_deleted_rows_are_gone_for_what_is_made_from_them(shop: Shop) -> None:
    shop.backfill()

    delete_rows(Path(shop.orders), "2024-01-03", [0])

    assert shop.found()["daily"]["stale"] == days(3)
    assert shop.project.run("backfill", "daily", "--partition", "2024-01-03").code == 0
    left = pl.read_delta(str(shop.project.lake / "daily")).filter(pl.col("day") == dt.date(2024, 1, 3))
    assert left.height == 0
    assert shop.project.run("diff", "orders@v1", "orders", "--json").json["rows"]["only_a"] == 1


def test_doctor_complains_of_what_cannot_be_read_and_not_of_others_properties(shop: Shop) -> None:
    shop.backfill()
    assert shop.project.run("doctor", "--json").json == {"ok": True, "problems": [], "repaired": []}
    next((Path(shop.orders) / "day=2024-01-03").glob("*.parquet")).unlink()

    (problem,) = shop.project.run("doctor", "--json").json["problems"]

    assert (problem["kind"], problem["asset"]) == ("missing_files", "orders")
    assert problem["repair"] == f"ask those who write {shop.orders}"


def test_read_and_materialize_from_python(shop: Shop) -> None:
    import deltaworks as dw

    outside = dw.external_asset("outside", uri=shop.orders)

    @dw.asset
    def summed(outside: pl.LazyFrame) -> pl.LazyFrame:
        return outside.select(pl.col("amount").sum())

    lake = shop.project.folder / "other-lake"
    dw.materialize([outside, summed], lake=lake)

    assert dw.read(summed, lake=lake).collect().item() == 5.0
    assert dw.read(outside, lake=lake, version=0).collect().height == 3
    with pytest.raises(RequestError, match="outside is not made by a function: others write it"):
        outside()
    assert dw.diff(outside, outside, lake=lake).is_equal
