"""What people are told when less happens than they asked for."""

from __future__ import annotations

from typing import Any

import pytest

TABLES = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions("2024-01-01", "2024-01-05")
hours = dw.HourlyPartitions("2024-01-02", "2024-01-03")

class Row(pa.DataFrameModel):
    day: pl.Date
    n: int

@dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.ranges(3))
def daily(partition: dw.Partition) -> LazyFrame[Row]:
    lf = pl.LazyFrame({"day": partition.keys, "n": [1] * len(partition.keys)})
    return lf.with_columns(pl.col("day").str.to_date())

@dw.asset(partitions=days, partition_by="day")
def doubled(daily: LazyFrame[Row]) -> LazyFrame[Row]:
    return daily.with_columns(pl.col("n") * 2)

@dw.asset(partitions=hours, partition_by="hour")
def events(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"hour": [partition.start], "n": [1]})

@dw.asset(partitions=dw.DynamicPartitions("regions"), partition_by="region")
def sales(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"region": [partition.key], "n": [1]})

@dw.asset
def total(doubled: LazyFrame[Row]) -> pl.LazyFrame:
    return doubled.select(pl.col("n").sum())
"""


@pytest.fixture
def tables(shell: Any) -> Any:
    (shell.folder / "tables.py").write_text(TABLES)
    return shell


def edit(shell: Any, old: str, new: str) -> None:
    path = shell.folder / "tables.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_selected_assets_without_the_partition_are_named(tables: Any) -> None:
    asked = ("daily", "doubled", "events", "sales", "total", "--partition", "2024-01-02")
    line = "left out: events, sales have no partition '2024-01-02'"

    planned = tables.run("plan", *asked, "--only", "all")
    made = tables.run("materialize", *asked)
    status = tables.run("status", *asked)

    assert f"{line} (--from/--to take what overlaps)" in planned.lines
    assert f"{line} (--from/--to take what overlaps)" in made.lines
    assert line in status.lines
    for command in (["plan", "--only", "all"], ["backfill"], ["backfill", "--dry-run"], ["materialize"], ["status"]):
        assert tables.run(*command, *asked, "--json").json["without"] == ["events", "sales"]
    assert tables.run("plan", "--json").json["without"] == []


def test_a_range_names_them_too(tables: Any) -> None:
    ends = ("--from", "2024-01-04", "--to", "2024-01-04")

    planned = tables.run("plan", "daily", "events", *ends)

    assert "left out: events has no partition from 2024-01-04 to 2024-01-04" in planned.lines
    assert tables.run("plan", "daily", "events", *ends, "--json").json["without"] == ["events"]


def test_an_asset_without_any_partition_is_not_up_to_date(tables: Any) -> None:
    assert tables.run("plan", "sales").lines == ["Nothing to do: sales has no partitions yet."]
    assert tables.run("backfill", "sales").lines == ["Nothing to do: sales has no partitions yet."]

    tables.run("backfill", "events")

    assert tables.run("plan", "sales", "daily", "--only", "stale").lines == [
        "Nothing to do: nothing asked for is stale; sales has no partitions yet."
    ]


def test_nothing_can_be_made_is_not_up_to_date(tables: Any) -> None:
    tables.run("backfill", "daily", "doubled", "--partition", "2024-01-01")

    planned, made = tables.run("plan", "doubled"), tables.run("backfill", "doubled")

    assert planned.lines == made.lines
    assert planned.lines[0] == (
        "Nothing can be made: 3 partitions lack what they are made from; everything else asked for is up to date."
    )
    assert planned.lines[1].startswith("left out: doubled 2024-01-02..2024-01-04: it is made from daily 2024-01-02..")


def test_a_failed_partition_says_so_in_its_causes(tables: Any) -> None:
    edit(
        tables,
        "    lf = pl.L",
        "    if '2024-01-04' in partition.keys:\n        raise ValueError('no data')\n    lf = pl.L",
    )
    run = tables.run("backfill", "daily", "doubled", "--json").json["run_id"]

    lines = tables.run("status", "daily", "--partitions").lines
    document = tables.run("status", "daily", "--json", "--partitions").json["assets"][0]
    (step, *_) = tables.run("plan", "daily", "--json").json["steps"]

    told = f"failed in run {run}: ValueError: no data ({tables.folder / 'tables.py'}:17)"
    assert lines[2] == f"daily 2024-01-04 1 missing {told}; never materialized"
    assert document["ranges"][1]["causes"] == ["never materialized"], "the ledger is no cause of a status"
    assert step["reasons"] == [told, "missing: never materialized"]
    assert (document["partitions"]["missing"], document["partitions"]["failed"]) == (1, 1)
    assert "made again" not in tables.run("why", "doubled", "--partition", "2024-01-04").out
    assert tables.run("why", "doubled", "--partition", "2024-01-04").out.count("failed in run") == 1


def test_a_call_that_fails_is_told_once_and_json_has_every_partition(tables: Any) -> None:
    edit(tables, "    lf = pl.L", "    raise ValueError('it broke')\n    lf = pl.L")
    document = tables.run("backfill", "daily", "doubled", "total", "--json").json

    answer = tables.run("backfill", "daily", "doubled", "total", "--workers", "1")

    where = f"{tables.folder / 'tables.py'}:16"
    assert len(document["failures"]) == 4
    assert [line for line in answer.lines if line.startswith("failed: ")] == [
        f"failed: daily 2024-01-01..2024-01-04: ValueError: it broke ({where}) (4 partitions)",
    ]
    assert answer.err.count("it broke") == 2
    skipped = [line for line in answer.lines if line.startswith("skipped: 1 partition of total, since daily 2024-01-0")]
    assert len(skipped) == 1


def test_partitions_that_fail_alike_are_told_together(tables: Any) -> None:
    edit(tables, "    return daily.with", "    raise KeyError('it broke')\n    return daily.with")

    answer = tables.run("backfill", "daily", "doubled")

    (line,) = [line for line in answer.lines if line.startswith("failed: ")]
    assert line.startswith("failed: doubled 2024-01-01..2024-01-04: KeyError: 'it broke'")
    assert line.endswith("(4 partitions)")
    assert answer.err.count("it broke") == 1


def test_a_plan_refuses_what_a_launch_would(tables: Any) -> None:
    assert tables.run("backfill", "daily").code == 0
    edit(tables, 'DailyPartitions("2024-01-01", "2024-01-05")', 'WeeklyPartitions("2024-01-01", "2024-01-30")')

    planned, made = tables.run("plan", "daily", "--only", "all"), tables.run("materialize", "daily")

    assert (planned.code, made.code) == (2, 2)
    assert "weekly" in planned.sentence
    assert planned.sentence == made.sentence


def test_small_ways_in(tables: Any) -> None:
    assert tables.run("runs", "show").sentence == "There are no runs yet."
    run = tables.run("backfill", "daily", "--json").json["run_id"]

    assert tables.run("runs", "show", "--json").json["run_id"] == run
    assert [each["asset"] for each in tables.run("list", "dou*", "--json").json["assets"]] == ["doubled"]
    assert tables.run("list", "resources", "--json").json == {"resources": []}
    assert "..." not in tables.run("partitions", "--help").out.partition("Commands:")[2]
    assert tables.run("plan", "daily,doubled").sentence.endswith(
        "several assets are separate arguments, `daily doubled`."
    )


DELETED = """
from pathlib import Path
import polars as pl
import deltaworks as dw
from deltalake import DeltaTable

