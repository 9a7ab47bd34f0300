"""Shops that come and go, the regions that they belong to, and questions about some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame
from tests.exactness.project import (
    Added,
    Found,
    Keys,
    Read,
    SmallAsset,
    SmallProject,
    all_of,
    frame_of,
    same_key,
    some_rows,
    summed,
    summed_frames,
    text_column,
)

SHOPS = ("north", "south", "a/b, c=d 'e' 100%", "São", "zoo")
"""All that there may ever be."""
REGIONS = ("east", "west", "far")
ANSWERS = ("x", "y", "z")

BELONGS: Mapping[str, list[str]] = {"north": ["east"], "south": ["east", "west"], "São": ["west"], "zoo": ["west"]}
"""The regions of each shop."""
ASKED: Mapping[str, list[str]] = {"x": ["east"], "y": ["west", "east"], "z": ["far"]}
"""The regions that each answer is about."""


class Sale(pa.DataFrameModel):
    shop: str
    i: int
    n: int


class Region(pa.DataFrameModel):
    region: str
    i: int
    n: int


class Total(pa.DataFrameModel):
    i: int
    n: int


def definitions(constants: Mapping[str, int]) -> dw.Definitions:
    sold = sales(constants["sales"])
    return dw.Definitions(
        [
            sold,
            followed(constants["followed"], sold),
            regions(constants["regions"]),
            answers(constants["answers"]),
            total(constants["total"]),
        ]
    )


def sales(by: int) -> dw.Asset[..., LazyFrame[Sale]]:
    @dw.asset(partitions=dw.DynamicPartitions("shops"), partition_by="shop")
    def sales(partition: dw.Partition) -> LazyFrame[Sale]:
        rows = frame_of(some_rows(by, SHOPS.index(partition.key)))
        return rows.select(pl.lit(partition.key).alias("shop"), "i", "n")

    return sales


def followed(by: int, sales: dw.Asset[..., LazyFrame[Sale]]) -> dw.Asset[..., LazyFrame[Sale]]:
    @dw.asset(
        partitions=dw.DynamicPartitions.from_column(sales, "shop"),
        partition_by="shop",
        backfill=dw.BackfillPolicy.ranges(3),
    )
    def followed(
        sales: Annotated[LazyFrame[Sale], dw.Input(mapping=dw.IdentityMapping())],
    ) -> LazyFrame[Sale]:
        return sales.with_columns(n=pl.col("n") * by + 1)

    return followed


def regions(by: int) -> dw.Asset[..., LazyFrame[Region]]:
    @dw.asset(partitions=dw.StaticPartitions(REGIONS), partition_by="region")
    def regions(
        sales: Annotated[LazyFrame[Sale], dw.Input(mapping=dw.StaticMapping(BELONGS))], partition: dw.Partition
    ) -> LazyFrame[Region]:
        return summed_frames(by, sales).select(pl.lit(partition.key).alias("region"), "i", "n")

    return regions


def asked(key: str) -> Sequence[str]:
    return ASKED[key]


def answers(by: int) -> dw.Asset[..., LazyFrame[Region]]:
    @dw.asset(partitions=dw.StaticPartitions(ANSWERS), partition_by="region")
    def answers(
        about: Annotated[LazyFrame[Region], dw.Input(asset="regions", mapping=asked)],
        west: Annotated[LazyFrame[Region], dw.Input(asset="regions", mapping=dw.SpecificPartitionsMapping(["west"]))],
        newest: Annotated[LazyFrame[Sale], dw.Input(asset="sales", mapping=dw.LastPartitionMapping())],
        partition: dw.Partition,
    ) -> LazyFrame[Region]:
        return summed_frames(by, about, west, newest).select(pl.lit(partition.key).alias("region"), "i", "n")

    return answers


def total(by: int) -> dw.Asset[..., LazyFrame[Total]]:
    @dw.asset
    def total(followed: LazyFrame[Sale], regions: LazyFrame[Region]) -> LazyFrame[Total]:
        return summed_frames(by, followed, regions)

    return total


def _shops_of(region: str, _: Keys) -> Sequence[str]:
    """Return the shops of a region, be they partitions or not; while one of them is none, the region waits for it."""
    return [shop for shop, regions in BELONGS.items() if region in regions]


PROJECT = SmallProject(
    name="keys",
    assets={
        "sales": SmallAsset(
            keys=Added("shops"),
            columns=(text_column("shop"),),
            made=lambda by, key, _: some_rows(by, SHOPS.index(key)),
            beyond="corner",
        ),
        "followed": SmallAsset(
            keys=Found("sales"),
            columns=(text_column("shop"),),
            reads={"sales": Read("sales", same_key)},
            made=lambda by, _, read: [(i, n * by + 1) for i, n in read["sales"]],
            beyond="nowhere",
        ),
        "regions": SmallAsset(
            keys=REGIONS,
            columns=(text_column("region"),),
            reads={"sales": Read("sales", _shops_of)},
            made=lambda by, _, read: summed(by, read["sales"]),
            beyond="beyond",
        ),
        "answers": SmallAsset(
            keys=ANSWERS,
            columns=(text_column("region"),),
            reads={
                "about": Read("regions", lambda key, _: ASKED[key]),
                "west": Read("regions", lambda *_: ["west"]),
                "newest": Read("sales", lambda _, keys: keys["sales"][-1:]),
            },
            made=lambda by, _, read: summed(by, read["about"], read["west"], read["newest"]),
            beyond="beyond",
        ),
        "total": SmallAsset(
            keys=("",),
            columns=(),
            reads={"followed": all_of("followed"), "regions": all_of("regions")},
            made=lambda by, _, read: summed(by, read["followed"], read["regions"]),
        ),
    },
    define=definitions,
    spans=REGIONS,
    pool={"shops": SHOPS},
)
