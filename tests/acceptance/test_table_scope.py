"""A value may have to be unique in the whole table, not only in its partition."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.acceptance.conftest import Here, Project

MODULE = """
from pathlib import Path

import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-07")


class Order(pa.DataFrameModel):
    day: pl.Date
    number: int = pa.Field(unique=True)

    class Config:
        metadata = {"unique_scope": "table"}


@dw.asset(partitions=days, partition_by="day")
def orders(partition: dw.Partition) -> LazyFrame[Order]:
    return pl.scan_parquet(Path(__file__).parent / "orders.parquet").filter(partition.contains("day"))
"""


OTHER = """
@dw.asset(partitions=days, partition_by="day")
def other(partition: dw.Partition) -> dw.LazyFrame:
    return pl.LazyFrame({"day": [partition.start], "n": [1]})
"""


def given(project: Project, **numbers: list[int]) -> None:
    rows = [
        (dt.date(2024, 1, day), number)
        for day in range(1, 7)
        for number in numbers.get(f"day_{day}", [day * 10, day * 10 + 1])
    ]
    pl.DataFrame(rows, schema={"day": pl.Date, "number": pl.Int64}, orient="row").write_parquet(
        project.folder / "orders.parquet"
    )


def not_passed(project: Project) -> list[dict[str, Any]]:
    """What the table's latest record says of rules that did not pass."""
    latest, *_ = DeltaTable(str(project.lake / "orders")).history(1)
    record = latest["deltaworks"]
    return (json.loads(record) if isinstance(record, str) else record)["checks"]["not_passed"]


@pytest.fixture
def shop(here: Here) -> Project:
    project = replace(here, module="shop.py")
    project.write("shop.py", MODULE)
    return project


@pytest.mark.parametrize("one_by_one", [False, True], ids=["in one backfill", "day by day"])
def test_the_later_of_two_partitions_with_the_same_value_fails(shop: Project, one_by_one: bool) -> None:
    given(shop, day_2=[10, 20], day_4=[20, 40], day_5=[40, 50])

    if one_by_one:
        runs = [shop.run("backfill", "--partition", f"2024-01-0{day}", "--json") for day in range(1, 7)]
    else:
        runs = [shop.run("backfill", "--json")]

    failures = {each["partition"]: each["error"] for run in runs for each in run.json["failures"]}
    assert list(failures) == ["2024-01-02", "2024-01-05"]
    assert failures["2024-01-02"] == (
        "orders 2024-01-02: number: unique failed for 1 row (samples: 10), since other partitions of the table have "
        "the same values. Nothing was committed for it."
    )
    assert pl.read_delta(str(shop.lake / "orders"))["number"].is_unique().all()


def test_a_partition_may_be_made_again_with_its_own_values(shop: Project) -> None:
    given(shop)
    shop.run("backfill")

    again = shop.run("materialize", "orders", "--json")

    assert again.code == 0, again.err
    assert again.json["totals"]["materialized"] == 6


def test_rows_that_others_wrote_count(shop: Project) -> None:
    given(shop)
    shop.run("backfill", "--from", "2024-01-01", "--to", "2024-01-02")
    outside = pl.DataFrame({"day": [dt.date(2024, 1, 6)], "number": [30]})
    write_deltalake(str(shop.lake / "orders"), outside, mode="append")

    done = shop.run("backfill", "--json")

    assert [each["partition"] for each in done.json["failures"]] == ["2024-01-03"]


def test_rows_that_cannot_be_read_fail_the_partitions_and_nothing_else(shop: Project) -> None:
    given(shop)
    shop.write("shop.py", MODULE + OTHER)
    shop.run("backfill")
    (file,) = (shop.lake / "orders" / "day=2024-01-03").iterdir()
    file.unlink()

    done = shop.run("materialize", "orders", "other", "--partition", "2024-01-01", "--json")

    assert (done.code, done.json["totals"]["materialized"]) == (1, 1)
    (failure,) = done.json["failures"]
    assert failure["error"].startswith("orders: 'unique' is judged over the whole table, and its rows cannot be read")
    assert file.name in failure["error"]


def test_a_warning_is_told_and_recorded_and_lets_the_partition_pass(shop: Project) -> None:
    given(shop, day_2=[10, 20], day_4=[20, 40])
    shop.edit("shop.py", "pa.Field(unique=True)", 'pa.Field(unique=True, metadata={"on_fail": "warn"})')

    done = shop.run("backfill", "--json")

    assert done.code == 0, done.err
    assert pl.read_delta(str(shop.lake / "orders")).filter(number=10).height == 2
    assert done.err.count("warning: ") == 2
    assert "warning: orders 2024-01-04: number: unique failed for 1 row (samples: 20), since other" in done.err
    assert "warning: orders 2024-01-02: number: unique failed for 1 row (samples: 10), since other" in done.err
    assert [(each["partition"], each["rule"]) for each in not_passed(shop)] == [
        ("2024-01-02", "unique"),
        ("2024-01-04", "unique"),
    ]


