"""A table's columns change with its asset: a nullable one by the next commit, everything else as a migration."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.acceptance.conftest import Here
from tests.acceptance.evolving import DROPPED, FIRST, FOURTH, MODULE, SECOND, THIRD, WIDER, change, commits, rows


@pytest.fixture
def made(here: Here) -> Here:
    """A project whose four days are made."""
    here.write("tables.py", MODULE)
    assert here.run("backfill").code == 0
    return here


def add_weight(project: Here, field: str = "pa.Field(nullable=True, description='in kg')") -> None:
    project.edit("tables.py", "    # more\n", f"    weight: float = {field}\n    # more\n")
    project.edit("tables.py", "        # computed\n", '        weight=pl.col("n") / 2,\n        # computed\n')


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


def test_readers_that_take_one_set_of_columns_find_it_in_a_checkpoint(made: Here) -> None:
    def checkpoints() -> list[int]:
        return sorted(int(path.name[:20]) for path in (made.lake / "numbers").rglob("*.checkpoint.parquet"))

    assert checkpoints() == []
    add_weight(made)
    assert made.run("backfill", "numbers", "--partition", "2024-01-02").code == 0
    assert checkpoints() == [2]

    assert made.run("backfill", "numbers").code == 0
    assert checkpoints() == [2], "its columns are those of the table"
    change(made, WIDER[0], ('pl.col("n").cast(pl.Int32)', 'pl.col("n").cast(pl.Int64)'))
    assert made.run("materialize", "numbers", "--migrate").code == 0
    assert checkpoints() == [2, 4]


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


def test_a_partition_of_a_batch_that_lacks_what_one_before_it_brought_is_refused(made: Here) -> None:
    made.edit(
        "tables.py",
        'return pl.LazyFrame({"day": [partition.start], "n": [1]})',
        'more = {} if partition.start.day == 3 else {"a": ["m"]}\n'
        '    return pl.LazyFrame({"day": [partition.start], "n": [1], **more})',
    )

    backfill = made.run("backfill", "other", "--json")

    assert [each["partition"] for each in backfill.json["failures"]] == ["2024-01-03"]
    assert "those of the partitions before it: column 'a' (String) is missing" in backfill.json["failures"][0]["error"]
    assert [row["a"] for row in rows(made, "other")] == ["m", "m", None, "m"]


def test_a_unique_column_of_a_whole_table_may_be_new(made: Here) -> None:
    unique = "code: str = pa.Field(nullable=True, unique=True)"
    made.edit(
        "tables.py",
        "    # more\n",
        f"    {unique}\n    class Config:\n        metadata = {{'unique_scope': 'table'}}\n",
    )
    made.edit("tables.py", "        # computed\n", "        code=pl.format('c{}', 'n'),\n        # computed\n")
    assert made.run("backfill", "numbers", "--partition", "2024-01-02").code == 0
    made.edit("tables.py", "'c{}', 'n'", "'c{}', pl.lit(2)")

    backfill = made.run("backfill", "numbers", "--partition", "2024-01-03", "--json")

    assert backfill.code == 1
    assert "unique" in backfill.json["failures"][0]["error"]
    assert [row["code"] for row in rows(made)] == [None, "c2", None, None]


def test_a_name_that_differs_only_by_case_is_no_new_column(made: Here) -> None:
    made.edit("tables.py", "    # more\n", "    Note: str = pa.Field(nullable=True)\n")
    made.edit("tables.py", "        # computed\n", '        Note=pl.lit("y"),\n')

    refused = made.run("backfill", "numbers")

    assert refused.code == 2
    assert "column 'Note' (String) differs from 'note' only by case" in refused.sentence


# What a commit of some partitions cannot change is a migration, and said before anything is computed.


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
    plan = " ".join(made.run("plan").out.split())
    assert f"migration needed: numbers: its table (version 1) is not what the asset makes: {told}" in plan
    assert "left out: numbers" not in plan, "that is said"
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
