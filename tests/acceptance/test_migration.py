"""A migration puts a whole table in the place of the one that is there, in one commit, or leaves it as it is."""

from __future__ import annotations

import datetime as dt
import os
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.acceptance.conftest import Here
from tests.acceptance.evolving import DROPPED, FIRST, FOURTH, MODULE, SECOND, THIRD, WIDER, change, commits, rows

AFTERWARDS = """
@dw.asset_check(numbers, when="after")
def small(result: LazyFrame[Row]) -> dw.CheckResult:
    return dw.CheckResult(result.collect()["n"].to_list() != [3], severity="fail", message="too large")
"""


@pytest.fixture
def made(here: Here) -> Here:
    """A project whose four days are made."""
    here.write("tables.py", MODULE)
    assert here.run("backfill").code == 0
    return here


def migrate(project: Here, asset: str = "numbers") -> Any:
    done = project.run("materialize", asset, "--migrate", "--json")
    assert done.code == 0, done.err + done.out
    assert done.json["totals"]["commits"] == 1
    return done.json


@pytest.mark.parametrize(
    ("edits", "column", "values"),
    [
        (WIDER, "n", [1, 2, 3, 4]),
        (
            [
                ("    n: pl.Int32\n", "    n: str\n"),
                ("pl.Int32),\n        # computed", "pl.String),\n        # computed"),
            ],
            "n",
            ["1", "2", "3", "4"],
        ),
        (DROPPED, "note", None),
        (
            [("    # more\n", "    w: float\n"), ("        # computed\n", "        w=pl.lit(1.0),\n")],
            "w",
            [1.0] * 4,
        ),
    ],
)
def test_a_migration_puts_the_new_table_in_the_place_of_the_old_one(
    made: Here, edits: Any, column: str, values: list[Any] | None
) -> None:
    change(made, *edits)
    before = DeltaTable(str(made.lake / "numbers"))

    told = migrate(made)

    assert (told["status"], told["totals"]["materialized"]) == ("success", 4)
    assert [row.get(column) for row in rows(made)] == (values or [None] * 4)
    assert (column in rows(made)[0]) is (values is not None)
    *_, last = commits(made)
    assert [next(iter(action)) for action in last] == ["commitInfo", "metaData", *["remove"] * 4, *["add"] * 4]
    assert last[0]["commitInfo"]["deltaworks"]["groups"][0]["rows"] == [1] * 4
    assert DeltaTable(str(made.lake / "numbers")).metadata().id == before.metadata().id
    assert len(rows(made, version=1)) == 4, "the table as it was is still there to be read"
    status = made.status()
    assert status["numbers"]["partitions"]["fresh"] == 4
    assert status["doubled"]["partitions"]["stale"] == 4
    assert made.run("plan", "numbers", "--json").json["migrations"] == []
    assert made.run("backfill", "numbers", "other").code == 0
    assert len(commits(made)) == 3


def test_what_is_missing_stays_missing(made: Here) -> None:
    assert made.run("wipe", "numbers", "--partition", "2024-01-02").code == 0
    change(made, *WIDER)

    migrate(made)

    assert [row["day"] for row in rows(made)] == [FIRST, THIRD, FOURTH]
    partitions = made.status()["numbers"]["partitions"]
    assert (partitions["fresh"], partitions["missing"]) == (3, 1)
    assert made.run("backfill", "numbers").code == 0
    assert [row["n"] for row in rows(made)] == [1, 2, 3, 4]


def test_a_partition_without_rows_is_still_made_afterwards(made: Here) -> None:
    made.edit("tables.py", "        # computed\n    )", "        # computed\n    ).filter(pl.col('n') != 2)")
    assert made.run("backfill", "numbers").code == 0
    change(made, *WIDER)

    migrate(made)

    assert [row["n"] for row in rows(made)] == [1, 3, 4]
    assert made.status()["numbers"]["partitions"]["fresh"] == 4


