"""Rows that break a rule may be left out: dropped, or kept apart, by the one commit that leaves them out."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
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

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-11")


class Reading(pa.DataFrameModel):
    day: pl.Date
    sensor: str
    value: float = pa.Field(ge=0, le=100, metadata={"on_fail": {"ge": "quarantine", "le": "drop", "*": "fail"}})

    @pa.dataframe_check
    def mean_is_small(cls, data):
        return data.lazyframe.select(pl.col("value").mean() < 50)


class Total(pa.DataFrameModel):
    day: pl.Date
    total: float


@dw.asset(partitions=days, partition_by="day"BACKFILL)
def readings(partition: dw.Partition) -> LazyFrame[Reading]:
    return pl.scan_parquet(Path(__file__).parent / "readings.parquet").filter(partition.contains("day"))


@dw.asset(partitions=days, partition_by="day")
def totals(readings: LazyFrame[Reading]) -> LazyFrame[Total]:
    return readings.group_by("day").agg(total=pl.col("value").sum())
"""


def day(number: int) -> dt.date:
    return dt.date(2024, 1, number)


def readings(**changed: list[float | None]) -> pl.DataFrame:
    rows = [
        {"day": day(number), "sensor": f"s{place}", "value": value}
        for number in range(1, 11)
        for place, value in enumerate(changed.get(f"day_{number}", [1.0, 2.0, 3.0]))
    ]
    return pl.DataFrame(rows, schema={"day": pl.Date, "sensor": pl.String, "value": pl.Float64})


@pytest.fixture(params=["", ", backfill=dw.BackfillPolicy.ranges(max_partitions=4)"], ids=["one by one", "in ranges"])
def sensors(here: Here, request: pytest.FixtureRequest) -> Project:
    project = replace(here, module="sensors.py")
    project.write("sensors.py", MODULE.replace("BACKFILL", request.param))
    return project


def given(project: Project, **changed: list[float | None]) -> pl.DataFrame:
    df = readings(**changed)
    df.write_parquet(project.folder / "readings.parquet")
    return df


def table(project: Project, name: str) -> pl.DataFrame:
    return pl.read_delta(str(project.lake / name))


def shown(project: Project, *arguments: str) -> list[dict[str, Any]]:
    result = project.run("show", "readings", "--rejects", "--json", *arguments)
    assert result.code == 0, result.err
    return result.json["rows"]


def current_file(project: Project, number: int) -> str:
    """Where the rejects of a day lie, as the latest commit says."""
    latest, *_ = DeltaTable(str(project.lake / "readings")).history(1)
    record = json.loads(latest["deltaworks"]) if isinstance(latest["deltaworks"], str) else latest["deltaworks"]
    places = {
        key: name for group in record["groups"] for key, name in zip(group["keys"], group["rejects"], strict=True)
    }
    return f"readings/{places[day(number).isoformat()]}"


def test_rows_that_break_such_a_rule_are_left_out_and_the_rest_lands(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0, -2.0], day_5=[500.0, 4.0], day_6=[-7.0, 900.0])

    done = sensors.run("backfill", "--json")

    assert done.code == 0, done.err
    assert done.json["totals"]["materialized"] == 20
    made = table(sensors, "readings")
    assert made.filter(day=day(3))["value"].to_list() == [1.0]
    assert made.filter(day=day(5))["value"].to_list() == [4.0]
    assert made.filter(day=day(6)).is_empty()
    assert table(sensors, "totals").filter(day=day(3))["total"].to_list() == [1.0]
    assert shown(sensors) == [
        {"day": "2024-01-03", "sensor": "s1", "value": -1.0, "_rejected_by": ["value: ge(0)"]},
        {"day": "2024-01-03", "sensor": "s2", "value": -2.0, "_rejected_by": ["value: ge(0)"]},
        {"day": "2024-01-06", "sensor": "s0", "value": -7.0, "_rejected_by": ["value: ge(0)"]},
    ]
    assert (
        "readings 2024-01-03: value: ge(0) failed for 2 rows (samples: -1.0, -2.0), which were quarantined" in done.err
    )
    assert "readings 2024-01-05: value: le(100) failed for 1 row (samples: 500.0), which were dropped" in done.err


