"""The shop's tables: what was sold, day by day."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame


class Sale(pa.DataFrameModel):
    """One sale."""

    day: pl.Date
    product: str = pa.Field(isin=["apples", "pears"])
    amount: float = pa.Field(ge=0)
    polars: str
    """Which version of Polars made the row."""


days = dw.DailyPartitions(start="2024-01-01", end="2024-02-01")


@dw.asset(partitions=days, partition_by="day", group="sales", owners=["team:shop"])
def sales(partition: dw.Partition) -> LazyFrame[Sale]:
    """What was sold on a day."""
    number = partition.start.day
    return pl.LazyFrame(
        {"product": ["apples", "pears"], "amount": [1.5 * number, 2.0 * (number % 7)]},
    ).select(
        day=pl.lit(partition.start, pl.Date),
        product="product",
        amount="amount",
        polars=pl.lit(pl.__version__),
    )