def test_what_a_rule_refuses_takes_no_value_of_another_rule(shop: Project) -> None:
    shop.edit("shop.py", "pa.Field(unique=True)", "pa.Field(unique=True)\n    code: int = pa.Field(unique=True)")
    rows = [(1, 10, 1), (2, 10, 2), (3, 30, 2)]  # day 2 has a number of day 1, and so no code that day 3 might want
    pl.DataFrame(
        [(dt.date(2024, 1, day), number, code) for day, number, code in rows],
        schema={"day": pl.Date, "number": pl.Int64, "code": pl.Int64},
        orient="row",
    ).write_parquet(shop.folder / "orders.parquet")

    done = shop.run("backfill", "--json")

    assert [each["partition"] for each in done.json["failures"]] == ["2024-01-02"]


def test_a_rollback_is_judged_with_what_the_table_holds_now(shop: Project) -> None:
    given(shop)
    shop.run("backfill")
    before = DeltaTable(str(shop.lake / "orders")).version()
    given(shop, day_2=[70, 71], day_4=[20, 41])  # day 4 has a number that day 2 had
    shop.run("materialize", "orders", "--partition", "2024-01-02")
    shop.run("materialize", "orders", "--partition", "2024-01-04")

    one = shop.run("rollback", "orders", "--to", f"v{before}", "--partition", "2024-01-02", "--json")
    together = shop.run("rollback", "orders", "--to", f"v{before}")

    reason = (
        "orders 2024-01-02: number: unique failed for 1 row (samples: 20), since other partitions of the table have "
        "the same values. Nothing was committed for it."
    )
    assert one.code == 1
    assert (one.json["status"], one.json["version"]) == ("failure", None)
    assert [(each["partition"], each["error"]) for each in one.json["failures"]] == [("2024-01-02", reason)]
    assert together.code == 0, together.out
    assert pl.read_delta(str(shop.lake / "orders")).filter(day=dt.date(2024, 1, 2))["number"].to_list() == [20, 21]


def test_a_rollback_warns_of_what_is_only_to_warn_of(shop: Project) -> None:
    shop.edit("shop.py", "pa.Field(unique=True)", 'pa.Field(unique=True, metadata={"on_fail": "warn"})')
    given(shop)
    shop.run("backfill")
    before = DeltaTable(str(shop.lake / "orders")).version()
    given(shop, day_2=[70, 71], day_4=[20, 41])
    shop.run("materialize", "orders", "--partition", "2024-01-02", "--partition", "2024-01-04")

    done = shop.run("rollback", "orders", "--to", f"v{before}", "--partition", "2024-01-02")

    assert done.code == 0, done.err
    assert "warning: orders 2024-01-02: number: unique failed for 1 row (samples: 20), since other" in done.out
    assert [each["partition"] for each in not_passed(shop)] == ["2024-01-02"]


def test_a_column_that_only_cuts_the_table_keeps_no_rule_from_being_judged(shop: Project) -> None:
    shop.edit("shop.py", 'partition_by="day"', 'partition_by=pl.col("day").alias("cut")')
    shop.edit(
        "shop.py", 'metadata = {"unique_scope": "table"}', 'metadata = {"unique_scope": "table"}\n        strict = True'
    )
    given(shop, day_2=[10, 20])

    done = shop.run("backfill", "--json")

    assert [each["partition"] for each in done.json["failures"]] == ["2024-01-02"], done.err


def test_such_a_rule_cannot_leave_rows_out(shop: Project) -> None:
    given(shop)
    shop.edit("shop.py", "pa.Field(unique=True)", 'pa.Field(unique=True, metadata={"on_fail": "drop"})')

    refused = shop.run("check")

    assert refused.code != 0
    assert "unique is judged over the whole table, so no rows can be left out by 'drop'" in refused.out + refused.err


def test_rows_that_come_back_are_judged_so_too(shop: Project) -> None:
    given(shop, day_1=[-7, 10], day_2=[-7, 20])
    shop.edit(
        "shop.py", "pa.Field(unique=True)", 'pa.Field(unique=True, ge=0, metadata={"on_fail": {"ge": "quarantine"}})'
    )
    shop.run("backfill")
    shop.edit("shop.py", "ge=0", "ge=-9")

    done = shop.run("materialize", "orders", "--from-rejects", "--json")

    assert done.code == 1
    assert [each["partition"] for each in done.json["failures"]] == ["2024-01-02"]
    assert pl.read_delta(str(shop.lake / "orders")).filter(number=-7).height == 1


