"""External assets: tables that somebody else writes, whose commits make stale what is made from them here."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.acceptance.conftest import Here, Project
from tests.acceptance.shop import OUTSIDE, TABLES, Shop, days, open_shop, snapshot
from tests.acceptance.test_outside import read_only


@pytest.fixture
def shop(project: Project) -> Shop:
    return open_shop(project)


def test_an_append_outside_makes_exactly_what_is_made_from_its_day_stale(shop: Shop) -> None:
    assert shop.backfill() == {"materialized": 5, "failed": 0, "skipped": 1, "commits": 2}
    theirs = snapshot(shop.theirs)

    version = shop.order(3)
    found = shop.found()

    assert found["orders"] == {"external": ["2024-01-01..2024-01-04"], "missing": days(5)}
    assert found["daily"] == {"fresh": ["2024-01-01..2024-01-02", *days(4)], "stale": days(3), "missing": days(5)}
    (cause,) = shop.causes("daily")
    assert f"data: orders 2024-01-03 in {shop.orders} changed at version {version} {OUTSIDE}" in cause
    assert cause.endswith("version 1 was read")
    assert shop.backfill()["materialized"] == 2
    assert shop.found()["daily"] == {"fresh": ["2024-01-01..2024-01-04"], "missing": days(5)}
    amounts = pl.read_delta(str(shop.project.lake / "daily")).sort("day")["amount"].to_list()
    assert amounts == [1.0, 2.0, 2.0, 1.0]
    assert theirs.items() <= snapshot(shop.theirs).items()


def test_nothing_is_ever_written_beside_what_others_write(shop: Shop) -> None:
    before = snapshot(shop.theirs)

    shop.backfill()
    for command in ("status", "plan", "history orders", "show orders", "doctor", "maintain", "doctor --rebuild-index"):
        assert shop.project.run(*command.split()).code == 0, command

    assert snapshot(shop.theirs) == before


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("wipe orders --yes", "orders cannot be wiped: others write {}, and here it is only read."),
        ("rollback orders --to v0", "orders cannot be rolled back: others write {}"),
        ("adopt orders", "orders cannot be adopted: others write {}"),
        ("rerun orders@v1 --verify", "orders cannot be made again: others write {}"),
        ("maintain orders", "orders cannot be maintained: others write {}"),
        ("materialize orders", "No run makes orders (others write it)."),
        ("materialize orders --from-rejects", "orders cannot be materialized: others write {}"),
    ],
)
def test_what_would_write_is_refused(shop: Shop, command: str, sentence: str) -> None:
    before = snapshot(shop.theirs)

    refused = shop.project.run(*command.split())

    assert refused.code == 2
    assert refused.sentence.startswith(sentence.format(shop.orders))
    assert snapshot(shop.theirs) == before


def test_what_only_reads_creates_no_lake(shop: Shop) -> None:
    for command in ("status", "plan", "why daily", "list", "show orders", "history orders"):
        assert shop.project.run(*command.split()).code == 0, command

    assert not shop.project.lake.exists()


def test_a_compaction_outside_makes_nothing_stale(shop: Shop) -> None:
    shop.backfill()
    before = shop.found()

    assert DeltaTable(shop.orders).optimize.compact()["numFilesRemoved"] > 0

    assert shop.found() == before


def test_a_table_without_partitions_here_is_one_partition_however_it_is_cut(shop: Shop) -> None:
    shop.backfill()

    shop.rate(1.6, mode="append")

    assert shop.found()["rates"] == {"external": [""]}
    assert shop.found()["daily"]["stale"] == ["2024-01-01..2024-01-04"]
    history = shop.project.run("history", "rates", "--json").json
    assert [commit["partitions"] for commit in history] == [{"count": 1, "ranges": [["", ""]]}] * 2


def test_a_table_that_was_dropped_and_made_again_is_not_the_one_that_was_read(shop: Shop) -> None:
    shop.backfill()
    shutil.rmtree(shop.orders)
    assert shop.found()["orders"] == {"missing": ["2024-01-01..2024-01-05"]}
    assert shop.causes("daily") == [f"data: the table of orders in {shop.orders} is gone"]

    shop.order(1, 2, 3, 4)

    assert shop.causes("daily") == [f"data: the table of orders in {shop.orders} is not the one that was read"]
    assert shop.found()["daily"]["stale"] == ["2024-01-01..2024-01-04"]


def test_a_table_that_was_put_back_and_went_on_otherwise_is_not_the_one_that_was_read(shop: Shop) -> None:
    backup = shutil.copytree(shop.orders, shop.theirs / "backup")
    shop.order(3)
    assert shop.backfill()["materialized"] == 5
    remembered = shutil.copytree(shop.project.lake, shop.theirs / "lake")
    replaced = [f"data: the table of orders in {shop.orders} is not the one that was read"]

    shutil.rmtree(shop.orders)
    shutil.copytree(backup, shop.orders)
    found = shop.found()["daily"]
    assert found == {"stale": ["2024-01-01..2024-01-04"], "missing": days(5)}
    assert shop.order(4, amount=999.0) == 2  # a version that was read, of another history

    assert shop.causes("daily") == replaced
    for lake in read_only(remembered):
        assert shop.found("--lake", str(lake))["daily"] == found
    refused = shop.project.run("rerun", "daily@v1", "--verify").sentence
    assert refused.startswith("Version 1 of daily was made from another table of orders than the one that is there now")
    assert shop.backfill()["materialized"] == 5
    assert shop.found()["daily"] == {"fresh": ["2024-01-01..2024-01-04"], "missing": days(5)}
    assert shop.project.run("rerun", "daily@v2", "--verify").code == 0
    shop.order(1)
    assert shop.found()["daily"]["stale"] == days(1)


@pytest.mark.parametrize("is_other", [False, True])
def test_a_checkpoint_at_the_version_that_was_read_may_be_of_another_history(shop: Shop, *, is_other: bool) -> None:
    backup = shutil.copytree(shop.orders, shop.theirs / "backup")
    shop.order(3)
    shop.backfill()
    if is_other:
        shutil.rmtree(shop.orders)
        shutil.copytree(backup, shop.orders)
        assert shop.order(4, amount=999.0) == 2
    DeltaTable(shop.orders).create_checkpoint()
    for number in shop.commits():
        (Path(shop.orders) / "_delta_log" / f"{number:020d}.json").unlink()
    shutil.rmtree(shop.project.lake / "_deltaworks" / "index")

    found = shop.found()["daily"]

    state = "stale" if is_other else "fresh"
    assert found == {state: ["2024-01-01..2024-01-04"], "missing": days(5)}
    if is_other:
        replaced = f"data: the table of orders in {shop.orders} is not the one that was read"
        assert shop.causes("daily") == [replaced]
        assert shop.backfill()["materialized"] == 5
        assert shop.found()["daily"] == {"fresh": ["2024-01-01..2024-01-04"], "missing": days(5)}


def test_a_day_that_others_emptied_is_missing_and_what_was_made_from_it_stale(shop: Shop) -> None:
    shop.backfill()

    DeltaTable(shop.orders).delete("day = '2024-01-04'")

    assert shop.found()["orders"]["missing"] == days(4, 5)
    assert shop.found()["daily"]["stale"] == days(4)
    assert "was emptied at version 2 by an outside writer (DELETE" in shop.causes("daily")[0]


def test_a_log_cleaned_after_it_was_read_tells_the_same(shop: Shop) -> None:
    shop.backfill()
    before = shop.found()

    shop.clean()
    shutil.rmtree(shop.project.lake / "_deltaworks" / "index")

    assert shop.found() == before
    shop.order(2)
    assert shop.found()["daily"]["stale"] == days(2)
    shop.clean()
    shutil.rmtree(shop.project.lake / "_deltaworks" / "index")
    assert shop.found()["daily"]["stale"] == days(2)


def test_where_commits_went_unread_exactly_the_days_whose_files_differ_are_stale(shop: Shop) -> None:
    shop.backfill()

    shop.order(1)
    version = shop.order(4)
    shop.clean()

    assert shop.found()["daily"] == {"stale": days(1, 4), "fresh": ["2024-01-02..2024-01-03"], "missing": days(5)}
    for cause in shop.causes("daily"):
        assert f"changed at version {version} by commits that its owner has deleted" in cause


def test_a_log_cleaned_before_it_was_first_read_begins_with_its_checkpoint(shop: Shop) -> None:
    shop.clean()
    assert shop.found()["orders"] == {"external": ["2024-01-01..2024-01-04"], "missing": days(5)}

    assert shop.backfill()["materialized"] == 5
    shop.order(3)

    assert shop.found()["daily"]["stale"] == days(3)
    shutil.rmtree(shop.project.lake / "_deltaworks" / "index")
    assert shop.found()["daily"]["stale"] == days(3)
    assert [commit["version"] for commit in shop.project.run("history", "orders", "--json").json] == [2, 1]
    assert shop.project.run("show", "orders@v0").sentence == "orders has no version 0: its versions are 1 to 2."


def test_without_what_the_lake_remembers_a_cleaned_table_counts_as_changed(shop: Shop) -> None:
    shop.backfill()
    shop.order(3)
    shop.clean()

    shutil.rmtree(shop.project.lake / "_deltaworks" / "state")

    assert shop.found()["daily"]["stale"] == ["2024-01-01..2024-01-04"]


def test_a_lake_that_cannot_be_written_tells_the_same(shop: Shop, tmp_path: Path) -> None:
    shop.backfill()
    shop.order(3)
    before = shop.found()
    copy = shutil.copytree(shop.project.lake, tmp_path / "copy")
    shutil.rmtree(copy / "_deltaworks" / "state")

    for lake in read_only(copy):
        assert shop.found("--lake", str(lake)) == before
        shop.clean()
        assert shop.found("--lake", str(lake))["daily"]["stale"] == ["2024-01-01..2024-01-04"]


def test_rows_are_read_at_their_pins(shop: Shop) -> None:
    shop.backfill()
    shop.order(3, amount=5.0)

    same = shop.project.run("rerun", "daily@v1", "--verify", "--json")
    rows = shop.project.run("show", "orders", "--partition", "2024-01-03", "--json").json["rows"]
    then = shop.project.run("show", "orders@v1", "--sql", "SELECT sum(amount) AS s FROM orders", "--json").json["rows"]
    differs = shop.project.run("diff", "orders@v1", "orders", "--json")

    assert same.code == 0, same.out
    assert sorted(row["amount"] for row in rows) == [1.0, 5.0]
    assert then == [{"s": 5.0}]
    assert differs.json["rows"]["only_b"] == 1


def test_a_table_of_another_lake_is_external_here_with_its_run_named(project: Project, tmp_path: Path) -> None:
    other = Here(tmp_path / "other")
    other.folder.mkdir()
    other.write(
        "tables.py",
        """
