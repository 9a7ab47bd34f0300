"""A table's columns change with its asset: a nullable one by the next commit, everything else as a migration."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake

from tests.acceptance.conftest import Here

MODULE = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-05")

class Row(pa.DataFrameModel):
    day: pl.Date
    n: pl.Int32
    note: str = pa.Field(nullable=True, description="what was said")
    # more

@dw.asset(partitions=days, partition_by="day")
def numbers(partition: dw.Partition) -> LazyFrame[Row]:
    lf = pl.LazyFrame({"day": [partition.start], "n": [partition.start.day], "note": ["x"]})
    return lf.with_columns(
        pl.col("n").cast(pl.Int32),
        # computed
    )

@dw.asset(partitions=days, partition_by="day")
def doubled(numbers: LazyFrame[Row]) -> dw.LazyFrame:
    return numbers.select("day", pl.col("n") * 2)

@dw.asset(partitions=days, partition_by="day")
def other(partition: dw.Partition) -> dw.LazyFrame:
    return pl.LazyFrame({"day": [partition.start], "n": [1]})
"""
FIRST, SECOND, THIRD, FOURTH = (dt.date(2024, 1, day) for day in (1, 2, 3, 4))


@pytest.fixture
def made(here: Here) -> Here:
    """A project whose four days are made."""
    here.write("tables.py", MODULE)
    assert here.run("backfill").code == 0
    return here


def add_weight(project: Here, field: str = "pa.Field(nullable=True, description='in kg')") -> None:
    project.edit("tables.py", "    # more\n", f"    weight: float = {field}\n    # more\n")
    project.edit("tables.py", "        # computed\n", '        weight=pl.col("n") / 2,\n        # computed\n')


def rows(project: Here, asset: str = "numbers", version: int | None = None) -> list[dict[str, Any]]:
    """The rows of a table, seen to be the same for delta-rs' own engine and for Polars."""
    table = DeltaTable(str(project.lake / asset), version=version)
    ours = pl.read_delta(table).sort("day")
    theirs = pl.DataFrame(QueryBuilder().register("t", table).execute("select * from t").read_all())
    assert theirs.select(ours.columns).sort("day").equals(ours)
    return ours.rows(named=True)


def commits(project: Here, asset: str = "numbers") -> list[list[dict[str, Any]]]:
    """The actions of each commit."""
    paths = sorted((project.lake / asset / "_delta_log").glob("*.json"))
    return [[json.loads(line) for line in path.read_text("utf-8").splitlines()] for path in paths]


def test_a_nullable_column_comes_with_the_commit_that_first_has_it(made: Here) -> None:
    add_weight(made)

    assert made.status()["numbers"]["partitions"]["stale"] == 4
    backfill = made.run("backfill", "numbers", "--partition", "2024-01-02", "--json")

    assert (backfill.code, backfill.json["totals"]["commits"]) == (0, 1)
    assert [(row["day"], row["note"], row["weight"]) for row in rows(made)] == [
        (FIRST, "x", None),
        (SECOND, "x", 1.0),
        (THIRD, "x", None),
        (FOURTH, "x", None),
    ]
    *_, last = commits(made)
    assert [next(iter(action)) for action in last] == ["commitInfo", "metaData", "remove", "add"]
    fields = json.loads(last[1]["metaData"]["schemaString"])["fields"]
    assert [(field["name"], field["nullable"], field["metadata"]) for field in fields] == [
        ("day", True, {}),
        ("n", True, {}),
        ("note", True, {"comment": "what was said"}),
        ("weight", True, {"comment": "in kg"}),
    ]
    assert made.status()["numbers"]["partitions"]["fresh"] == 1

    assert made.run("backfill").code == 0
    assert [row["weight"] for row in rows(made)] == [0.5, 1.0, 1.5, 2.0]
    assert sum("metaData" in action for commit in commits(made) for action in commit) == 2


def test_a_column_that_the_model_has_in_the_middle_comes_last_in_the_table(made: Here) -> None:
    made.edit("tables.py", "    n: pl.Int32\n", "    size: float = pa.Field(nullable=True)\n    n: pl.Int32\n")
    made.edit("tables.py", "        # computed\n", '        size=pl.col("n") / 2,\n')

    assert made.run("backfill", "numbers", "--partition", "2024-01-04").code == 0

    assert list(rows(made)[3]) == ["day", "n", "note", "size"]
    assert made.run("backfill").code == 0
    assert made.status()["numbers"]["partitions"]["fresh"] == 4


