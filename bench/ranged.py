"""The flights job of the example with functions that are right on ranges of days, so that one call makes many."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "flights"))

from flights import DailyCarrier, Files, Flight, TrailingWeek, days

RANGES = dw.BackfillPolicy.ranges(max_partitions=100)


@dw.asset(partitions=days, partition_by="flight_date", backfill=RANGES)
def flights(partition: dw.Partition, files: Files) -> LazyFrame[Flight]:
    """One row per departure from New York."""
    return files.flights().filter(partition.contains("flight_date")).select(list(Flight.to_schema().columns))


@dw.asset(partitions=days, partition_by="flight_date", backfill=RANGES)
def daily_carrier(flights: LazyFrame[Flight]) -> LazyFrame[DailyCarrier]:
    """Flights, mean departure delay and share of cancelled flights, by day and carrier."""
    return flights.group_by("flight_date", "carrier").agg(
        flights=pl.len().cast(pl.Int64),
        mean_dep_delay=pl.col("dep_delay").mean(),
        cancelled_share=pl.col("dep_time").is_null().mean(),
    )


@dw.asset(partitions=days, partition_by="flight_date", backfill=RANGES)
def trailing_week(
    daily_carrier: Annotated[LazyFrame[DailyCarrier], dw.Input(mapping=dw.TimeWindowMapping(start_offset=-6))],
) -> LazyFrame[TrailingWeek]:
    """The last seven days of each carrier that flew in them, for every day; each day counts for the six after it."""
    counts_for = pl.date_ranges("flight_date", pl.col("flight_date") + pl.duration(days=6))
    spread = daily_carrier.with_columns(flight_date=counts_for).explode(
        "flight_date", empty_as_null=True, keep_nulls=True
    )
    return (
        spread.group_by("flight_date", "carrier")
        .agg(
            days=pl.len().cast(pl.Int64),
            flights_7d=pl.col("flights").sum(),
            mean_dep_delay_7d=pl.col("mean_dep_delay").mean(),
            cancelled_share_7d=pl.col("cancelled_share").mean(),
        )
        .select(list(TrailingWeek.to_schema().columns))
    )


defs = dw.Definitions(assets=[flights, daily_carrier, trailing_week], resources={"files": Files()})
