"""The flights job as scripts without an engine, with Polars, pandera and deltalake alone.

`python plain.py loop LAKE [DAYS]` overwrites one partition a commit, as a user's loop does; `python plain.py script
LAKE [DAYS]` computes each table at once and writes it in one commit.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable, write_deltalake

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "flights"))

from flights import DailyCarrier, Flight, TrailingWeek

SOURCE = Path(__file__).parents[1] / "examples" / "flights" / "flights.parquet"
COLUMNS = list(Flight.to_schema().columns)


def main() -> None:
    """Run the way that the command line names."""
    way, lake, days = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 365
    start = dt.date(2013, 1, 1)
    {"loop": loop, "script": script}[way](lake, [start + dt.timedelta(days=day) for day in range(days)])


def loop(lake: Path, days: list[dt.date]) -> None:
    """Make the three tables day by day."""
    for day in days:
        flights = pl.scan_parquet(SOURCE).filter(pl.col("flight_date") == day).select(COLUMNS).collect()
        overwrite(lake / "flights", Flight.validate(flights), day)
        overwrite(lake / "daily_carrier", DailyCarrier.validate(daily_carrier(flights)), day)
        week = pl.scan_delta(str(lake / "daily_carrier")).filter(
            pl.col("flight_date").is_between(day - dt.timedelta(days=6), day)
        )
        overwrite(lake / "trailing_week", TrailingWeek.validate(trailing(week.collect(), day)), day)


def script(lake: Path, days: list[dt.date]) -> None:
    """Make each table at once."""
    flights = pl.scan_parquet(SOURCE).filter(pl.col("flight_date") <= days[-1]).select(COLUMNS).collect()
    daily = daily_carrier(flights)
    week = daily.rename({"flight_date": "of"}).with_columns(
        flight_date=pl.date_ranges("of", pl.col("of") + pl.duration(days=6))
    )
    weekly = aggregated(week.explode("flight_date", empty_as_null=True, keep_nulls=True), ["flight_date", "carrier"])
    weekly = weekly.filter(pl.col("flight_date") <= days[-1]).select(list(TrailingWeek.to_schema().columns))
    for name, model, df in (
        ("flights", Flight, flights),
        ("daily_carrier", DailyCarrier, daily),
        ("trailing_week", TrailingWeek, weekly),
    ):
        write_deltalake(str(lake / name), checked(model, df), partition_by=["flight_date"])


def checked(model: Any, df: pl.DataFrame) -> pl.DataFrame:
    """Validate a frame by pandera itself."""
    return model.validate(df)


def overwrite(table: Path, df: pl.DataFrame, day: dt.date) -> None:
    """Replace one day of a table in one commit."""
    if not (table / "_delta_log").exists():
        write_deltalake(str(table), df, partition_by=["flight_date"])
        return
    write_deltalake(DeltaTable(str(table)), df, mode="overwrite", predicate=f"flight_date = '{day}'")


def daily_carrier(flights: pl.DataFrame) -> pl.DataFrame:
    """Return flights, mean delay and cancelled share by day and carrier."""
    return flights.group_by("flight_date", "carrier").agg(
        flights=pl.len().cast(pl.Int64),
        mean_dep_delay=pl.col("dep_delay").mean(),
        cancelled_share=pl.col("dep_time").is_null().mean(),
    )


def trailing(week: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """Return one day's trailing week."""
    columns = list(TrailingWeek.to_schema().columns)
    return aggregated(week.drop("flight_date"), ["carrier"]).with_columns(flight_date=pl.lit(day)).select(columns)


def aggregated(week: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Sum up days of carriers."""
    return week.group_by(by).agg(
        days=pl.len().cast(pl.Int64),
        flights_7d=pl.col("flights").sum(),
        mean_dep_delay_7d=pl.col("mean_dep_delay").mean(),
        cancelled_share_7d=pl.col("cancelled_share").mean(),
    )


if __name__ == "__main__":
    main()