def test_readers_of_every_kind_see_nulls_where_the_column_was_not_yet(made: Here) -> None:
    add_weight(made)
    made.edit("tables.py", 'select("day", pl.col("n") * 2)', 'select("day", pl.col("n") * 2, light=pl.col("weight"))')
    assert made.run("backfill", "numbers", "--partition", "2024-01-02").code == 0

    shown = made.run("show", "numbers", "--json").json
    earlier = made.run("show", "numbers@v1", "--json").json
    compared = made.run("diff", "numbers@v1", "numbers@v2", "--json")
    downstream = made.run("materialize", "doubled", "--partition", "2024-01-03", "--partition", "2024-01-02")

    assert sorted((row["day"], row["weight"]) for row in shown["rows"])[:2] == [
        ("2024-01-01", None),
        ("2024-01-02", 1.0),
    ]
    assert all("weight" not in row for row in earlier["rows"])
    assert compared.code == 1
    assert compared.json["columns"]["added"] == {"weight": "Float64"}
    assert compared.json["partitions"] == {"compared": 1, "unchanged": 3}
    assert downstream.code == 0, downstream.err
    assert [row["light"] for row in rows(made, "doubled")] == [None, 1.0, None, None]


def test_what_was_made_before_is_run_again_and_compared_without_the_column(made: Here) -> None:
    same = made.run("rerun", "numbers@v1", "--verify", "--json")
    add_weight(made)
    assert made.run("backfill", "numbers").code == 0

    again = made.run("rerun", "numbers@v1", "--verify", "--json")

    assert same.json["equal"] is True
    assert again.code == 1
    assert again.json["difference"]["columns"]["added"] == {"weight": "Float64"}
    assert again.json["difference"]["rows"]["changed"] == again.json["difference"]["rows"]["only_a"] == 0


def test_a_rollback_over_the_addition_brings_back_rows_without_the_column(made: Here) -> None:
    add_weight(made)
    assert made.run("backfill").code == 0

    rolled = made.run("rollback", "numbers", "--to", "v1", "--partition", "2024-01-03")

    assert rolled.code == 0, rolled.err
    assert [row["weight"] for row in rows(made)] == [0.5, 1.0, None, 2.0]
    assert made.status()["numbers"]["partitions"]["external"] == 1


def test_maintenance_moves_old_and_new_rows_into_the_same_file(made: Here) -> None:
    extra = pl.DataFrame({"day": [FIRST], "n": [5], "note": ["y"]}, schema_overrides={"n": pl.Int32})
    add_weight(made)
    assert made.run("backfill", "numbers", "--partition", "2024-01-01").code == 0
    write_deltalake(str(made.lake / "numbers"), extra, mode="append", schema_mode="merge")
    before = rows(made)

    done = made.run("maintain", "numbers", "--z-order", "n", "--retention-days", "0.00001", "--json")

    assert done.code == 0, done.err
    assert done.json["totals"]["compacted"] > 0
    key = ("day", "n", "weight")
    assert sorted(map(repr, ([row[name] for name in key] for row in rows(made)))) == sorted(
        map(repr, ([row[name] for name in key] for row in before))
    )
    assert made.status()["numbers"]["partitions"]["external"] == 1


def test_an_instant_without_a_zone_asks_for_the_feature_that_it_needs(made: Here) -> None:
    made.edit("tables.py", "    # more\n", "    at: pl.Datetime('us') = pa.Field(nullable=True)\n")
    made.edit("tables.py", "        # computed\n", '        at=pl.col("day").cast(pl.Datetime("us")),\n')

    assert made.run("backfill", "numbers", "--partition", "2024-01-01").code == 0

    assert [row["at"] for row in rows(made)] == [pl.Series([FIRST]).cast(pl.Datetime("us")).item(), None, None, None]
    protocol = DeltaTable(str(made.lake / "numbers")).protocol()
    assert protocol.reader_features == ["timestampNtz"]
    assert sorted(protocol.writer_features or ()) == ["appendOnly", "invariants", "timestampNtz"]
    assert made.run("backfill").code == 0