import polars as pl
import deltaworks as dw

@dw.asset(partitions=dw.DailyPartitions(start="2024-01-01", end="2024-01-03"), partition_by="day")
def orders(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"day": [partition.start], "amount": [1.0]})
""",
    )
    first, again = (other.run("materialize", "orders", "--json").json["run_id"] for _ in range(2))
    project.write("tables.py", TABLES.replace("../theirs/orders", "../other/lake/orders"))
    shop = Shop(Here(project.folder), tmp_path / "theirs")
    shop.rate(1.0)

    assert shop.found()["orders"] == {"external": ["2024-01-01..2024-01-02"], "missing": ["2024-01-03..2024-01-05"]}
    assert shop.backfill()["materialized"] == 3

    last = other.run("materialize", "orders", "--partition", "2024-01-02", "--json").json["run_id"]

    assert [cause.partition(" by ")[2].partition(",")[0] for cause in shop.causes("daily")] == [f"run {last}"]
    history = shop.project.run("history", "orders", "--json").json
    assert [commit["run_id"] for commit in history] == [last, again, first]
    assert {(commit["kind"], commit["rows"]) for commit in history} == {(None, None)}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('uri="../theirs/rates")', 'uri="../theirs/orders", partitions=days, partition_by="d")', "is the same table"),
        ('uri="../theirs/rates")', 'uri="lake/total")', "is the folder of asset 'total'"),
        ('uri="../theirs/rates")', 'uri=".")', "where only others write; put the lake somewhere else"),
        ('uri="../theirs/rates")', 'uri="lake")', "where only others write; put the lake somewhere else"),
        ('uri="../theirs/rates")', 'uri="ftp://host/rates")', "a place is a path, a file:// URI, or begins with s3://"),
        ('uri="../theirs/rates")', 'uri="../theirs/rates", model=int)', "model must be a pandera.polars"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(shop: Shop, old: str, new: str, sentence: str) -> None:
    shop.project.edit("tables.py", old, new)

    refused = shop.project.run("status")

    assert refused.code == 2
    assert sentence in refused.sentence


def test_no_table_of_the_lake_lies_in_a_folder_that_others_write(shop: Shop) -> None:
    shop.project.edit("tables.py", 'uri="../theirs/rates")', 'uri="lake/sums")')
    shop.project.edit("tables.py", "@dw.asset\n", '@dw.asset(name="sums/total")\n')

    refused = shop.project.run("backfill")

    assert refused.code == 2
    assert "external 'rates': asset 'sums/total' (" in refused.sentence
    assert "where only others write; give that asset another name or location" in refused.sentence


def test_rows_beyond_the_definition_are_counted_apart(shop: Shop) -> None:
    shop.order(5, 6, 7)

    assert shop.project.status()["orders"]["partitions"]["undefined"] == 2
    beyond = {"count": 2, "some": days(6, 7)}
    assert shop.project.status("orders", "--partitions")["orders"]["undefined"] == beyond
    for command in (["status"], ["status", "--partitions"]):
        sentence = "orders has 2 partitions in its table beyond the definition (undefined): 2024-01-06, 2024-01-07"
        assert sentence in shop.project.run(*command).out
    shop.order(*range(8, 14))
    assert "2024-01-10, 3 more" in shop.project.run("status").out
    assert "undefined" not in shop.project.status("daily", "--partitions")["daily"]


def test_hours_beyond_the_definition_are_named_as_it_would(shop: Shop) -> None:
    shop.project.write(
        "tables.py",
        """