def test_a_table_that_is_cut_by_another_column_afterwards(made: Here) -> None:
    change(
        made,
        ("    day: pl.Date\n    n", "    date: pl.Date\n    n"),
        ('partition_by="day")\ndef numbers', 'partition_by="date")\ndef numbers'),
        ('{"day": [partition.start], "n": [partition', '{"date": [partition.start], "n": [partition'),
        ('numbers.select("day",', 'numbers.select(pl.col("date").alias("day"),'),
    )

    migrate(made)

    df = pl.read_delta(str(made.lake / "numbers")).sort("date")
    assert (df.columns, df["date"].to_list()) == (["date", "n", "note"], [FIRST, SECOND, THIRD, FOURTH])
    assert DeltaTable(str(made.lake / "numbers")).metadata().partition_columns == ["date"]
    assert made.status()["numbers"]["partitions"] == {
        "total": 4, "fresh": 4, "stale": 0, "missing": 0, "external": 0, "failed": 0, "undefined": 0,
    }  # fmt: skip
    assert made.run("backfill").code == 0
    assert made.run("doctor", "--json").json["problems"] == []


def test_calls_with_limits_are_migrated_in_their_processes(made: Here) -> None:
    change(made, *WIDER, ('partition_by="day")\ndef numbers', 'partition_by="day", isolate=True)\ndef numbers'))
    change(made, ('n": [partition.start.day]', "n\": [__import__('os').getpid()]"))

    migrate(made)

    assert {row["n"] for row in rows(made)}.isdisjoint({os.getpid()})


def test_what_fails_after_the_commit_makes_the_migration_a_failure_that_stands(made: Here) -> None:
    change(made, *WIDER)
    made.write("tables.py", (made.folder / "tables.py").read_text() + AFTERWARDS)

    told = made.run("materialize", "numbers", "--migrate")
    again = made.run("materialize", "numbers", "--migrate", "--json")

    assert (told.code, again.code) == (1, 1)
    assert "failed: numbers 2024-01-03 (committed, version 2): check small failed: too large" in told.out
    assert "migrated: numbers, 4 partitions made anew in one commit" in told.out
    assert again.json["status"] == "failure"
    assert [failure["partition"] for failure in again.json["checks"]["failures"]] == ["2024-01-03"]


def test_a_partition_that_fails_leaves_the_table_as_it_is(made: Here) -> None:
    change(made, *WIDER)
    made.edit(
        "tables.py", '    lf = pl.LazyFrame({"day"', '    1 // (partition.start.day - 3)\n    lf = pl.LazyFrame({"day"'
    )
    before = sorted((made.lake / "numbers").rglob("*"))

    failed = made.run("materialize", "numbers", "--migrate", "--json")
    told = made.run("materialize", "numbers", "--migrate")

    assert (failed.code, failed.json["status"], failed.json["totals"]["commits"]) == (1, "failure", 0)
    reasons = {each["partition"]: each["error"] for each in failed.json["failures"]}
    assert "ZeroDivisionError" in reasons["2024-01-03"]
    assert reasons["2024-01-01"] == "its table stays as it is, since 1 of 4 partitions were not made"
    assert "not migrated: the table of numbers is as it was" in told.out
    assert sorted((made.lake / "numbers").rglob("*")) == before, "nothing is left behind"
    assert [row["n"] for row in rows(made)] == [1, 2, 3, 4]


def outside(project: Here, day: dt.date, n: int) -> None:
    """Write a partition as others do."""
    df = pl.DataFrame({"day": [day], "n": [n], "note": ["outside"]}, schema_overrides={"n": pl.Int32})
    write_deltalake(str(project.lake / "numbers"), df, mode="overwrite", predicate=f"day = '{day}'")


def test_what_others_wrote_or_was_rolled_back_is_carried_over_where_it_fits(made: Here) -> None:
    outside(made, SECOND, 20)
    outside(made, dt.date(2024, 2, 1), 30)
    assert made.run("materialize", "numbers", "--partition", "2024-01-03").code == 0
    assert made.run("rollback", "numbers", "--to", "v1", "--partition", "2024-01-03").code == 0
    change(made, *WIDER)

    told = migrate(made)

    assert told["totals"]["materialized"] == 2
    assert [(row["n"], row["note"]) for row in rows(made)] == [
        (1, "x"),
        (20, "outside"),
        (3, "x"),
        (4, "x"),
        (30, "outside"),
    ]
    partitions = made.status()["numbers"]["partitions"]
    assert (partitions["fresh"], partitions["external"], partitions["undefined"]) == (2, 2, 1)
    history = made.run("history", "numbers", "--json").json
    assert history[0]["partitions"]["count"] == 4
    assert made.run("rerun", f"numbers@v{history[0]['version']}", "--verify").code == 0
    found = made.run("doctor", "--json").json["problems"]
    assert [each["kind"] for each in found] == ["beyond_definition"], "and no damage"