def test_an_output_without_a_model_brings_its_new_column_too(made: Here) -> None:
    made.edit("tables.py", '"day": [partition.start], "n": [1]', '"day": [partition.start], "n": [1], "more": ["m"]')

    assert made.run("backfill", "other", "--partition", "2024-01-02").code == 0

    assert [row["more"] for row in rows(made, "other")] == [None, "m", None, None]


def test_partitions_of_one_batch_may_bring_columns_one_after_the_other(made: Here) -> None:
    made.edit(
        "tables.py",
        'return pl.LazyFrame({"day": [partition.start], "n": [1]})',
        'more = dict.fromkeys("abcd"[: partition.start.day], ["m"])\n'
        '    return pl.LazyFrame({"day": [partition.start], "n": [1], **more})',
    )

    assert made.run("backfill", "other").code == 0

    assert list(rows(made, "other")[0]) == ["day", "n", "a", "b", "c", "d"]
    assert [row["c"] for row in rows(made, "other")] == [None, None, "m", "m"]


def test_a_name_that_differs_only_by_case_is_no_new_column(made: Here) -> None:
    made.edit("tables.py", "    # more\n", "    Note: str = pa.Field(nullable=True)\n")
    made.edit("tables.py", "        # computed\n", '        Note=pl.lit("y"),\n')

    refused = made.run("backfill", "numbers")

    assert refused.code == 2
    assert "column 'Note' (String) differs from 'note' only by case" in refused.sentence


# What a commit of some partitions cannot change is a migration, and said before anything is computed.

WIDER = ("    n: pl.Int32\n", "    n: pl.Int64\n"), ("pl.Int32),\n        # computed", "pl.Int64),\n        # computed")
DROPPED = (
    ('    note: str = pa.Field(nullable=True, description="what was said")\n', ""),
    ("class Row(pa.DataFrameModel):\n", "class Row(pa.DataFrameModel):\n    class Config:\n        strict = True\n"),
    (', "note": ["x"]})', "})"),
)


def change(project: Here, *edits: tuple[str, str]) -> None:
    for old, new in edits:
        project.edit("tables.py", old, new)


@pytest.mark.parametrize(
    ("edits", "changes", "told"),
    [
        (WIDER, [("n", "widened", "Int64", "Int32")], "column 'n' is Int32, expected Int64"),
        (
            [
                ("    n: pl.Int32\n", "    n: str\n"),
                ("pl.Int32),\n        # computed", "pl.String),\n        # computed"),
            ],
            [("n", "retyped", "String", "Int32")],
            "column 'n' is Int32, expected String",
        ),
        (DROPPED, [("note", "dropped", None, "String")], "column 'note' (String) is not made any more"),
        (
            [("    # more\n", "    w: float\n"), ("        # computed\n", "        w=pl.lit(1.0),\n")],
            [("w", "added", "Float64", None)],
            "column 'w' (Float64) is new and not nullable",
        ),
        (
            [
                ("    day: pl.Date\n    n", "    date: pl.Date\n    n"),
                ('partition_by="day")\ndef numbers', 'partition_by="date")\ndef numbers'),
                ('{"day": [partition.start], "n": [partition', '{"date": [partition.start], "n": [partition'),
                ('numbers.select("day",', 'numbers.select(pl.col("date").alias("day"),'),
            ],
            [("date", "partitioned", "'date'", "'day'"), ("date", "added", "Date", None)],
            "it is partitioned by 'day', expected 'date'",
        ),
    ],
)
def test_a_migration_is_told_by_the_plan_and_refused_by_everything_else(
    made: Here, edits: Any, changes: list[tuple[str | None, ...]], told: str
) -> None:
    change(made, *edits)
    before = {asset: commits(made, asset) for asset in ("numbers", "doubled", "other")}

    for command in (("plan",), ("backfill", "--dry-run")):
        planned = made.run(*command, "--json")
        assert planned.code == 0, planned.err
        migration = planned.json["migrations"][0]
        assert (migration["asset"], migration["version"]) == ("numbers", 1)
        assert [tuple(each.values()) for each in migration["changes"]] == changes
        assert migration["command"] == "deltaworks materialize numbers --migrate"
        assert planned.json["steps"] == []
    assert f"migration needed: numbers: its table (version 1) is not what the asset makes: {told}" in " ".join(
        made.run("plan").out.split()
    )
    for command in (("backfill",), ("materialize", "numbers"), ("materialize", "numbers", "--partition", "2024-01-02")):
        refused = made.run(*command)
        assert refused.code == 2
        assert told in refused.sentence
        assert "`deltaworks materialize numbers --migrate` makes the whole table anew" in refused.sentence
    assert {asset: commits(made, asset) for asset in before} == before
    assert made.status()["numbers"]["partitions"]["stale"] == 4


