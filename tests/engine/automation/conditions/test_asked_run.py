"""A run that conditions asked for may wait long: what others have done meanwhile is not done once more."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

import deltaworks as dw
from deltaworks.engine.automation.conditions.asked_run import decide_asked
from deltaworks.engine.automation.conditions.asking import AskedConditions
from deltaworks.engine.automation.evaluation import asked_runs
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.io.ticks import AskedRun, TickEntry, TickKind, TickOutcome, decide_tick, read_tick
from tests.acceptance.lake import NOW, Lake

days = dw.DailyPartitions("2024-01-01", "2024-01-04")
EAGER = dw.AutomationCondition.eager()
EVERY = ["2024-01-01", "2024-01-02", "2024-01-03"]


@dw.asset(partitions=days, partition_by="day", automation=EAGER)
def raw(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"day": [partition.start], "value": [1]})


@dw.asset(partitions=days, partition_by="day", automation=EAGER)
def clean(raw: pl.LazyFrame) -> pl.LazyFrame:
    return raw


@dw.asset(automation=EAGER)
def total(clean: pl.LazyFrame) -> pl.LazyFrame:
    return clean.select(pl.col("value").sum())


@dw.asset(partitions=days, partition_by="day", automation=dw.AutomationCondition.in_latest_window())
def daily(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"day": [partition.start], "value": [1]})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", raw, clean, total)


def asked_at_a_tick(lake: Lake) -> AskedRun:
    """What a tick asks for in one run, as it is read back from the ledger."""
    answer = AskedConditions(lake.definitions, lake.store).ask(None, NOW, in_one_run=True)
    at = NOW.isoformat()
    entry = TickEntry("t", TickKind.SENSOR, "1", at, at, TickOutcome.REQUESTED, requests=asked_runs(answer, ["r1"]))
    decide_tick(lake.store, entry)
    found = read_tick(lake.store, "t", "1")
    assert found == entry
    return found.requests[0]


def planned(lake: Lake, asked: AskedRun) -> dict[str, list[str]]:
    decision = decide_asked(lake.graph, lake.store, asked, replace(begin_entry("a test", NOW), run_id="r1"))
    found = {key: lake.graph.nodes[key].partitions for key in decision.plan.planned}
    return {str(key): [found[key].key(each) for each in part] for key, part in decision.plan.planned.items()}


def write_outside(lake: Lake, name: str, day: int) -> None:
    df = pl.DataFrame({"day": [dt.date(2024, 1, day)], "value": [5]})
    write_deltalake(str(lake.folder / name), df, mode="overwrite", predicate=f"day = '2024-01-0{day}'")


def test_what_others_have_made_meanwhile_is_not_made_again(lake: Lake) -> None:
    asked = asked_at_a_tick(lake)
    assert planned(lake, asked) == {"raw": EVERY, "clean": EVERY, "total": [""]}

    lake.run(lake.plan("raw", "clean", named=("2024-01-02",)))

    others = ["2024-01-01", "2024-01-03"]
    assert planned(lake, asked) == {"raw": others, "clean": others, "total": [""]}
    lake.run()
    assert planned(lake, asked) == {}


def test_what_was_made_meanwhile_and_is_stale_again_is_made(lake: Lake) -> None:
    asked = asked_at_a_tick(lake)
    lake.run()

    write_outside(lake, "raw", 2)

    assert planned(lake, asked) == {"clean": ["2024-01-02"], "total": [""]}


def test_what_was_fresh_when_the_tick_asked_for_it_is_made(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake", daily)
    lake.run()

    asked = asked_at_a_tick(lake)

    assert planned(lake, asked) == {"daily": ["2024-01-03"]}
