"""Views: functions over assets that are not stored, called by whatever reads them."""

from __future__ import annotations

import runpy
from typing import Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.errors import RequestError

TABLES = """
from typing import Annotated
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2013-01-01", end="2013-01-09")

class Flight(pa.DataFrameModel):
    day: pl.Date
    carrier: str
    delay: int

class Trailing(pa.DataFrameModel):
    day: pl.Date
    late: int

@dw.asset(partitions=days, partition_by="day")
def flights(partition: dw.Partition) -> LazyFrame[Flight]:
    number = partition.start.day
    return pl.LazyFrame({"carrier": ["AA", "BB"], "delay": [number, -number]}).select(
        pl.lit(partition.start).alias("day"), "carrier", "delay")

def is_late():
    return pl.col("delay") > 0

@dw.view(group="views")
def late_flights(flights: LazyFrame[Flight]) -> LazyFrame[Flight]:
    \"\"\"Flights that came late.\"\"\"
    return flights.filter(is_late())

@dw.view
def trailing(
    late_flights: Annotated[LazyFrame[Flight], dw.Input(mapping=dw.TimeWindowMapping(start_offset=-2))],
) -> LazyFrame[Trailing]:
    per_day = late_flights.group_by("day").agg(late=pl.col("delay").sum())
    return per_day.sort("day").with_columns(pl.col("late").rolling_sum(3, min_samples=1))

@dw.asset(partitions=days, partition_by="day")
def daily_late(late_flights: LazyFrame[Flight]) -> LazyFrame[Trailing]:
    return late_flights.group_by("day").agg(late=pl.col("delay").sum())

@dw.asset(partitions=days, partition_by="day")
def weekly(trailing: LazyFrame[Trailing]) -> LazyFrame[Trailing]:
    return trailing

@dw.asset
def total(trailing: dw.DataFrame[Trailing]) -> pl.LazyFrame:
    return trailing.select(pl.col("late").sum(), days=pl.len().cast(pl.Int64)).lazy()
"""


@pytest.fixture
def viewed(here: Any) -> Any:
    project = here
    project.write("tables.py", TABLES)
    return project


def late_days(project: Any, name: str) -> list[tuple[int, int]]:
    rows = pl.read_delta(str(project.lake / name)).sort("day").select(pl.col("day").dt.day().cast(int), "late").rows()
    return [(int(day), int(late)) for day, late in rows]


def trailing(day: int) -> int:
    return sum(each for each in (day - 2, day - 1, day) if each > 0)


def test_a_view_is_read_like_a_table_and_leaves_none(viewed: Any) -> None:
    assert viewed.run("check").code == 0

    made = viewed.run("backfill", "--json")

    assert made.json["totals"]["materialized"] == 8 * 3 + 1
    assert late_days(viewed, "daily_late") == [(day, day) for day in range(1, 9)]
    assert late_days(viewed, "weekly") == [(day, trailing(day)) for day in range(1, 9)]
    assert pl.read_delta(str(viewed.lake / "total")).row(0) == (sum(map(trailing, range(1, 9))), 8)
    assert sorted(each.name for each in viewed.lake.iterdir() if not each.name.startswith("_")) == [
        "daily_late",
        "flights",
        "total",
        "weekly",
    ]
    assert set(viewed.status()) == {"flights", "daily_late", "weekly", "total"}
    (newest, *_) = viewed.run("history", "daily_late", "--json").json
    assert list(newest["inputs"]) == ["flights"]


def test_staleness_passes_through_a_view_as_if_it_were_not_there(viewed: Any) -> None:
    viewed.run("backfill")

    viewed.run("materialize", "flights", "--partition", "2013-01-04")

    stale = {name: each["partitions"]["stale"] for name, each in viewed.status().items()}
    assert stale == {"flights": 0, "daily_late": 1, "weekly": 3, "total": 1}
    (why,) = viewed.run("why", "daily_late", "--partition", "2013-01-04", "--json").json["explanations"]
    assert why["causes"][0].startswith("data: flights 2013-01-04 changed at version ")
    assert viewed.run("backfill", "--json").json["totals"]["materialized"] == 1 + 3 + 1