def test_the_doctor_says_what_a_table_is_not_and_what_makes_it_so(made: Here) -> None:
    add_weight(made)
    assert made.run("doctor", "--json").json["problems"] == [], "the next commit adds what may be null"
    change(made, WIDER[0])

    doctor = made.run("doctor", "--json")

    assert doctor.code == 1
    (problem,) = doctor.json["problems"]
    assert (problem["kind"], problem["asset"]) == ("needs_migration", "numbers")
    assert problem["message"] == "it is not what its asset makes: column 'n' is Int32, expected Int64"
    assert problem["repair"] == "`deltaworks materialize numbers --migrate`, or change the asset back"


def test_what_does_not_depend_on_the_table_is_made_all_the_same(made: Here) -> None:
    change(made, *WIDER, ('"day": [partition.start], "n": [1]', '"day": [partition.start], "n": [2]'))
    made.edit("tables.py", 'pl.col("n") * 2', 'pl.col("n") * 3')

    backfill = made.run("backfill", "--json")

    assert backfill.code == 1
    assert backfill.json["status"] == "failure"
    assert backfill.json["totals"] == {"materialized": 4, "failed": 2, "skipped": 8, "commits": 1}
    assert [each["asset"] for each in backfill.json["failures"]] == ["numbers", "doubled"]
    assert {each["asset"]: each["reason"] for each in backfill.json["left_out"]} == {
        "numbers": "the table of numbers needs a migration first",
        "doubled": "the table of doubled needs a migration first",
    }
    assert [row["n"] for row in rows(made, "other")] == [2] * 4
    again = made.run("backfill")
    assert again.code == 2
    assert "column 'n' is Int32, expected Int64" in again.sentence


def test_what_a_function_makes_of_its_upstreams_is_foreseen_without_a_model(made: Here) -> None:
    change(made, *WIDER)

    planned = made.run("plan", "--json").json

    assert [(each["asset"], each["changes"][0]["expected"]) for each in planned["migrations"]] == [
        ("numbers", "Int64"),
        ("doubled", "Int64"),
    ]
    refused = made.run("backfill")
    assert refused.code == 2
    assert "The same holds for doubled; `deltaworks plan` shows why." in refused.sentence


def test_what_only_a_call_can_tell_is_not_foreseen(made: Here) -> None:
    made.edit(
        "tables.py",
        'return numbers.select("day", pl.col("n") * 2)',
        'df = numbers.collect()\n    return df.select("day", "n").lazy() if df.height else df.select("day").lazy()',
    )

    assert made.run("plan", "--json").json["migrations"] == []
    assert made.run("backfill").code == 0


def test_a_column_that_an_output_without_a_model_loses_is_refused_when_it_is_known(made: Here) -> None:
    made.edit("tables.py", '"day": [partition.start], "n": [1]', '"day": [partition.start], "m": [1]')

    backfill = made.run("backfill", "other", "--json")

    assert backfill.code == 1
    told = {each["error"] for each in backfill.json["failures"]}
    assert len(told) == 4
    assert all("column 'n' (Int64) is not made any more" in each and "--migrate" in each for each in told)
    assert len(commits(made, "other")) == 2


# A migration makes the whole table anew, in one commit, or leaves it as it is.


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


def test_what_others_wrote_and_does_not_fit_stands_in_the_way_until_it_is_given_up(made: Here) -> None:
    outside(made, SECOND, 20)
    change(made, ("    # more\n", "    w: float\n"), ("        # computed\n", "        w=pl.lit(1.0),\n"))

    refused = made.run("materialize", "numbers", "--migrate")

    assert refused.code == 2
    assert "2024-01-02 was written from outside, rolled back or is no partition" in refused.sentence
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
