"""Others write to the tables of a lake, or beside it, with delta-rs: their commits are seen, and kept."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from tests.stores.home import CHAIN, Housed, day

SHOP = """
orders = dw.external_asset("orders", uri="{orders}", partitions=days, partition_by="day")

@dw.asset(partitions=days, partition_by="day")
def daily(orders: pl.LazyFrame) -> pl.LazyFrame:
    return orders.group_by("day").agg(pl.col("n").sum())
"""


def shop(housed: Housed) -> Housed:
    """A project that reads a table which somebody else writes beside its lake."""
    housed.home.append("theirs/orders", pl.concat([day(1, 1), day(2, 2)]), partition_by=["day"])
    return housed.given(SHOP.replace("{orders}", housed.home.uri("theirs/orders")))


@pytest.mark.telling
def test_what_others_append_is_external_and_makes_its_children_stale(housed: Housed) -> None:
    housed.given(CHAIN)
    housed.did("backfill")

    housed.home.append("lake/base", day(2, 20))

    assert housed.counts("base") == {"fresh": 4, "external": 1}
    assert housed.ranges("child", "stale") == ["2024-01-02"]
    assert "outside" in housed.said("why", "child", "--partition", "2024-01-02")
    housed.did("backfill")
    assert sorted(row[1] for row in housed.rows("child")) == [2, 4, 6, 8, 10, 40]


def test_what_others_delete_is_missing_and_made_again(housed: Housed) -> None:
    housed.given(CHAIN)
    housed.did("backfill")

    housed.home.table("lake/base").delete("day = '2024-01-04'")

    assert housed.counts("base") == {"fresh": 4, "missing": 1}
    assert housed.did("backfill")["totals"]["materialized"] == 3
    assert housed.rows("base") == [(dt.date(2024, 1, n), n) for n in range(1, 6)]


def test_what_others_compact_is_as_it_was(housed: Housed) -> None:
    housed.given(CHAIN)
    housed.did("backfill", "base", "child")
    for number in (7, 8):
        housed.home.append("lake/base", day(1, number))
    housed.did("backfill", "base", "child")
    before = housed.status("--partitions")

    assert housed.home.table("lake/base").optimize.compact()["numFilesRemoved"] == 3

    after = housed.status("--partitions")
    assert [after[asset]["ranges"] for asset in ("base", "child")] == [
        before[asset]["ranges"] for asset in ("base", "child")
    ]


def test_a_table_of_others_is_followed(housed: Housed) -> None:
    shop(housed)
    housed.did("backfill")
    assert [row[1] for row in housed.rows("daily")] == [1, 2]

    housed.home.append("theirs/orders", day(2, 40))

    assert housed.counts("orders") == {"external": 2, "missing": 3}
    assert housed.ranges("daily", "stale") == ["2024-01-02"]
    housed.did("backfill")
    assert [row[1] for row in housed.rows("daily")] == [1, 42]


def test_nothing_is_written_beside_what_others_write(housed: Housed) -> None:
    shop(housed)
    before = housed.home.objects("theirs")

    housed.did("backfill")
    for command in ("status", "plan", "history orders", "show orders", "doctor", "maintain", "doctor --rebuild-index"):
        housed.said(*command.split())

    assert housed.home.objects("theirs") == before


def test_a_table_of_others_that_was_dropped_and_made_again_is_not_the_one_that_was_read(housed: Housed) -> None:
    shop(housed)
    housed.did("backfill")

    housed.home.delete(*housed.home.objects("theirs"))
    assert housed.counts("orders") == {"missing": 5}
    housed.home.append("theirs/orders", pl.concat([day(1, 1), day(2, 2)]), partition_by=["day"])

    assert housed.ranges("daily", "stale") == ["2024-01-01..2024-01-02"]
    assert "is not the one that was read" in housed.said("why", "daily", "--partition", "2024-01-01")


def test_a_table_of_others_whose_log_was_shortened_is_followed_on(housed: Housed) -> None:
    shop(housed)
    housed.home.append("theirs/orders", day(1, 10))
    housed.did("backfill")
    housed.home.table("theirs/orders").create_checkpoint()
    housed.home.delete(f"theirs/orders/_delta_log/{0:020d}.json")

    housed.home.append("theirs/orders", day(3, 3))

    assert housed.ranges("daily", "missing") == ["2024-01-03..2024-01-05"]
    housed.did("backfill")
    assert [row[1] for row in housed.rows("daily")] == [11, 2, 3]


def test_a_table_that_was_there_is_adopted(housed: Housed) -> None:
    housed.home.append("lake/base", pl.concat([day(1, 7), day(2, 8)]), partition_by=["day"])
    housed.given(CHAIN)
    assert housed.run("doctor").code == 1

    adopted = housed.did("adopt", "base")

    assert adopted["version"] == 1
    assert housed.did("adopt", "base")["changed"] == []
    assert housed.counts("base") == {"external": 2, "missing": 3}
    assert housed.did("backfill")["totals"]["materialized"] == 3 + 5 + 1
    assert housed.rows("base") == [(dt.date(2024, 1, n), n if n > 2 else n + 6) for n in range(1, 6)]
    assert housed.run("doctor").code == 0
