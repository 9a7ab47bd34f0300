"""`why` names the columns that a change of code concerns, where plans tell."""

from __future__ import annotations

from typing import Any

import pytest

SUMMARY = """
@dw.asset(partitions=days, partition_by="day")
def summary(numbers: LazyFrame[Row], partition: dw.Partition) -> pl.LazyFrame:
    kept = numbers.filter(pl.col("n") > 0).filter(partition.contains("day"))
    halved = kept.with_columns(half=pl.col("n") / 2)
    return halved.group_by("day").agg(mean=pl.col("n").mean(), most=pl.col("half").max(), rows=pl.len().cast(pl.Int64))
"""


@pytest.fixture
def made(shell: Any) -> Any:
    tables = shell.folder / "tables.py"
    tables.write_text(tables.read_text() + SUMMARY)
    assert shell.run("backfill").code == 0
    return shell


def edit(shell: Any, old: str, new: str) -> None:
    tables = shell.folder / "tables.py"
    assert old in tables.read_text()
    tables.write_text(tables.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "columns"),
    [
        ('pl.col("n").mean()', 'pl.col("n").median()', ["mean"]),
        ('pl.col("n") / 2', 'pl.col("n") / 3', ["most"]),
        ('pl.col("n") > 0', 'pl.col("n") > -1', ["day", "mean", "most", "rows"]),
        ("rows=pl.len()", "count=pl.len()", ["count", "rows"]),
        ("rows=pl.len()", "third=pl.len(), rows=pl.len()", ["third"]),
        ('.agg(mean=pl.col("n").mean()', '.agg(mean=pl.col("n").mean() if True else None', []),
    ],
)
def test_the_columns_that_changed_are_named(made: Any, old: str, new: str, columns: list[str]) -> None:
    edit(made, old, new)

    (found,) = made.run("why", "summary", "--json").json["explanations"]

    assert found["causes"] == ["code: summary changed since it was made"]
    assert found["code"]["columns"] == columns


def test_the_columns_stand_below_the_cause(made: Any) -> None:
    edit(made, 'pl.col("n").mean()', 'pl.col("n").median()')

    lines = made.run("why", "summary").lines

    assert lines[1] == "code: summary changed since it was made"
    assert lines[3] == "column mean changed"


def test_an_upstreams_columns_are_named_on_the_way(made: Any) -> None:
    edit(made, 'pl.col("n") * 2', 'pl.col("n") * 3')

    assert "column n changed" in made.run("why", "total").lines


def test_a_plan_that_only_a_run_can_make_names_no_column(made: Any) -> None:
    edit(made, '"n": [1, 2]', '"n": [1, 3]')

    (found,) = made.run("why", "numbers", "--json").json["explanations"]

    assert found["code"]["columns"] is None


def test_what_a_python_function_does_is_seen_though_no_column_can_be_named(made: Any) -> None:
    edit(made, 'half=pl.col("n") / 2', 'half=pl.col("n").map_batches(lambda n: n / 2, return_dtype=pl.Float64)')
    assert made.run("backfill", "summary").code == 0
    edit(made, "n / 2, return", "n / 3, return")

    (found,) = made.run("why", "summary", "--json").json["explanations"]

    assert (found["status"], found["code"]["columns"]) == ("stale", [])
