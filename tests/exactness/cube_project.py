"""Scores by day, region and model, and what single dimensions of them are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Annotated

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame
from tests.exactness.project import (
    Keys,
    Needs,
    Read,
    SmallAsset,
    SmallProject,
    date_column,
    frame_of,
    multi_key,
    same_key,
    some_rows,
    summed,
    summed_frames,
    text_column,
)

DAYS = ("2024-01-01", "2024-01-02", "2024-01-03")
"""The last of them is only one of `by_day`."""
REGIONS = ("us", "a/b, c=d ü")
MODELS = ("small", "large")
CUBE = tuple(
    multi_key({"day": day, "region": region, "model": model})
    for day, region, model in product(DAYS[:2], REGIONS, MODELS)
)
AREA = tuple(multi_key({"day": day, "region": region}) for day, region in product(DAYS[:2], REGIONS))

days = dw.DailyPartitions("2024-01-01", "2024-01-03")
regions = dw.StaticPartitions(REGIONS)
cube = dw.MultiPartitions({"day": days, "region": regions, "model": dw.StaticPartitions(MODELS)})


class Score(pa.DataFrameModel):
    day: pl.Date
    region: str
    model: str
    i: int
    n: int


class Best(pa.DataFrameModel):
    day: pl.Date
    region: str
    i: int
    n: int


class Day(pa.DataFrameModel):
    day: pl.Date
    i: int
    n: int


class Region(pa.DataFrameModel):
    region: str
    i: int
    n: int


def definitions(constants: Mapping[str, int]) -> dw.Definitions:
    return dw.Definitions(
        [
            scores(constants["scores"]),
            graded(constants["graded"]),
            by_day(constants["by_day"]),
            best(constants["best"]),
            by_region(constants["by_region"]),
        ]
    )


def scores(by: int) -> dw.Asset[..., LazyFrame[Score]]:
    @dw.asset(partitions=cube)
    def scores(partition: dw.Partition) -> LazyFrame[Score]:
        rows = frame_of(some_rows(by, CUBE.index(partition.key)))
        return rows.select(
            pl.lit(partition.start).alias("day"),
            *(pl.lit(partition.dimension(name).key).alias(name) for name in ("region", "model")),
            "i",
            "n",
        )

    return scores


def graded(by: int) -> dw.Asset[..., LazyFrame[Score]]:
    @dw.asset(partitions=cube, backfill=dw.BackfillPolicy.ranges(5))
    def graded(scores: LazyFrame[Score]) -> LazyFrame[Score]:
        return scores.with_columns(n=pl.col("n") * by + 1)

    return graded


def by_day(by: int) -> dw.Asset[..., LazyFrame[Day]]:
    @dw.asset(partitions=dw.DailyPartitions("2024-01-01", "2024-01-04"), partition_by="day")
    def by_day(scores: LazyFrame[Score], partition: dw.Partition) -> LazyFrame[Day]:
        return summed_frames(by, scores).select(pl.lit(partition.start).alias("day"), "i", "n")

    return by_day


def best(by: int) -> dw.Asset[..., LazyFrame[Best]]:
    large = dw.MultiMapping({"day": dw.TimeWindowMapping(-1, 0), "model": dw.SpecificPartitionsMapping(["large"])})

    @dw.asset(partitions=dw.MultiPartitions({"day": days, "region": regions}))
    def best(
        graded: Annotated[LazyFrame[Score], dw.Input(mapping=large)], by_day: LazyFrame[Day], partition: dw.Partition
    ) -> LazyFrame[Best]:
        day, region = pl.lit(partition.start).alias("day"), pl.lit(partition.dimension("region").key).alias("region")
        return summed_frames(by, graded, by_day).select(day, region, "i", "n")

    return best


def by_region(by: int) -> dw.Asset[..., LazyFrame[Region]]:
    @dw.asset(partitions=regions, partition_by="region")
    def by_region(
        best: Annotated[LazyFrame[Best], dw.Input(mapping=dw.MultiMapping({"day": dw.LastPartitionMapping()}))],
        scores: Annotated[
            LazyFrame[Score], dw.Input(mapping=dw.MultiMapping({"region": dw.IdentityMapping()}), allow_missing=True)
        ],
        partition: dw.Partition,
    ) -> LazyFrame[Region]:
        return summed_frames(by, best, scores).select(pl.lit(partition.key).alias("region"), "i", "n")

    return by_region


def _fields(key: str) -> dict[str, str]:
    """Return the values of a key, encoded as they are in it."""
    return dict(part.split("=", 1) for part in key.split(","))


def _of_day(day: str, _: Keys) -> Sequence[str]:
    return [key for key in CUBE if _fields(key)["day"] == day]


def _large(key: str, _: Keys) -> Sequence[str]:
    here = _fields(key)
    place = DAYS.index(here["day"])
    return [
        each
        for each in CUBE
        if _fields(each)["region"] == here["region"]
        and _fields(each)["model"] == "large"
        and DAYS.index(_fields(each)["day"]) in (place - 1, place)
    ]


def _of_region(region: str, among: Sequence[str], day: str | None) -> Sequence[str]:
    encoded = _fields(multi_key({"region": region}))["region"]
    return [key for key in among if _fields(key)["region"] == encoded and day in (None, _fields(key)["day"])]


PROJECT = SmallProject(
    name="cube",
    assets={
        "scores": SmallAsset(
            keys=CUBE,
            columns=(date_column("day"), text_column("region"), text_column("model")),
            dimensions=("day", "region", "model"),
            made=lambda by, key, _: some_rows(by, CUBE.index(key)),
            beyond=multi_key({"day": DAYS[0], "region": "eu", "model": MODELS[0]}),
        ),
        "graded": SmallAsset(
            keys=CUBE,
            columns=(date_column("day"), text_column("region"), text_column("model")),
            dimensions=("day", "region", "model"),
            reads={"scores": Read("scores", same_key)},
            made=lambda by, _, read: [(i, n * by + 1) for i, n in read["scores"]],
            beyond=multi_key({"day": DAYS[2], "region": REGIONS[1], "model": MODELS[1]}),
        ),
        "by_day": SmallAsset(
            keys=DAYS,
            columns=(date_column("day"),),
            reads={"scores": Read("scores", _of_day, Needs.ONE)},
            made=lambda by, _, read: summed(by, read["scores"]),
            beyond="2024-01-09",
        ),
        "best": SmallAsset(
            keys=AREA,
            columns=(date_column("day"), text_column("region")),
            dimensions=("day", "region"),
            reads={
                "graded": Read("graded", _large),
                "by_day": Read("by_day", lambda key, _: [_fields(key)["day"]]),
            },
            made=lambda by, _, read: summed(by, read["graded"], read["by_day"]),
            beyond=multi_key({"day": DAYS[2], "region": REGIONS[0]}),
        ),
        "by_region": SmallAsset(
            keys=REGIONS,
            columns=(text_column("region"),),
            reads={
                "best": Read("best", lambda key, _: _of_region(key, AREA, DAYS[1])),
                "scores": Read("scores", lambda key, _: _of_region(key, CUBE, None), Needs.NONE),
            },
            made=lambda by, _, read: summed(by, read["best"], read["scores"]),
            beyond="eu",
        ),
    },
    define=definitions,
    spans=DAYS,
)