@pytest.mark.parametrize(
    ("old", "new", "stale", "named"),
    [
        ("return flights.filter(is_late())", "return flights.filter(is_late() & True)", 3, "late_flights"),
        ('return pl.col("delay") > 0', 'return pl.col("delay") > 1', 3, "late_flights"),
        ("start_offset=-2", "start_offset=-1", 2, "trailing"),
        ("rolling_sum(3,", "rolling_sum(2,", 2, "trailing"),
        ("return trailing\n", 'return trailing.filter(pl.col("late") > 0)\n', 1, "weekly"),
    ],
)
def test_the_code_of_a_view_is_that_of_its_readers(viewed: Any, old: str, new: str, stale: int, named: str) -> None:
    viewed.run("backfill")

    viewed.edit("tables.py", old, new)

    found = {name: each["partitions"]["stale"] for name, each in viewed.status().items() if each["partitions"]["stale"]}
    assert len(found) == stale
    steps = viewed.run("plan", "--json").json["steps"]
    assert all(step["reasons"][0] == f"code: {named} changed since it was made" for step in steps)


def test_comments_in_a_view_change_nothing(viewed: Any) -> None:
    viewed.run("backfill")

    viewed.edit("tables.py", "Flights that came late.", "Flights, but late.")

    assert viewed.run("plan", "--json").json["steps"] == []


def test_why_tells_the_view_that_changed_its_place_and_the_columns(viewed: Any) -> None:
    viewed.run("backfill")
    viewed.edit("tables.py", "rolling_sum(3, min_samples=1)", "rolling_sum(3, min_samples=1) * 2")

    (why,) = viewed.run("why", "weekly", "--json").json["explanations"]

    assert why["code"]["line"] == viewed.folder.joinpath("tables.py").read_text().split("def trailing")[0].count("\n")
    assert why["code"]["columns"] == ["late"]


def test_a_cut_is_no_matter_of_code(viewed: Any) -> None:
    viewed.run("backfill")
    viewed.edit("tables.py", "return trailing\n", 'return trailing.filter(pl.col("day").is_not_null())\n')

    (why,) = viewed.run("why", "weekly", "--json").json["explanations"]

    assert why["code"]["columns"] == ["day", "late"]
    viewed.edit("tables.py", '.filter(pl.col("day").is_not_null())\n', ".with_columns(late=pl.col('late') + 0)\n")
    (why,) = viewed.run("why", "weekly", "--json").json["explanations"]
    assert why["code"]["columns"] == ["late"]


def test_what_a_view_reads_is_what_its_readers_lack(viewed: Any) -> None:
    viewed.run("backfill", "flights", "--from", "2013-01-01", "--to", "2013-01-03")

    planned = viewed.run("plan", "weekly", "total", "--json").json

    assert [(step["asset"], step["partitions"]["count"]) for step in planned["steps"]] == [("weekly", 3), ("total", 1)]
    (left, *_) = planned["left_out"]
    assert (left["asset"], left["upstream"]) == ("weekly", "flights")
    assert left["command"] == "deltaworks backfill +weekly --from 2013-01-04 --to 2013-01-08"


def test_a_reader_of_all_there_is_reads_no_partition_of_a_view_that_lacks_something(viewed: Any) -> None:
    viewed.run("backfill", "flights", "--from", "2013-01-01", "--to", "2013-01-04")
    viewed.run("backfill", "flights", "--from", "2013-01-06", "--to", "2013-01-06")

    viewed.run("backfill", "total")

    assert pl.read_delta(str(viewed.lake / "total")).row(0) == (sum(map(trailing, (1, 2, 3, 4))), 4)


def test_rows_of_a_view_are_shown_from_the_tables_as_they_are(viewed: Any) -> None:
    assert "flights" in viewed.run("show", "late_flights").sentence
    viewed.run("backfill", "flights")

    shown = viewed.run("show", "late_flights", "-n", "100", "--json").json
    one = viewed.run("show", "trailing", "--partition", "2013-01-05", "--partition", "2013-01-03", "--json").json
    asked = viewed.run("show", "late_flights", "--sql", "select max(delay) as most from late_flights", "--json").json

    assert (shown["total_rows"], {row["carrier"] for row in shown["rows"]}) == (8, {"AA"})
    assert [(row["day"], row["late"]) for row in one["rows"]] == [("2013-01-03", 6), ("2013-01-05", 12)]
    assert asked["rows"] == [{"most": 8}]
    assert viewed.run("show", "late_flights@v1").sentence == (
        "late_flights is a view: it is computed when it is read, so it has no version 1."
    )
    assert "no partition '2014-01-01'" in viewed.run("show", "late_flights", "--partition", "2014-01-01").sentence


def test_views_are_listed_and_selected(viewed: Any) -> None:
    listed = viewed.run("list", "--json").json["assets"]
    views = viewed.run("list", "kind:view", "--json").json["assets"]

    assert [each["asset"] for each in listed] == [
        "flights",
        "late_flights",
        "daily_late",
        "trailing",
        "weekly",
        "total",
    ]
    assert [(each["asset"], each["kind"], each["upstream"]) for each in views] == [
        ("late_flights", "view", ["flights"]),
        ("trailing", "view", ["late_flights"]),
    ]
    assert views[0]["partitions"] == {"total": 8, "partition_by": "day"}
    assert set(viewed.status("trailing+")) == {"weekly", "total"}
    assert set(viewed.status("+daily_late")) == {"flights", "daily_late"}
    assert set(viewed.status("late_flights+1", "flights")) == {"flights", "daily_late"}
    assert set(viewed.status("flights or kind:view")) == {"flights"}


