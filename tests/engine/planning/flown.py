"""Flights, of which only the columns are known, and what `check` finds about what is made from them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.planning.contracts import Findings, Problem, check_contracts
from deltaworks.engine.planning.graph import build_graph

DAYS = dw.DailyPartitions("2013-01-01", "2013-02-01")
NOW = dt.datetime(2013, 2, 1, tzinfo=dt.UTC)


class Flight(pa.DataFrameModel):
    day: pl.Date
    carrier: str
    delay: float = pa.Field(nullable=True)
    seats: int | None


class Daily(pa.DataFrameModel):
    day: pl.Date
    delay: float = pa.Field(nullable=True)


@dw.asset(partitions=DAYS, partition_by="day")
def flights() -> LazyFrame[Flight]:
    raise AssertionError("a source is never called")


def check(*assets: dw.Asset[..., Any], **resources: dw.Resource) -> tuple[Problem, ...]:
    """Return the problems of flights and some assets."""
    return findings(*assets, **resources).problems


def findings(*assets: dw.Asset[..., Any], **resources: dw.Resource) -> Findings:
    """Return all that there is to say of flights and some assets."""
    return check_contracts(build_graph(dw.Definitions([flights, *assets], resources), NOW))