def test_the_commit_that_leaves_rows_out_names_their_file_and_counts_them(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0], day_5=[500.0, 4.0])

    sensors.run("backfill", "readings")

    records = [
        json.loads(json.dumps(entry["deltaworks"]))
        for entry in DeltaTable(str(sensors.lake / "readings")).history()
        if "deltaworks" in entry
    ]
    named = {
        key: name
        for record in map(_record, records)
        for group in record["groups"]
        for key, name in zip(group["keys"], group["rejects"] or [None] * len(group["keys"]), strict=True)
    }
    assert [key for key, name in named.items() if name] == ["2024-01-03"]
    file = sensors.lake / "_deltaworks" / "rejects" / "readings" / named["2024-01-03"]
    assert pl.read_parquet(file)["value"].to_list() == [-1.0]
    counted = {
        (each["partition"], each["rule"]): (each["severity"], each["failed_rows"])
        for record in map(_record, records)
        for each in record["checks"]["not_passed"]
    }
    assert counted == {
        ("2024-01-03", "ge(0)"): ("quarantine", 1),
        ("2024-01-05", "le(100)"): ("drop", 1),
    }


def test_rules_over_all_rows_are_judged_on_what_is_left(sensors: Project) -> None:
    given(sensors, day_2=[-1.0, 90.0, 1.0], day_4=[-1000.0, 90.0, 90.0])

    done = sensors.run("backfill", "readings", "--json")

    assert done.json["totals"] == {
        "materialized": 9,
        "failed": 1,
        "skipped": 0,
        "commits": done.json["totals"]["commits"],
        "dropped": 0,
        "quarantined": 1,
    }
    (failure,) = done.json["failures"]
    assert failure["partition"] == "2024-01-04"
    assert "mean_is_small" in failure["error"]
    assert [row["day"] for row in shown(sensors)] == ["2024-01-02"]
    assert files_of(sensors) == 1


def test_a_row_that_breaks_a_rule_which_fails_still_fails_its_day(sensors: Project) -> None:
    given(sensors, day_2=[-1.0, None, 1.0])

    done = sensors.run("backfill", "readings", "--json")

    (failure,) = done.json["failures"]
    assert "value: not_null failed for 1 row" in failure["error"]
    assert shown(sensors) == []
    assert files_of(sensors) == 0


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        ('{"ge": {"severity": "quarantine", "max_rows": 1}}', "but at most 1 may be left out (max_rows)"),
        ('{"ge": {"severity": "drop", "max_fraction": 0.5}}', "but at most 0.5 of 3 may be left out (max_fraction)"),
    ],
)
def test_more_than_its_budget_fails_the_day(sensors: Project, budget: str, told: str) -> None:
    given(sensors, day_2=[-1.0, -2.0, 1.0], day_3=[-1.0, 1.0, 1.0])
    sensors.edit("sensors.py", '{"ge": "quarantine", "le": "drop", "*": "fail"}', budget)

    done = sensors.run("backfill", "readings", "--json")

    (failure,) = done.json["failures"]
    assert failure["partition"] == "2024-01-02"
    assert told in failure["error"]
    assert table(sensors, "readings").filter(day=day(3)).height == 2


def test_the_rejects_are_those_of_the_content_that_is_there(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0])
    sensors.run("backfill", "readings")
    before = DeltaTable(str(sensors.lake / "readings")).version()
    given(sensors, day_3=[1.0, -5.0, -6.0])
    sensors.run("materialize", "readings", "--partition", "2024-01-03")
    later = [row["value"] for row in shown(sensors)]

    sensors.run("rollback", "readings", "--to", f"v{before}", "--partition", "2024-01-03")

    assert later == [-5.0, -6.0]
    assert [row["value"] for row in shown(sensors)] == [-1.0]


def outside(number: int, *values: float) -> pl.DataFrame:
    return pl.DataFrame({"day": [day(number)] * len(values), "sensor": ["theirs"] * len(values), "value": values})


def append(project: Project, number: int, *values: float) -> None:
    write_deltalake(str(project.lake / "readings"), outside(number, *values), mode="append")


def overwrite(project: Project, number: int, *values: float) -> None:
    predicate = f"day = '{day(number)}'"
    write_deltalake(str(project.lake / "readings"), outside(number, *values), mode="overwrite", predicate=predicate)


