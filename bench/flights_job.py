"""The flights job by Polars and pandera alone: models, and functions from frame to frame.

Whatever runs it without this engine imports this; it is the example's job, word for word, which a test proves.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandera.polars as pa
import polars as pl

SOURCE = Path(__file__).parents[1] / "examples" / "flights" / "flights.parquet"
TABLES = ("flights", "daily_carrier", "trailing_week")
START = dt.date(2013, 1, 1)


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


def days_from_start(count: int) -> list[dt.date]:
    """Return the first days of the year."""
    return [START + dt.timedelta(days=day) for day in range(count)]


def flights_of(first: dt.date, last: dt.date) -> pl.DataFrame:
    """Return the flights of some days, both included."""
    of_days = pl.scan_parquet(SOURCE).filter(pl.col("flight_date").is_between(first, last))
    return of_days.select(list(Flight.to_schema().columns)).collect()


def daily_carrier(flights: pl.DataFrame) -> pl.DataFrame:
    """Return flights, mean delay and cancelled share by day and carrier."""
    return flights.group_by("flight_date", "carrier").agg(
        flights=pl.len().cast(pl.Int64),
        mean_dep_delay=pl.col("dep_delay").mean(),
        cancelled_share=pl.col("dep_time").is_null().mean(),
    )


def trailing_day(week: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """Return one day's trailing week, of the seven days up to it."""
    columns = list(TrailingWeek.to_schema().columns)
    return _aggregated(week.drop("flight_date"), ["carrier"]).with_columns(flight_date=pl.lit(day)).select(columns)


def trailing_days(daily: pl.DataFrame, first: dt.date, last: dt.date) -> pl.DataFrame:
    """Return the trailing weeks of some days at once, both included."""
    counts_for = pl.date_ranges("of", pl.col("of") + pl.duration(days=6))
    spread = daily.rename({"flight_date": "of"}).with_columns(flight_date=counts_for)
    weeks = _aggregated(spread.explode("flight_date", empty_as_null=True, keep_nulls=True), ["flight_date", "carrier"])
    wanted = weeks.filter(pl.col("flight_date").is_between(first, last))
    return wanted.select(list(TrailingWeek.to_schema().columns))


def fingerprint(trailing_week: pl.DataFrame) -> tuple[float, ...]:
    """Return what equal results agree in: rows and sums, without the digits in which parallel sums differ."""
    sums = trailing_week.select(pl.col("days", "flights_7d", "mean_dep_delay_7d", "cancelled_share_7d").sum()).row(0)
    return (trailing_week.height, *(round(float(value), 4) for value in sums))


def _aggregated(week: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    return week.group_by(by).agg(
        days=pl.len().cast(pl.Int64),
        flights_7d=pl.col("flights").sum(),
        mean_dep_delay_7d=pl.col("mean_dep_delay").mean(),
        cancelled_share_7d=pl.col("cancelled_share").mean(),
    )