def test_what_others_wrote_and_does_not_fit_stands_in_the_way_until_it_is_given_up(made: Here) -> None:
    outside(made, SECOND, 20)
    change(made, ("    # more\n", "    w: float\n"), ("        # computed\n", "        w=pl.lit(1.0),\n"))

    refused = made.run("materialize", "numbers", "--migrate")

    assert refused.code == 2
    assert "no function makes the rows of 2024-01-02, which were written from outside" in refused.sentence
    assert "`deltaworks wipe numbers --partition 2024-01-02`" in refused.sentence
    assert made.run("wipe", "numbers", "--partition", "2024-01-02").code == 0
    migrate(made)
    assert [row["w"] for row in rows(made)] == [1.0] * 3


def test_what_comes_first_is_migrated_first(made: Here) -> None:
    change(made, *WIDER, ('select("day", pl.col("n") * 2)', 'select("day", m=pl.col("n") * 2)'))

    refused = made.run("materialize", "doubled", "--migrate")

    assert refused.code == 2
    assert "doubled is made from numbers, which comes first" in refused.sentence
    migrate(made)
    migrate(made, "doubled")
    assert [row["m"] for row in rows(made, "doubled")] == [2, 4, 6, 8]
    assert made.run("backfill").code == 0


def test_a_table_with_nothing_in_it_takes_the_new_columns(made: Here) -> None:
    assert made.run("wipe", "numbers", "--yes").code == 0
    change(made, *WIDER)

    told = migrate(made)

    assert told["totals"]["materialized"] == 0
    assert made.run("backfill", "numbers").code == 0
    assert [row["n"] for row in rows(made)] == [1, 2, 3, 4]


def test_a_rollback_does_not_bring_back_rows_without_a_column_that_may_not_be_null(made: Here) -> None:
    change(made, ("    # more\n", "    w: float\n"), ("        # computed\n", "        w=pl.lit(1.0),\n"))
    migrate(made)

    refused = made.run("rollback", "numbers", "--to", "v1")

    assert refused.code == 2
    assert "column 'w' (Float64) is missing" in refused.sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["numbers", "--partition", "2024-01-01"], "--migrate is about a whole table"),
        (["numbers", "--from-rejects"], "--migrate is about a whole table"),
        (["numbers", "doubled"], "--migrate takes one asset"),
        (["unknown"], "There is no asset 'unknown'"),
    ],
)
def test_a_migration_is_of_one_whole_table(made: Here, arguments: list[str], sentence: str) -> None:
    refused = made.run("materialize", *arguments, "--migrate")

    assert refused.code == 2
    assert sentence in refused.sentence


def test_without_a_table_there_is_nothing_to_migrate(here: Here) -> None:
    here.write("tables.py", MODULE)

    refused = here.run("materialize", "numbers", "--migrate")

    assert refused.code == 2
    assert "There is no table of numbers yet" in refused.sentence


def test_what_reads_its_own_past_is_emptied_first(here: Here) -> None:
    own = MODULE.replace(
        "def numbers(partition: dw.Partition)", "def numbers(partition: dw.Partition, before: dw.Previous[Row])"
    )
    here.write("tables.py", own)
    assert here.run("backfill", "numbers").code == 0
    change(here, *WIDER)

    refused = here.run("materialize", "numbers", "--migrate")

    assert refused.code == 2
    assert "numbers is made from earlier partitions of its own table" in refused.sentence
    assert "`deltaworks wipe numbers --yes`" in refused.sentence
    assert here.run("wipe", "numbers", "--yes").code == 0
    migrate(here)
    assert here.run("backfill", "numbers").code == 0
    assert [row["n"] for row in rows(here)] == [1, 2, 3, 4]
