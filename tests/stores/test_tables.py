"""Tables are made, read and explained alike wherever the lake lies."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from tests.stores.home import CHAIN, DAYS, Housed


@pytest.mark.telling
def test_a_backfill_makes_every_partition_once_and_others_read_it(housed: Housed) -> None:
    housed.given(CHAIN)

    done = housed.did("backfill")

    assert (done["status"], done["totals"]["materialized"], done["totals"]["failed"]) == ("success", 11, 0)
    assert housed.rows("base") == [(dt.date(2024, 1, n), n) for n in range(1, 6)]
    assert housed.rows("child") == [(dt.date(2024, 1, n), 2 * n) for n in range(1, 6)]
    assert housed.rows("total") == [(30,)]
    for asset, keys in (("base", DAYS), ("child", DAYS), ("total", [""])):
        assert sorted(housed.home.made(f"lake/{asset}")) == [(key, done["run_id"]) for key in keys]
    assert housed.did("plan")["steps"] == []
    assert housed.did("backfill")["totals"]["materialized"] == 0
    assert housed.held() == []


def test_on_an_absent_lake_everything_is_missing_and_nothing_is_written(housed: Housed) -> None:
    housed.given(CHAIN)

    assert housed.counts("base") == {"missing": 5}
    assert housed.did("plan")["totals"]["partitions"] == 11
    assert housed.did("runs", "list") == []
    assert housed.did("doctor")["problems"] == []
    assert housed.run("maintain").code == 0

    assert housed.home.objects() == {}


def test_a_range_is_made_and_the_rest_stays_missing(housed: Housed) -> None:
    housed.given(CHAIN)

    housed.did("backfill", "base", "child", "--from", "2024-01-02", "--to", "2024-01-03")

    assert housed.counts("child") == {"fresh": 2, "missing": 3}
    assert housed.ranges("child", "fresh") == ["2024-01-02..2024-01-03"]
    assert [row[1] for row in housed.rows("child")] == [4, 6]


def test_partitions_land_together_in_few_commits(housed: Housed) -> None:
    housed.given(CHAIN)

    totals = housed.did("backfill", "base")["totals"]

    assert totals["materialized"] == 5
    assert totals["commits"] == len(housed.home.records("lake/base")) < 5


def test_changed_code_makes_stale_what_is_made_by_it_and_below(housed: Housed) -> None:
    housed.given(CHAIN)
    housed.did("backfill")

    housed.edit("tables.py", 'pl.col("n") * 2', 'pl.col("n") * 3')

    assert [housed.counts(asset) for asset in ("base", "child", "total")] == [{"fresh": 5}, {"stale": 5}, {"stale": 1}]
    assert "code" in housed.said("why", "child", "--partition", "2024-01-01")
    assert housed.did("backfill")["totals"]["materialized"] == 6
    assert housed.rows("total") == [(45,)]


@pytest.mark.telling
def test_a_day_that_is_made_anew_makes_exactly_its_children_stale(housed: Housed) -> None:
    housed.given(CHAIN)
    housed.did("backfill")

    again = housed.did("materialize", "base", "--partition", "2024-01-03")

    assert housed.counts("child") == {"fresh": 4, "stale": 1}
    assert housed.ranges("child", "stale") == ["2024-01-03"]
    history = housed.did("history", "base")
    assert (history[0]["run_id"], history[0]["partitions"]["ranges"]) == (again["run_id"], [["2024-01-03"] * 2])
    assert housed.did("backfill")["totals"]["materialized"] == 2
    assert housed.counts("total") == {"fresh": 1}


KEYS = ["a b", "50%", "x=y", "ü/é", "it's", "a%2Fb", "..", "日本"]

HAZARDS = f"""
@dw.asset(partitions=dw.StaticPartitions({KEYS!r}), partition_by="key")
def by_key(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({{"key": [partition.key], "n": [len(partition.key)]}})

@dw.asset(partitions=dw.StaticPartitions({KEYS!r}), partition_by="key")
def after(by_key: pl.LazyFrame) -> pl.LazyFrame:
    return by_key
"""


def test_keys_of_every_kind_come_back_as_they_were(housed: Housed) -> None:
    housed.given(HAZARDS)

    housed.did("backfill")
    housed.did("materialize", "by_key", "--partition", "50%", "--partition", "ü/é")

    assert set(housed.rows("by_key")) == set(housed.rows("after")) == {(key, len(key)) for key in KEYS}
    assert housed.counts("by_key") == {"fresh": len(KEYS)}
    assert housed.counts("after") == {"fresh": len(KEYS) - 2, "stale": 2}


BROKEN = """
@dw.asset(partitions=days, partition_by="day")
def fragile(partition: dw.Partition) -> LazyFrame[Row]:
    if partition.key == (HERE / "broken").read_text():
        raise ValueError("no such day")
    return rows(partition)
"""


def test_a_day_that_fails_leaves_the_others_and_is_made_when_it_can_be(housed: Housed) -> None:
    housed.given(BROKEN)
    housed.write("broken", "2024-01-02")

    failed = housed.run("backfill", "--json")

    assert (failed.code, failed.json["totals"]["materialized"], failed.json["totals"]["failed"]) == (1, 4, 1)
    assert housed.counts("fragile") == {"fresh": 4, "missing": 1, "failed": 1}
    housed.write("broken", "")
    assert housed.did("backfill", "--only", "failed")["totals"]["materialized"] == 1
    assert housed.counts("fragile") == {"fresh": 5}


RANGES = """
@dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.ranges(max_partitions=3))
def wide(partition: dw.Partition) -> LazyFrame[Row]:
    df = pl.DataFrame({"day": pl.date_range(dt.date(2024, 1, 1), dt.date(2024, 1, 5), eager=True)})
    df = df.join(pl.DataFrame({"n": range(20_000)}), how="cross").with_columns(pl.col("n").cast(pl.Int64))
    return df.lazy().filter(partition.contains("day"))
