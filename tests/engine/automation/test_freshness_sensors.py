"""Sensors on freshness: told once when an asset becomes late, and once when it is on time again."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.automation.asking import Surroundings, ask, described
from deltaworks.engine.automation.evaluation import Evaluation
from deltaworks.engine.automation.freshness import NAME, AskedFreshness
from deltaworks.engine.planning.sensor_fit import refuse_unfit_sensors
from deltaworks.errors import InvalidDefinition, StorageError
from tests.acceptance.lake import Lake
from tests.acceptance.test_freshness import FOUR, HOUR, order


class Stage:
    """A lake with a table that may lag for an hour, and who is told about it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.told = folder / "orders", list[dw.FreshnessChange]()
        orders = dw.external_asset("orders", uri=self.folder)

        @dw.asset(freshness=dw.FreshnessPolicy(HOUR))
        def total(orders: pl.LazyFrame) -> pl.LazyFrame:
            return orders.select(pl.col("n").sum())

        @dw.freshness_sensor()
        def late(change: dw.FreshnessChange) -> None:
            self.told.append(change)

        self.lake = Lake(folder / "lake", orders, total)
        self.definitions = dw.Definitions([orders, total], sensors=[late])
        self.freshness = AskedFreshness(self.definitions, self.lake.store)

    def ask(self, cursor: str | None, now: dt.datetime, name: str = "late") -> Evaluation:
        around = Surroundings(self.definitions, self.lake.store, {}, now, freshness=self.freshness)
        return ask(around, dw.Tick(name, now, cursor))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = Stage(tmp_path)
    order(made.folder, FOUR - 24 * HOUR)
    made.lake.run()
    return made


def test_a_sensor_is_told_once_that_an_asset_is_late_and_once_that_it_is_not(stage: Stage) -> None:
    cursor = stage.ask(None, FOUR).cursor
    assert stage.told == []
    order(stage.folder, FOUR)

    for minutes in (59, 60, 61, 600):
        cursor = stage.ask(cursor, FOUR + dt.timedelta(minutes=minutes)).cursor
    stage.lake.run()
    for minutes in (601, 602):
        cursor = stage.ask(cursor, FOUR + dt.timedelta(minutes=minutes)).cursor

    assert [(each.asset, each.is_late, each.since, each.due_at) for each in stage.told] == [
        ("total", True, FOUR, FOUR + HOUR),
        ("total", False, FOUR, FOUR + HOUR),
    ]
    assert "is not included: total has read version 0 of orders" in stage.told[0].sentence
    assert cursor == "{}"


def test_a_look_that_finds_no_change_leaves_no_new_cursor(stage: Stage) -> None:
    order(stage.folder, FOUR)
    late = stage.ask(None, FOUR + 2 * HOUR, NAME)

    again = stage.ask(late.cursor, FOUR + 3 * HOUR, NAME)

    assert late.skip_reason == "total is late"
    assert again.cursor == late.cursor
    assert NAME in {each.name for each in described(stage.definitions)}
    assert NAME not in {each.name for each in described(dw.Definitions())}


def test_a_cursor_that_says_nothing_is_refused(stage: Stage) -> None:
    with pytest.raises(StorageError, match="does not say what is late"):
        stage.ask("17", FOUR)


def test_a_sensor_on_an_asset_without_a_policy_is_refused(stage: Stage) -> None:
    @dw.freshness_sensor(assets=["orders"])
    def late(change: dw.FreshnessChange) -> Any: ...

    definitions = dw.Definitions(stage.definitions.assets, sensors=[late])

    with pytest.raises(InvalidDefinition, match="watches the freshness of orders, which has no policy"):
        refuse_unfit_sensors(definitions, stage.lake.graph)
