"""The flights job as scripts without an engine, with Polars, pandera and deltalake alone.

`python plain.py loop LAKE [DAYS]` overwrites one partition a commit, as a user's loop does; `python plain.py script
LAKE [DAYS]` computes each table at once and writes it in one commit.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import polars as pl
from deltalake import DeltaTable, write_deltalake
from flights_job import (
    DailyCarrier,
    Flight,
    TrailingWeek,
    daily_carrier,
    days_from_start,
    flights_of,
    trailing_day,
    trailing_days,
)


def main() -> None:
    """Run the way that the command line names."""
    way, lake, days = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 365
    {"loop": loop, "script": script}[way](lake, days_from_start(days))


def loop(lake: Path, days: list[dt.date]) -> None:
    """Make the three tables day by day."""
    for day in days:
        flights = Flight.validate(flights_of(day, day))
        overwrite(lake / "flights", flights, day)
        overwrite(lake / "daily_carrier", DailyCarrier.validate(daily_carrier(flights)), day)
        week = pl.scan_delta(str(lake / "daily_carrier")).filter(
            pl.col("flight_date").is_between(day - dt.timedelta(days=6), day)
        )
        overwrite(lake / "trailing_week", TrailingWeek.validate(trailing_day(week.collect(), day)), day)


def script(lake: Path, days: list[dt.date]) -> None:
    """Make each table at once."""
    flights = Flight.validate(flights_of(days[0], days[-1]))
    daily = DailyCarrier.validate(daily_carrier(flights))
    weekly = TrailingWeek.validate(trailing_days(daily, days[0], days[-1]))
    for name, df in (("flights", flights), ("daily_carrier", daily), ("trailing_week", weekly)):
        write_deltalake(str(lake / name), df, partition_by=["flight_date"])


def overwrite(table: Path, df: pl.DataFrame, day: dt.date) -> None:
    """Replace one day of a table in one commit."""
    if not (table / "_delta_log").exists():
        write_deltalake(str(table), df, partition_by=["flight_date"])
        return
    write_deltalake(DeltaTable(str(table)), df, mode="overwrite", predicate=f"flight_date = '{day}'")


if __name__ == "__main__":
    main()
