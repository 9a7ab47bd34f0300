"""Mappings that name a key which was taken away: what is made from it waits, and still follows the other keys."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.conftest import Here, Project

SETTINGS = 'lake = "./lake"\nmodules = ["tables"]\n'

TABLES = """
from typing import Annotated
import polars as pl
import deltaworks as dw

shops = dw.DynamicPartitions("shops")
days = dw.DailyPartitions("2024-01-01", "2024-01-03")

@dw.asset(partitions=shops, partition_by="shop")
def sales(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"shop": [partition.key], "n": [1]})

@dw.asset(partitions=dw.StaticPartitions(["x", "y"]), partition_by="answer")
def answers(sales: Annotated[pl.LazyFrame, dw.Input(mapping=MAPPING)], partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"answer": [partition.key], "n": [1]})
"""

CUBE = """
from typing import Annotated
import polars as pl
import deltaworks as dw

days = dw.DailyPartitions("2024-01-01", "2024-01-03")

@dw.asset(partitions=dw.MultiPartitions({"day": days, "shop": dw.DynamicPartitions("shops")}))
def sales(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"day": [partition.start], "shop": [partition.dimension("shop").key], "n": [1]})

@dw.asset(partitions=dw.MultiPartitions({"day": days, "answer": dw.StaticPartitions(["x", "y"])}))
def answers(
    sales: Annotated[pl.LazyFrame, dw.Input(mapping=dw.MultiMapping({"shop": ("answer", MAPPING)}))],
    partition: dw.Partition,
) -> pl.LazyFrame:
    answer = partition.dimension("answer").key
    return pl.LazyFrame({"day": [partition.start], "answer": [answer], "n": [1]})
"""


@pytest.fixture
def project(here: Here) -> Project:
    """Worked on in this process, beside those that the stories start."""
    return here


def _made(project: Any, tables: str, mapping: str, *keys: str) -> None:
    project.write("deltaworks.toml", SETTINGS)
    project.write("tables.py", tables.replace("MAPPING", mapping))
    project.run("partitions", "add", "sales", *keys)
    made = project.run("backfill", "--json")
    assert (made.code, made.json["totals"]["skipped"]) == (0, 0), made.err


def _statuses(project: Any) -> dict[str, tuple[str, list[str]]]:
    """The status of each partition of `answers`, and why."""
    found: dict[str, tuple[str, list[str]]] = {}
    for each in project.status("--partitions")["answers"]["ranges"]:
        for ends in each["partitions"]["ranges"]:
            found |= dict.fromkeys(ends, (each["status"], each["causes"]))
    return found


@pytest.mark.parametrize(
    ("mapping", "waiting"),
    [
        ('dw.StaticMapping({"a": "x", "b": ["x"], "c": "y"})', ["x"]),
        ('dw.SpecificPartitionsMapping(["a", "b"])', ["x", "y"]),
    ],
)
def test_what_waits_for_a_key_follows_its_other_keys(project: Any, mapping: str, waiting: list[str]) -> None:
    _made(project, TABLES, mapping, "a", "b", "c")

    project.run("partitions", "remove", "sales", "b")
    untouched = _statuses(project)
    project.run("materialize", "sales", "--partition", "a")
    after = _statuses(project)
    plan = project.run("plan", "--json").json
    named = project.run("materialize", "answers", "--partition", "x")
    project.run("partitions", "add", "sales", "b")
    again = project.run("backfill", "--json")

    assert {status for status, _ in untouched.values()} == {"fresh"}
    for key in waiting:
        status, (cause,) = after[key]
        assert status == "stale"
        assert cause.startswith("data: sales a changed at version")
    assert {key for key, (status, _) in after.items() if status == "fresh"} == {"x", "y"} - set(waiting)
    assert plan["steps"] == []
    (left,) = plan["left_out"]
    assert left["reason"] == (
        "it is made from sales b, which is no partition; the partitions of sales are the keys a, c of 'shops'"
    )
    assert named.code == 2
    assert "Cannot make answers x" in named.err
    assert again.json["totals"]["materialized"] == len(waiting)
    assert {status for status, _ in _statuses(project).values()} == {"fresh"}


@pytest.mark.parametrize(
    ("mapping", "waiting"),
    [('dw.StaticMapping({"a": "x", "b": "x", "c": "y"})', 2), ('dw.SpecificPartitionsMapping(["a", "b"])', 4)],
)
def test_so_do_combinations_of_which_one_dimension_waits(project: Any, mapping: str, waiting: int) -> None:
    _made(project, CUBE, mapping, "a", "b", "c")

    project.run("partitions", "remove", "sales", "b")
    project.run("materialize", "sales", "--partition", "2024-01-01,a", "--partition", "2024-01-02,a")
    counts = project.status()["answers"]["partitions"]
    (left,) = project.run("plan", "--json").json["left_out"]

    assert (counts["stale"], counts["fresh"]) == (waiting, 4 - waiting)
    assert left["partitions"]["count"] == waiting
    assert "made from sales shop=b, which is no partition" in left["reason"]
