"""The tables of the finance department, made from those of the shop."""

from __future__ import annotations

import os

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame


class Sold(pa.DataFrameModel):
    """What is needed of a sale; the shop's own model may say more."""

    day: pl.Date
    amount: float


class Turnover(pa.DataFrameModel):
    """The turnover of a day."""

    day: pl.Date
    turnover: float = pa.Field(ge=0)
    currency: str
    polars: str
    """Which version of Polars made the row."""


days = dw.DailyPartitions(start="2024-01-01", end="2024-02-01")


@dw.asset(partitions=days, partition_by="day", group="reports", owners=["team:finance"])
def turnover(sales: LazyFrame[Sold]) -> LazyFrame[Turnover]:
    """The turnover of each day, from the shop's sales."""
    return (
        sales.group_by("day")
        .agg(turnover=pl.col("amount").sum())
        .with_columns(currency=pl.lit(os.environ["CURRENCY"]), polars=pl.lit(pl.__version__))
    )


@dw.asset_sensor(asset="sales", job=dw.define_asset_job("close_days", selection="turnover", partitions=days))
def on_sales(commits: dw.Commits) -> list[dw.RunRequest]:
    """Close each day again that the shop has changed."""
    return [dw.RunRequest(partition=key, run_key=f"{commits.version}-{key}") for key in commits.partitions()]