"""


def test_ranges_are_streamed_into_files_of_their_days(housed: Housed) -> None:
    housed.given(RANGES)

    housed.did("backfill")

    df = pl.read_delta(housed.home.table("lake/wide"))
    counted = df.group_by("day").agg(pl.len(), pl.col("n").sum()).sort("day")
    assert counted["len"].to_list() == [20_000] * 5
    assert counted["n"].to_list() == [199_990_000] * 5


def test_tasks_in_processes_write_to_the_same_place(housed: Housed) -> None:
    housed.given(CHAIN)

    done = housed.did("backfill", "--executor", "processes", "--workers", "2")

    assert done["totals"]["materialized"] == 11
    assert housed.rows("total") == [(30,)]


def test_versions_are_shown_compared_and_made_again(housed: Housed) -> None:
    housed.given(CHAIN)
    housed.did("backfill")
    first = housed.home.table("lake/base").version()
    housed.edit("tables.py", "partition.start.day)", "partition.start.day + (partition.start.day == 2))")
    housed.did("backfill", "base")

    shown = housed.did("show", "base", "--partition", "2024-01-02")["rows"]
    summed = housed.did("show", "base", "--sql", "select sum(n) as n from base")["rows"]
    differs = housed.run("diff", f"base@v{first}", "base", "--key", "day", "--json")
    verified = housed.run("rerun", f"base@v{first + 1}", "--verify", "--json")

    assert shown == [{"day": "2024-01-02", "n": 3}]
    assert summed == [{"n": 16}]
    assert (differs.code, verified.code) == (1, 0), differs.err + verified.err
    assert "2024-01-02" in differs.out


RUNNING = """
@dw.asset(partitions=days, partition_by="day")
def running(base: LazyFrame[Row], before: dw.Previous[Row]) -> LazyFrame[Row]:
    past = before.select(pl.col("n").sum().alias("past"))
    return base.join(past, how="cross").select("day", pl.col("n") + pl.col("past"))
"""


def test_each_day_reads_the_day_before_it(housed: Housed) -> None:
    housed.given(CHAIN + RUNNING)

    housed.did("backfill", "base", "running")

    assert [row[1] for row in housed.rows("running")] == [1, 3, 6, 10, 15]


def test_a_contract_that_is_broken_makes_nothing_visible(housed: Housed) -> None:
    housed.given(CHAIN)
    housed.did("backfill", "base")
    before = housed.rows("base")
    housed.edit("tables.py", "    n: int\n", "    n: int = pa.Field(lt=4)\n")

    failed = housed.run("materialize", "base", "--json")

    assert failed.json["totals"]["failed"] == 2
    assert "n: lt(4) failed for 1 row" in failed.json["failures"][0]["error"]
    assert housed.rows("base") == before