import deltaworks as dw

hours = dw.HourlyPartitions(start="2024-03-31T00:00", end="2024-03-31T06:00", timezone="Europe/Berlin")
events = dw.external_asset("events", uri="../theirs/events", partitions=hours, partition_by="hour")
""",
    )
    late = [dt.datetime(2024, 3, 31, hour, tzinfo=dt.UTC) for hour in (0, 4)]
    write_deltalake(str(shop.theirs / "events"), pl.DataFrame({"hour": late, "n": [1, 2]}), partition_by=["hour"])

    found = shop.project.status("--partitions")["events"]

    assert found["undefined"] == {"count": 1, "some": ["2024-03-31T06:00+02:00"]}


def test_what_readers_rely_on_is_compared_before_a_run(shop: Shop) -> None:
    shop.project.edit("tables.py", "import polars as pl\n", "import pandera.polars as pa\nimport polars as pl\n")
    shop.project.edit(
        "tables.py", "days = ", "class Rate(pa.DataFrameModel):\n    rate: int\n    since: pl.Date\n\ndays = "
    )
    shop.project.edit("tables.py", "rates: pl.LazyFrame)", "rates: dw.LazyFrame[Rate])")
    assert shop.project.run("check", "--json").json["ok"] is True

    told = shop.project.run("plan").out
    assert "column 'rate' is Float64, expected Int64; column 'since' is missing, expected Date" in told
    assert "reads it by model Rate" in told
    assert not shop.project.run("plan", "--json").json["steps"]

    shop.project.edit("tables.py", 'uri="../theirs/rates")', 'uri="../theirs/rates", model=Rate)')
    assert "as model Rate of rates says" in shop.project.run("plan").out
    shop.project.edit("tables.py", "    rate: int\n    since: pl.Date\n", "    rate: float\n")
    assert shop.backfill()["materialized"] == 5


def test_a_reader_that_asks_for_more_than_the_model_offers_is_found_without_data(shop: Shop) -> None:
    shop.project.edit("tables.py", "import polars as pl\n", "import pandera.polars as pa\nimport polars as pl\n")
    models = "class Rate(pa.DataFrameModel):\n    rate: float\n\nclass Dated(Rate):\n    since: pl.Date\n\n"
    shop.project.edit("tables.py", "days = ", f"{models}days = ")
    shop.project.edit("tables.py", 'uri="../theirs/rates")', 'uri="../theirs/rates", model=Rate)')
    shop.project.edit("tables.py", "rates: pl.LazyFrame)", "rates: dw.LazyFrame[Dated])")

    (problem,) = shop.project.run("check", "--json").json["problems"]

    assert "reads column 'since' of rates as Date, but model Rate" in problem["message"]


def test_kinds_are_listed_where_there_is_more_than_one(shop: Shop) -> None:
    listed = shop.project.run("list", "--json").json["assets"]

    assert {each["asset"]: each["kind"] for each in listed} == {
        "orders": "external",
        "rates": "external",
        "daily": "asset",
        "total": "asset",
    }
    assert shop.project.run("list").out.split()[:2] == ["asset", "kind"]
    assert [each["asset"] for each in shop.project.run("list", "kind:external", "--json").json["assets"]] == [
        "orders",
        "rates",
    ]


def test_a_table_that_is_not_there_is_missing_and_says_where_it_should_be(shop: Shop) -> None:
    shutil.rmtree(shop.theirs)

    assert {word for found in shop.found().values() for word in found} == {"missing"}
    assert f"there is no Delta table at {shop.orders}" in shop.project.run("why", "daily").out
    refused = shop.project.run("backfill")
    assert refused.code == 2
    assert "which is missing; others write it" in refused.sentence
    assert (
        shop.project.run("show", "orders").sentence == f"There is no Delta table at {shop.orders} yet; others write it."
    )


def test_dynamic_partitions_follow_a_column_of_an_external_table(shop: Shop) -> None:
    shop.project.write(
        "tables.py",
        """
import polars as pl
import deltaworks as dw

rates = dw.external_asset(
    "rates", uri="../theirs/rates", partitions=dw.DynamicPartitions("currencies"), partition_by="currency"
)

@dw.asset(partitions=dw.DynamicPartitions.from_column("rates", "currency"), partition_by="currency")
def by_currency(rates: pl.LazyFrame) -> pl.LazyFrame:
    return rates
""",
    )
    assert shop.project.run("partitions", "list", "by_currency", "--json").code == 0
    assert shop.project.status()["by_currency"]["partitions"]["total"] == 1