@pytest.mark.parametrize("write", [append, overwrite])
def test_what_others_write_to_a_day_judges_none_of_its_rejects(sensors: Project, write: Callable[..., None]) -> None:
    given(sensors, day_3=[1.0, -1.0], day_4=[1.0, -4.0])
    sensors.run("backfill", "readings")

    write(sensors, 3, 7.0)
    write(sensors, 3, 8.0)

    assert [(row["day"], row["value"]) for row in shown(sensors)] == [("2024-01-03", -1.0), ("2024-01-04", -4.0)]
    assert [row["value"] for row in shown(sensors, "--partition", "2024-01-03")] == [-1.0]


def test_a_day_that_others_wrote_first_has_no_rejects(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0])
    sensors.run("backfill", "readings", "--partition", "2024-01-03")
    append(sensors, 5, 7.0)

    assert [row["day"] for row in shown(sensors)] == ["2024-01-03"]


def test_compaction_keeps_the_rejects(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0])
    sensors.run("backfill", "readings")
    append(sensors, 3, 7.0)

    DeltaTable(str(sensors.lake / "readings")).optimize.compact()
    sensors.run("maintain")

    assert [row["value"] for row in shown(sensors)] == [-1.0]


def test_a_wiped_day_has_no_rejects_and_neither_has_what_others_write_then(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0], day_4=[1.0, -4.0])
    sensors.run("backfill", "readings")

    sensors.run("wipe", "readings", "--partition", "2024-01-03")
    wiped = [row["value"] for row in shown(sensors)]
    append(sensors, 3, 7.0)

    assert wiped == [-4.0]
    assert [row["value"] for row in shown(sensors)] == [-4.0]


def test_a_day_that_others_emptied_has_no_rejects(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0], day_4=[1.0, -4.0])
    sensors.run("backfill", "readings")

    DeltaTable(str(sensors.lake / "readings")).delete("day = '2024-01-03'")

    assert [row["value"] for row in shown(sensors)] == [-4.0]


def test_a_rollback_to_what_others_wrote_brings_back_the_rejects_of_then(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0])
    sensors.run("backfill", "readings")
    append(sensors, 3, 7.0)
    theirs = DeltaTable(str(sensors.lake / "readings")).version()
    given(sensors, day_3=[1.0, -5.0])
    sensors.run("materialize", "readings", "--partition", "2024-01-03")
    later = [row["value"] for row in shown(sensors)]

    sensors.run("rollback", "readings", "--to", f"v{theirs}", "--partition", "2024-01-03")
    rolled_back = [row["value"] for row in shown(sensors)]
    append(sensors, 3, 8.0)

    assert later == [-5.0]
    assert rolled_back == [-1.0]
    assert [row["value"] for row in shown(sensors)] == [-1.0]


def test_rejects_come_back_to_what_others_wrote_and_the_day_stays_external(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0, -8.0], day_4=[-1.0])
    sensors.run("backfill", "readings")
    append(sensors, 3, 7.0)
    sensors.edit("sensors.py", "pa.Field(ge=0,", "pa.Field(ge=-5,")

    done = sensors.run("materialize", "readings", "--from-rejects", "--json")
    version = DeltaTable(str(sensors.lake / "readings")).version()
    counts = sensors.status("readings")["readings"]["partitions"]
    sensors.run("wipe", "readings", "--partition", "2024-01-03")
    sensors.run("rollback", "readings", "--to", f"v{version}", "--partition", "2024-01-03")
    sensors.edit("sensors.py", "pa.Field(ge=-5,", "pa.Field(ge=-9,")
    again = sensors.run("materialize", "readings", "--from-rejects", "--json")

    assert done.code == 0, done.err
    assert (counts["external"], counts["fresh"], counts["stale"]) == (1, 1, 8)
    assert again.code == 0, again.err
    assert sorted(table(sensors, "readings").filter(day=day(3))["value"]) == [-8.0, -1.0, 1.0, 7.0]
    assert sensors.status("readings")["readings"]["partitions"]["external"] == 1
    assert shown(sensors) == []