@pytest.mark.parametrize("command", ["status", "backfill"])
def test_a_view_alone_is_nothing_to_make(viewed: Any, command: str) -> None:
    refused = viewed.run(command, "late_flights")

    assert refused.code == 2
    assert refused.sentence == (
        "late_flights is a view: nothing is stored, so there is nothing to make and no status; it is computed when its "
        "readers are made, `late_flights+`."
    )


@pytest.mark.parametrize(
    "command",
    [
        "why late_flights",
        "wipe late_flights --yes",
        "diff late_flights@v1 late_flights@v2",
    ],
)
def test_a_view_has_no_table(viewed: Any, command: str) -> None:
    refused = viewed.run(*command.split())

    assert refused.code == 2
    assert "late_flights is a view: it is computed when it is read" in refused.sentence


def test_what_was_made_through_views_is_made_again_from_the_same_versions(viewed: Any) -> None:
    viewed.run("backfill")
    viewed.run("materialize", "flights", "--partition", "2013-01-04")

    again = viewed.run("rerun", "weekly@v1", "--verify", "--json")

    assert again.code == 0, again.err + again.out


BROKEN = {
    "it raises": (
        "return flights.filter(is_late())",
        "raise ValueError('no')",
        "view late_flights: ValueError: no",
        31,
    ),
    "its plan": (
        "return flights.filter(is_late())",
        "return flights.filter(pl.col('dlay') > 0)",
        "view late_flights: ColumnNotFoundError",
        None,
    ),
    "its columns": (
        "return flights.filter(is_late())",
        "return flights.filter(is_late()).drop('carrier')",
        "late_flights",
        None,
    ),
    "no frame": ("return flights.filter(is_late())", "return 7", "view late_flights: the function returned int", None),
}


@pytest.mark.parametrize(("old", "new", "problem", "line"), BROKEN.values(), ids=BROKEN)
def test_what_goes_wrong_in_a_view_names_it(viewed: Any, old: str, new: str, problem: str, line: int | None) -> None:
    viewed.run("backfill", "flights")
    viewed.edit("tables.py", old, new)

    failed = viewed.run("backfill", "daily_late", "--json")

    assert failed.code == 1
    for each in failed.json["failures"]:
        assert problem in each["error"]
        assert line is None or f"tables.py:{line})" in each["error"]


def test_contracts_are_checked_on_both_sides_of_a_view(viewed: Any) -> None:
    viewed.edit(
        "tables.py", "def late_flights(flights: LazyFrame[Flight])", "def late_flights(flights: LazyFrame[Trailing])"
    )
    viewed.edit("tables.py", "def weekly(trailing: LazyFrame[Trailing])", "def weekly(trailing: LazyFrame[Flight])")

    found = [each["message"] for each in viewed.run("check", "--json").json["problems"]]

    assert any("late_flights" in each and "reads column 'late' of flights" in each for each in found)
    assert any("weekly" in each and "reads column 'carrier' of trailing" in each for each in found)
    (problem,) = viewed.run("check", "late_flights", "--json").json["problems"]
    assert problem["asset"] == "late_flights"


def test_a_view_is_read_from_python_and_called_like_any_function(viewed: Any) -> None:
    viewed.run("backfill", "flights")
    tables = runpy.run_path(str(viewed.folder / "tables.py"))

    rows = dw.read(tables["trailing"], lake=viewed.lake, partition="2013-01-05")

    assert rows.collect()["late"].to_list() == [12]
    assert tables["late_flights"](pl.LazyFrame({"delay": [1, -1]})).collect().height == 1
    with pytest.raises(RequestError, match="late_flights is a view, which is not stored"):
        dw.diff(tables["late_flights"], tables["flights"], lake=viewed.lake)
    with pytest.raises(RequestError, match="is computed when it is read, so it has no version 1"):
        dw.read(tables["late_flights"], lake=viewed.lake, version=1)


def test_what_is_counted_is_said(viewed: Any) -> None:
    assert viewed.run("check").out.splitlines()[-1] == "4 assets and 2 views: no problems found"
    assert viewed.run("check", "late_flights").out.splitlines()[-1] == "0 assets and 1 view: no problems found"
    assert viewed.run("doctor").out == "4 tables: no problems found\n"
