"""A balance that is carried on from day to day, a season that looks back at itself, and flows that may be missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated
from zoneinfo import ZoneInfo

import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame
from tests.exactness.project import (
    DayRow,
    Keys,
    Needs,
    Read,
    SmallAsset,
    SmallProject,
    WholeRow,
    all_of,
    date_column,
    same_key,
    some_rows,
    source_of_days,
    summed,
    summed_frames,
)
from tests.exactness.windows import days as some_days
from tests.exactness.windows import keys_of

DAYS = keys_of(some_days("2024-01-01", 6, ZoneInfo("UTC")))
FLOWING = DAYS[1:5]

days = dw.DailyPartitions("2024-01-01", "2024-01-07")


def definitions(constants: Mapping[str, int]) -> dw.Definitions:
    return dw.Definitions(
        [
            source_of_days("flows", dw.DailyPartitions("2024-01-02", "2024-01-06"), DAYS, constants["flows"]),
            balance(constants["balance"]),
            season(constants["season"]),
            ending(constants["ending"]),
        ]
    )


def balance(by: int) -> dw.Asset[..., LazyFrame[DayRow]]:
    @dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.ranges(3))
    def balance(
        flows: Annotated[LazyFrame[DayRow], dw.Input(allow_missing=True)],
        yesterday: dw.Previous[DayRow],
        partition: dw.Partition,
    ) -> LazyFrame[DayRow]:
        return summed_frames(by, yesterday, flows).select(pl.lit(partition.start).alias("day"), "i", "n")

    return balance


def season(by: int) -> dw.Asset[..., LazyFrame[DayRow]]:
    @dw.asset(partitions=days, partition_by="day")
    def season(
        balance: LazyFrame[DayRow],
        flows: Annotated[LazyFrame[DayRow], dw.Input(mapping=dw.TimeWindowMapping(-1, 1))],
        before: Annotated[LazyFrame[DayRow], dw.Input(asset="season", mapping=dw.TimeWindowMapping(-4, -2))],
        partition: dw.Partition,
    ) -> LazyFrame[DayRow]:
        return summed_frames(by, before, balance, flows).select(pl.lit(partition.start).alias("day"), "i", "n")

    return season


def ending(by: int) -> dw.Asset[..., LazyFrame[WholeRow]]:
    @dw.asset
    def ending(
        balance: Annotated[LazyFrame[DayRow], dw.Input(mapping=dw.LastPartitionMapping())],
        season: LazyFrame[DayRow],
    ) -> LazyFrame[WholeRow]:
        return summed_frames(by, balance, season)

    return ending


def _window(first: int, last: int, among: Sequence[str]) -> Callable[[str, Keys], Sequence[str]]:
    def keys(key: str, _: Keys) -> Sequence[str]:
        place = DAYS.index(key)
        return [each for number, each in enumerate(DAYS) if place + first <= number <= place + last and each in among]

    return keys


PROJECT = SmallProject(
    name="chain",
    assets={
        "flows": SmallAsset(
            keys=FLOWING,
            columns=(date_column("day"),),
            made=lambda by, key, _: some_rows(by, DAYS.index(key)),
            beyond="2024-01-01",
        ),
        "balance": SmallAsset(
            keys=DAYS,
            columns=(date_column("day"),),
            reads={
                "flows": Read("flows", same_key, Needs.NONE),
                "yesterday": Read("balance", _window(-1, -1, DAYS)),
            },
            made=lambda by, _, read: summed(by, read["yesterday"], read["flows"]),
            beyond="2024-02-01",
        ),
        "season": SmallAsset(
            keys=DAYS,
            columns=(date_column("day"),),
            reads={
                "balance": Read("balance", same_key),
                "flows": Read("flows", _window(-1, 1, FLOWING)),
                "before": Read("season", _window(-4, -2, DAYS)),
            },
            made=lambda by, _, read: summed(by, read["before"], read["balance"], read["flows"]),
            beyond="2024-02-01",
        ),
        "ending": SmallAsset(
            keys=("",),
            columns=(),
            reads={
                "balance": Read("balance", lambda *_: DAYS[-1:]),
                "season": all_of("season"),
            },
            made=lambda by, _, read: summed(by, read["balance"], read["season"]),
        ),
    },
    define=definitions,
    spans=DAYS,
)