def test_a_changed_rule_makes_the_table_stale_and_a_changed_budget_does_not(sensors: Project) -> None:
    given(sensors)
    sensors.run("backfill", "readings")

    sensors.edit("sensors.py", '"le": "drop"', '"le": {"severity": "drop", "max_rows": 5}')
    assert sensors.status("readings")["readings"]["partitions"]["fresh"] == 10

    sensors.edit("sensors.py", "pa.Field(ge=0,", "pa.Field(ge=1,")
    assert sensors.status("readings")["readings"]["partitions"]["stale"] == 10


def test_rejected_rows_come_back_when_a_wider_rule_lets_them_and_their_source_is_gone(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0, -8.0], day_4=[-1.0])
    sensors.run("backfill")
    (sensors.folder / "readings.parquet").unlink()
    sensors.edit("sensors.py", "pa.Field(ge=0,", "pa.Field(ge=-5,")

    done = sensors.run("materialize", "readings", "--from-rejects", "--json")

    assert done.code == 0, done.err
    assert done.json["totals"] == {
        "materialized": 2,
        "failed": 0,
        "skipped": 0,
        "commits": 1,
        "dropped": 0,
        "quarantined": 1,
        "readmitted": 2,
        "still_rejected": 1,
    }
    assert sorted(table(sensors, "readings").filter(day=day(3))["value"]) == [-1.0, 1.0]
    assert table(sensors, "readings").filter(day=day(4))["value"].to_list() == [-1.0]
    assert [row["value"] for row in shown(sensors)] == [-8.0]
    counts = sensors.status("readings")["readings"]["partitions"]
    assert (counts["fresh"], counts["stale"]) == (2, 8)
    assert sensors.status("totals")["totals"]["partitions"]["stale"] == 10


def test_rejects_come_back_to_a_table_that_has_one_more_column_since(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0])
    sensors.run("backfill", "readings", "--partition", "2024-01-03")
    given(sensors).with_columns(unit=pl.lit("m")).write_parquet(sensors.folder / "readings.parquet")
    sensors.run("backfill", "readings", "--partition", "2024-01-04")
    sensors.edit("sensors.py", "pa.Field(ge=0,", "pa.Field(ge=-5,")

    done = sensors.run("materialize", "readings", "--from-rejects", "--json")

    assert done.json["failures"] == []
    df = table(sensors, "readings").filter(day=day(3)).sort("value")
    assert df.select("value", "unit").rows() == [(-1.0, None), (1.0, None)]


def test_what_was_left_out_is_counted_row_by_row_wherever_a_run_is_told(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0, -2.0, 500.0], day_5=[500.0, 4.0])
    both = '"ge": "quarantine", "le": "drop", "in_range": "drop", "*": "fail"'
    sensors.edit("sensors.py", '"ge": "quarantine", "le": "drop", "*": "fail"', both)
    # -2.0 breaks a rule that quarantines and one that drops: it is one row, and it is kept.
    sensors.edit(
        "sensors.py", "pa.Field(ge=0, le=100,", 'pa.Field(ge=0, le=100, in_range={"min_value": -1, "max_value": 600},'
    )

    done = sensors.run("backfill", "readings")
    document = sensors.run("runs", "show", "--json").json
    shown_run = [" ".join(line.split()) for line in sensors.run("runs", "show").out.splitlines()]
    told = sensors.run("history", "readings").out
    versions = sensors.run("history", "readings", "--json").json

    assert "rows left out of readings: 2 quarantined, 2 dropped (`deltaworks show readings --rejects`)" in done.out
    assert (document["totals"]["dropped"], document["totals"]["quarantined"]) == (2, 2)
    assert "rows left out 2 quarantined, 2 dropped" in shown_run
    assert "2 quarantined, 2 dropped" in " ".join(told.split())
    assert [(each["dropped"], each["quarantined"]) for each in versions] == [(2, 2)]


def test_a_table_without_such_rows_has_no_column_for_them(sensors: Project) -> None:
    given(sensors)

    done = sensors.run("backfill", "readings")

    assert "left out" not in done.out
    assert "left out" not in sensors.run("history", "readings").out
    assert "left out" not in sensors.run("runs", "show").out
    (version,) = sensors.run("history", "readings", "--json").json
    assert (version["dropped"], version["quarantined"]) == (0, 0)