days = dw.DailyPartitions("2024-01-01", "2024-01-03")
table = Path(__file__).parent / "lake" / "raw"

@dw.asset(partitions=days, partition_by="day")
def raw(partition: dw.Partition) -> pl.LazyFrame:
    if partition.key == "2024-01-02" and table.exists():
        DeltaTable(str(table)).delete("day = '2024-01-01'")
    return pl.LazyFrame({"day": [partition.start], "n": [1]})

@dw.asset
def every(raw: pl.LazyFrame) -> pl.LazyFrame:
    return raw

@dw.asset(partitions=days, partition_by="day")
def below(raw: pl.LazyFrame, every: pl.LazyFrame) -> pl.LazyFrame:
    return raw

@dw.asset
def total(below: pl.LazyFrame) -> pl.LazyFrame:
    return below.select(pl.col("n").sum())
"""


def test_what_others_delete_during_a_run_is_said_not_to_be_there(tables: Any) -> None:
    (tables.folder / "tables.py").write_text(DELETED, encoding="utf-8")
    tables.run("backfill", "raw", "--partition", "2024-01-01")

    answer = tables.run("backfill")  # `every` waits for the second day, and `below` for `every`

    assert answer.code == 0, answer.err
    assert [line for line in answer.lines if line.startswith("skipped: ")] == [
        f"skipped: 1 partition of {asset}, since raw 2024-01-01 is not there" for asset in ("below", "total")
    ]
