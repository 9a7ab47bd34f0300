"""Rows that rules leave out are in exactly one place: with the table's rows they are what the function returned.

It holds whatever dies at whichever call to the store, and however partitions are put together in calls and commits.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import random
from collections.abc import Callable
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.errors import StorageError
from deltaworks.io.rejects import current_rejects
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from tests.campaign.recorder import recorded
from tests.exactness.failing_store import METHODS, Crash, FailingStore, Moment, Trigger
from tests.exactness.running import run

DAYS = [dt.date(2024, 1, number) for number in range(1, 7)]


class Reading(pa.DataFrameModel):
    day: pl.Date
    number: int = pa.Field(metadata={"on_fail": {"unique": "quarantine"}}, unique=True)
    value: int = pa.Field(ge=0, le=9, nullable=True, metadata={"on_fail": {"ge": "quarantine", "le": "quarantine"}})

    @pa.check("value", element_wise=True)
    def not_seven(cls, value: int) -> bool:
        return value != 7


def rows_of(seed: int) -> pl.DataFrame:
    """Random rows of every day; some days have none, some only bad ones."""
    rng = random.Random(seed)
    rows = [
        (day, rng.randint(0, 30), rng.choice([None, *range(-2, 7), 8, 9, 10]))
        for day in DAYS
        for _ in range(rng.choice([0, 1, 12]))
    ]
    return pl.DataFrame(rows, schema={"day": pl.Date, "number": pl.Int64, "value": pl.Int64}, orient="row")


def make(store: Store, source: pl.DataFrame, backfill: dw.BackfillPolicy | None = None, key: str | None = None) -> None:
    @dw.asset(
        partitions=dw.DailyPartitions(start="2024-01-01", end="2024-01-07"), partition_by="day", backfill=backfill
    )
    def readings(partition: dw.Partition) -> LazyFrame[Reading]:
        return source.lazy().filter(partition.contains("day"))

    run(dw.Definitions([readings]), store, () if key is None else (key,))


def kept_and_rejected(lake: Path) -> dict[dt.date, tuple[list[object], list[object]]]:
    """The rows of each day that is made, and those that it left out; a record names files that are there."""
    table = Table.read(Store(lake, durable=False), "readings")
    found: dict[dt.date, tuple[list[object], list[object]]] = {}
    if not table.exists:
        return found
    rejected = {each.key: pl.read_parquet(lake / each.file.path) for each in current_rejects(table)}
    kept = pl.read_delta(str(lake / "readings"))
    for day in DAYS:
        if table.has_content(str(day)):
            left_out = rejected.pop(str(day), pl.DataFrame())
            assert left_out.is_empty() or left_out["day"].unique().to_list() == [day]
            found[day] = (
                sorted(kept.filter(day=day).select("number", "value").rows(), key=repr),
                sorted(left_out.select("number", "value").rows() if left_out.width else [], key=repr),
            )
    assert not rejected
    return found


def given(source: pl.DataFrame, day: dt.date) -> list[object]:
    return sorted(source.filter(day=day).select("number", "value").rows(), key=repr)


def all_there(source: pl.DataFrame, lake: Path) -> dict[dt.date, tuple[list[object], list[object]]]:
    found = kept_and_rejected(lake)
    for day, (kept, rejected) in found.items():
        assert sorted([*kept, *rejected], key=repr) == given(source, day)
    return found


SEEDS = [*range(5), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(5, 50))]


@pytest.mark.parametrize("seed", SEEDS)
def test_calls_and_commits_of_any_size_leave_out_the_same_rows(seed: int, tmp_path: Path) -> None:
    source = rows_of(seed)
    for day in DAYS:
        make(Store(tmp_path / "alone", durable=False), source, key=str(day))
    make(Store(tmp_path / "together", durable=False), source)
    make(Store(tmp_path / "ranges", durable=False), source, dw.BackfillPolicy.ranges(max_partitions=4))

    alone, together, ranges = (all_there(source, tmp_path / name) for name in ("alone", "together", "ranges"))

    assert len(alone) == len(DAYS)
    assert alone == together == ranges


def lose_nothing(folder: Path, method: str, moment: Moment, next_call: Callable[[int], int]) -> int:
    """Let a run die at one call after the other, and make the rest each time; return how often."""
    source = rows_of(seed=3)
    number = 1
    while True:
        lake = folder / f"{number}"
        trigger = Trigger(method, number, moment)
        with contextlib.suppress(Crash, StorageError):
            make(FailingStore(lake, False, trigger), source)
        all_there(source, lake)
        make(Store(lake, durable=False), source)
        assert len(all_there(source, lake)) == len(DAYS)
        if not trigger.is_dead:
            return number - 1
        number = next_call(number)


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.AFTER])
@pytest.mark.parametrize("method", METHODS)
def test_whatever_dies_no_row_is_lost_and_none_is_twice(method: str, moment: Moment, tmp_path: Path) -> None:
    lose_nothing(tmp_path, method, moment, lambda number: 2 * number + 1)


@pytest.mark.soak
@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.AFTER])
@pytest.mark.parametrize("method", METHODS)
def test_at_whichever_call_it_dies_no_row_is_lost(method: str, moment: Moment, tmp_path: Path) -> None:
    with recorded("a run dies at every store call") as row:
        row.tried = row.survived = lose_nothing(tmp_path, method, moment, lambda number: number + 1)