def test_readmission_says_how_many_rows_came_back_and_which_others_it_left_out(sensors: Project) -> None:
    given(sensors, day_3=[1.0, 60.0, -1.0, -8.0], day_4=[-1.0])
    sensors.run("backfill", "readings")
    sensors.edit("sensors.py", "pa.Field(ge=0, le=100,", "pa.Field(ge=-5, le=50,")

    done = sensors.run("materialize", "readings", "--from-rejects")

    assert done.code == 0, done.err
    *_, left_out, summary = done.out.splitlines()
    assert left_out == "left out now: 1 row that was in the table"
    assert summary.startswith("readings: 2 of 3 rejected rows came back to 2 partitions, 1 stays out (run ")


def test_rejected_rows_do_not_come_back_under_another_function(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0])
    sensors.run("backfill", "readings")
    sensors.edit("sensors.py", 'filter(partition.contains("day"))', 'filter(partition.contains("day")).head(9)')

    refused = sensors.run("materialize", "readings", "--from-rejects")

    assert refused.code == 2
    assert "readings 2024-01-03 was made by other code than there is now" in refused.sentence


def test_rejects_that_are_gone_are_named_with_what_makes_them_again(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0], day_4=[-1.0])
    sensors.run("backfill", "readings")
    (sensors.lake / "_deltaworks" / "rejects" / current_file(sensors, 3)).unlink()

    (problem,) = sensors.run("doctor", "--json").json["problems"]

    assert problem["kind"] == "missing_rejects"
    assert "which its log names, is not there: rows that were left out of partition 2024-01-03" in problem["message"]
    command = "deltaworks materialize readings --partition 2024-01-03"
    assert problem["repair"] == f"restore it from a backup, or `{command}`"
    assert sensors.run(*command.split()[1:]).code == 0
    assert sensors.run("doctor").code == 0


def test_there_is_nothing_to_judge_again_without_rejects(sensors: Project) -> None:
    given(sensors)
    sensors.run("backfill", "readings")

    refused = sensors.run("materialize", "readings", "--from-rejects")

    assert refused.code == 2
    assert refused.sentence == "No rows of readings are kept as rejects: none of its table was quarantined."


def test_what_was_dropped_is_not_forgotten_when_rows_come_back_twice(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0, -8.0, 500.0])
    sensors.run("backfill", "readings")
    sensors.edit("sensors.py", "pa.Field(ge=0, le=100,", "pa.Field(ge=-5, le=1000,")

    for _ in range(2):
        assert sensors.run("materialize", "readings", "--from-rejects").code == 0
        assert sensors.status("readings")["readings"]["partitions"]["stale"] == 10


def test_under_the_same_rules_nothing_comes_back(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0])
    sensors.run("backfill", "readings")

    refused = sensors.run("materialize", "readings", "--from-rejects")

    assert refused.code == 2
    assert refused.sentence.startswith("The rules of readings are those that left its rejects out")


def test_rejects_beyond_the_definition_are_refused_by_name(sensors: Project) -> None:
    given(sensors, day_10=[1.0, -1.0])
    sensors.run("backfill", "readings")
    sensors.edit("sensors.py", 'end="2024-01-11"', 'end="2024-01-10"')
    sensors.edit("sensors.py", "pa.Field(ge=0,", "pa.Field(ge=-5,")

    refused = sensors.run("materialize", "readings", "--from-rejects")

    assert refused.sentence == "readings 2024-01-10 has rejects, but it is no partition of the definition now."


def test_a_severity_of_the_model_holds_for_columns_that_say_nothing(sensors: Project) -> None:
    given(sensors, day_3=[1.0, -1.0])
    sensors.edit("sensors.py", ', metadata={"on_fail": {"ge": "quarantine", "le": "drop", "*": "fail"}}', "")
    sensors.edit(
        "sensors.py",
        "    @pa.dataframe_check",
        '    class Config:\n        metadata = {"on_fail": {"*": "quarantine", "mean_is_small": "fail"}}\n\n'
        "    @pa.dataframe_check",
    )

    assert sensors.run("backfill", "readings").code == 0

    assert [row["value"] for row in shown(sensors)] == [-1.0]


def files_of(project: Project) -> int:
    """How many files of rejected rows there are."""
    return len(list((project.lake / "_deltaworks" / "rejects").rglob("*.parquet")))


def _record(found: Any) -> Any:
    return json.loads(found) if isinstance(found, str) else found