def test_what_fails_so_shows_its_rows_and_keeps_them_like_any_other_failure(shop: Project) -> None:
    given(shop, day_2=[10, 20, 11], day_4=[20, 40])

    done = shop.run("backfill")
    document = shop.run("runs", "show", "--json").json

    assert report(done.out)[:8] == [
        "failed: orders 2024-01-02: nothing was committed for it",
        "rule severity failed rows passed rows",
        "number: unique fail 2 1",
        "since other partitions of the table have the same values",
        "number day",
        "10 2024-01-02",
        "11 2024-01-02",
        "the rows that were made, kept for 7 days:",
    ]
    (failure,) = document["failures"]
    assert failure["rules"][0]["samples"] == [
        {"number": 10, "day": "2024-01-02"},
        {"number": 11, "day": "2024-01-02"},
    ]
    kept = pl.read_parquet(failure["kept"], hive_partitioning=False)
    assert kept.sort("number").rows() == [(dt.date(2024, 1, 2), number) for number in (10, 11, 20)]
    assert {path.name for path in (shop.lake / "orders").rglob("*.parquet")} == {
        PurePath(file).name for file in DeltaTable(str(shop.lake / "orders")).file_uris()
    }


def test_several_columns_together_show_their_rows_even_without_a_value(shop: Project) -> None:
    shop.edit("shop.py", "pa.Field(unique=True)", "pa.Field(nullable=True)")
    shop.edit("shop.py", "    number: int", "    shop: str\n    number: int")
    shop.edit("shop.py", '{"unique_scope": "table"}', '{"unique_scope": "table"}\n        unique = ["shop", "number"]')
    rows = [(1, "a", None), (1, "a", 1), (2, "b", None), (2, "a", None), (2, "a", 2)]
    pl.DataFrame(
        [(dt.date(2024, 1, day), shop_, number) for day, shop_, number in rows],
        schema={"day": pl.Date, "shop": pl.String, "number": pl.Int64},
        orient="row",
    ).write_parquet(shop.folder / "orders.parquet")

    (failure,) = shop.run("backfill", "--json").json["failures"]

    (rule,) = failure["rules"]
    assert (failure["partition"], rule["rule"]) == ("2024-01-02", "unique(shop, number)")
    assert (rule["failed_rows"], rule["rows"]) == (1, 3)
    assert rule["samples"] == [{"shop": "a", "number": None, "day": "2024-01-02"}]


def test_rows_that_cannot_come_back_are_shown_and_kept(shop: Project) -> None:
    given(shop, day_1=[-7, 10], day_2=[-7, 20], day_3=[-99, 30])
    shop.edit(
        "shop.py", "pa.Field(unique=True)", 'pa.Field(unique=True, ge=0, metadata={"on_fail": {"ge": "quarantine"}})'
    )
    shop.run("backfill")
    shop.edit("shop.py", 'ge=0, metadata={"on_fail": {"ge": "quarantine"}}', "ge=-9")

    done = shop.run("materialize", "orders", "--from-rejects")
    document = shop.run("runs", "show", "--json").json

    lines = report(done.out)
    for told in (
        "number: unique fail 1 1",
        "-7 2024-01-02",
        "failed: orders 2024-01-03: nothing was committed for it",
        "number: ge(-9) fail 1 1",
        "-99 2024-01-03",
    ):
        assert told in lines
    assert lines[-1].startswith("orders: 1 of 1 rejected row came back to 1 partition, 0 stay out (run ")
    kept = {each["partition"]: pl.read_parquet(each["kept"], hive_partitioning=False) for each in document["failures"]}
    assert {day: sorted(rows["number"]) for day, rows in kept.items()} == {
        "2024-01-02": [-7, 20],
        "2024-01-03": [-99, 30],
    }
    assert {path.name for path in (shop.lake / "orders").rglob(f"*{document['run_id']}*")} == {
        PurePath(file).name for file in DeltaTable(str(shop.lake / "orders")).file_uris() if document["run_id"] in file
    }


def test_a_refused_rollback_shows_the_rows(shop: Project) -> None:
    given(shop)
    shop.run("backfill")
    before = DeltaTable(str(shop.lake / "orders")).version()
    given(shop, day_2=[70, 71], day_4=[20, 41])
    shop.run("materialize", "orders", "--partition", "2024-01-02", "--partition", "2024-01-04")

    told = report(shop.run("rollback", "orders", "--to", f"v{before}", "--partition", "2024-01-02").out)

    assert told[0] == "failed: orders 2024-01-02: nothing was committed for it"
    assert "20 2024-01-02" in told
    assert told[-1].startswith("orders: nothing was committed (run ")


def report(out: str) -> list[str]:
    """The lines of a report, without what aligns them."""
    return [" ".join(line.split()) for line in out.splitlines()]
