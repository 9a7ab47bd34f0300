"""Two databases: orders are read from one, and what was made of them is exported to the other.

Both are told by variables: SHOP_URI=postgresql://user:password@host/shop REPORTS_URI=... deltaworks backfill
"""

from __future__ import annotations

from typing import Annotated

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.resources import SqlDatabase

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-08")

shop = SqlDatabase(uri=dw.EnvVar("SHOP_URI"))
reports = SqlDatabase(uri=dw.EnvVar("REPORTS_URI"))


class Order(pa.DataFrameModel):
    """An order."""

    day: pl.Date
    customer: str
    amount: float = pa.Field(gt=0)


class Revenue(pa.DataFrameModel):
    """What a day brought."""

    day: pl.Date = pa.Field(unique=True)
    orders: int
    amount: float


@dw.asset(partitions=days, partition_by="day", retry=dw.RetryPolicy(max_retries=2, delay_s=1.0))
def orders(shop: SqlDatabase, partition: dw.Partition) -> LazyFrame[Order]:
    """The orders of a day, as the shop's database has them."""
    query = "SELECT day, customer, amount FROM orders WHERE day >= $1 AND day < $2"
    return shop.scan(query, (partition.start, partition.end))


@dw.asset
def revenue(orders: LazyFrame[Order]) -> LazyFrame[Revenue]:
    """Orders and amount by day."""
    return orders.group_by("day").agg(orders=pl.len().cast(pl.Int64), amount=pl.col("amount").sum())


@dw.op(retry=dw.RetryPolicy(max_retries=2, delay_s=1.0))
def export(revenue: Annotated[pl.DataFrame, dw.In(asset="revenue")], reports: SqlDatabase) -> int:
    """Bring the revenue to the database of the reports; a second time changes nothing."""
    return reports.write(revenue, "revenue", mode="upsert", keys=["day"])


@dw.job
def publish() -> None:
    """Export the revenue."""
    export()
