"""Which edits of views make which tables stale, and whose code they are said to be."""

from __future__ import annotations

import datetime as dt
import importlib
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import deltaworks as dw
from deltaworks.engine.planning.code_version import differences
from deltaworks.engine.planning.graph import build_graph

NOW = dt.datetime(2013, 2, 1, tzinfo=dt.UTC)
TABLES = '''
from typing import Annotated
import pandera.polars as pa
import polars as pl
import deltaworks as dw

days = dw.DailyPartitions("2013-01-01", "2013-01-11")
weeks = dw.WeeklyPartitions("2013-01-07", "2013-01-14", day_offset=1)
LIMIT = 10

class Flight(pa.DataFrameModel):
    day: pl.Date
    delay: int

class Tools(dw.Resource):
    path: str = "x"
    def factor(self):
        return 2

tools = Tools()

def is_late():
    return pl.col("delay") > LIMIT

@dw.asset(partitions=days, partition_by="day")
def flights() -> pl.LazyFrame: ...

@dw.view
def late(flights: dw.LazyFrame[Flight], tools: Tools) -> dw.LazyFrame[Flight]:
    """Flights that came late."""
    kept = flights.filter(is_late())
    return kept.with_columns(delay=pl.col("delay") * tools.factor())

@dw.view(partitions=days, partition_by="day", group="views")
def week(
    late: Annotated[dw.LazyFrame[Flight], dw.Input(mapping=dw.TimeWindowMapping(-6))],
) -> dw.LazyFrame[Flight]:
    return late

@dw.asset(partitions=days, partition_by="day")
def daily(late: dw.LazyFrame[Flight]) -> dw.LazyFrame[Flight]:
    return late

@dw.asset(partitions=days, partition_by="day")
def weekly(week: dw.LazyFrame[Flight], flights: pl.LazyFrame) -> dw.LazyFrame[Flight]:
    return week

@dw.asset(partitions=days, partition_by="day")
def other(flights: pl.LazyFrame) -> dw.LazyFrame[Flight]:
    return flights.filter(is_late())
'''

LATE = {"daily": ["late"], "weekly": ["late"]}
WEEK = {"weekly": ["week"]}
EDITS: dict[str, tuple[str, str, Mapping[str, list[str]]]] = {
    "what a view does": ("kept = flights.filter(is_late())", "kept = flights", LATE),
    "a helper": ('pl.col("delay") > LIMIT', 'pl.col("delay") >= LIMIT', LATE | {"other": ["other"]}),
    "a constant": ("LIMIT = 10", "LIMIT = 11", LATE | {"other": ["other"]}),
    "a method of a resource": ("return 2", "return 3", LATE),
    "a mapping": ("TimeWindowMapping(-6)", "TimeWindowMapping(-5)", WEEK),
    "its partitions": (
        '@dw.view(partitions=days, partition_by="day"',
        '@dw.view(partitions=weeks, partition_by="day"',
        WEEK | {"weekly": ["week", "weekly"]},  # the reader's mapping is another, too
    ),
    "a version of the author's own": ('group="views"', 'code_version="7"', WEEK),
    "its column": (
        '@dw.view(partitions=days, partition_by="day"',
        '@dw.view(partitions=days, partition_by=pl.col("day").dt.date()',
        WEEK,
    ),
    "the order of its lines": ("    kept = flights", "    # Early ones are left out.\n    kept = flights", {}),
    "its docstring": ("Flights that came late.", "Late flights.", {}),
    "a local name": ("kept", "left", {}),
    "its group": ('group="views"', 'group="other"', {}),
    "the end of its partitions": ('"2013-01-11")', '"2013-01-12")', {}),
    "a reader": ("    return week", "    return week.filter(is_late())", {"weekly": ["weekly"]}),
}

_packages = itertools.count()


@pytest.fixture
def codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], dict[str, str]]]:
    """Return a function that imports a project and returns the code version of each of its tables."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module = f"edited_views_{next(_packages)}"

    def codes(text: str) -> dict[str, str]:
        sys.modules.pop(module, None)
        (tmp_path / f"{module}.py").write_text(text)
        importlib.invalidate_caches()
        graph = build_graph(dw.Definitions.from_module(importlib.import_module(module)), NOW)
        return {str(key): str(node.code) for key, node in graph.nodes.items()}

    yield codes
    sys.modules.pop(module, None)


@pytest.mark.parametrize(("old", "new", "changed"), EDITS.values(), ids=EDITS)
def test_what_a_view_does_counts_for_its_readers(
    codes: Callable[[str], dict[str, str]], old: str, new: str, changed: Mapping[str, list[str]]
) -> None:
    assert old in TABLES

    before, after = codes(TABLES), codes(TABLES.replace(old, new))

    found: dict[str, list[str]] = {}
    for name, then in before.items():
        is_own, views = differences(then, after[name])
        assert (is_own or bool(views)) == (then != after[name])
        if then != after[name]:
            found[name] = sorted([*views, *([name] if is_own else [])])
    assert found == changed


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ("1:ab", "1:cd", (True, ())),
        ("1:ab+a/b:00000000", "1:ab+a/b:00000001", (False, ("a/b",))),
        ("1:ab", "1:cd+late:00000000", (True, ("late",))),
        ("override:1+1", "override:1+2", (True, ())),
        ("override:x+late:00000000+week:00000000", "override:x+late:00000000", (False, ("week",))),
    ],
)
def test_code_versions_tell_what_differs(then: str, now: str, expected: tuple[bool, tuple[str, ...]]) -> None:
    assert differences(then, now) == expected
