"""Alerts of what runs really write into the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.planning.plan import Only, plan
from deltaworks.engine.planning.request import request
from deltaworks.io.run_entry import RunEntry
from tests.acceptance.lake import Lake
from tests.engine.automation.alerts.servers import Received, webhook
from tests.engine.automation.alerts.stage import Stage, hooked

days = dw.DailyPartitions("2024-01-01", "2024-01-04")
BAD = set[str]()


@dw.asset(partitions=days, partition_by="day")
def daily(partition: dw.Partition) -> pl.LazyFrame:
    if partition.key in BAD:
        raise ValueError("it broke")
    return pl.LazyFrame({"day": [partition.start], "value": [1]})


def many(number: int) -> dw.Asset[..., Any]:
    @dw.asset(name=f"table_{number}")
    def table() -> pl.LazyFrame:
        if BAD:
            raise ValueError("it broke")
        return pl.LazyFrame({"value": [1]})

    return table


@pytest.fixture
def hook() -> Iterator[Received]:
    with webhook() as received:
        yield received


@pytest.fixture(autouse=True)
def bad() -> Iterator[None]:
    yield
    BAD.clear()


def make(lake: Lake, *days: str) -> RunEntry:
    asked = request(lake.graph, tuple(lake.graph.nodes), days)
    return lake.run(plan(lake.graph, observe(lake.graph, lake.store).status, asked, frozenset({Only.ALL}))).entry


def test_a_failure_is_over_when_everything_that_failed_is_made(tmp_path: Path, hook: Received) -> None:
    lake, stage = Lake(tmp_path / "lake", daily), Stage(tmp_path, hooked(hook))
    BAD.update({"2024-01-01", "2024-01-02"})
    make(lake)
    stage.look()
    assert hook.titles == ["daily failed"]

    make(lake, "2024-01-03")
    BAD.clear()
    (step,) = make(lake, "2024-01-01", "2024-01-03").steps
    stage.look()
    assert (step.materialized, step.still_failing) == (2, 1)
    assert hook.titles == ["daily failed"]

    make(lake, "2024-01-02")
    stage.look()
    assert hook.titles == ["daily failed", "over: daily failed"]


def test_a_run_in_which_many_assets_fail_is_one_message(tmp_path: Path, hook: Received) -> None:
    lake, stage = Lake(tmp_path / "lake", *map(many, range(12))), Stage(tmp_path, hooked(hook))
    BAD.add("all")
    run = make(lake)
    stage.look()

    (told,) = hook.documents
    assert told["title"] == "12 assets failed: table_0, table_1, table_10 and 9 more"
    assert told["keys"] == sorted(f"asset:table_{number}" for number in range(12))
    assert told["command"] == f"deltaworks runs show {run.run_id}"
    assert f"Run {run.run_id} (a test): failure; partitions: 0 made, 12 failed, 0 skipped." in told["lines"]
    assert "And 9 more failures." in told["lines"]

    BAD.clear()
    make(lake)
    stage.look()
    assert hook.titles[1:] == ["over: 12 assets failed: table_0, table_1, table_2 and 9 more"]
