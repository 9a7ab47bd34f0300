"""The flights job as a user of Dagster writes it: `python dagster_flights.py LAKE DAYS each|range|library`.

The same models and functions as in the plain scripts, validated as often, stored as Delta tables by an IO manager of a
few lines. `each` is a run a day, `range` one run over all days, and `library` the same with the IO manager of
dagster-deltalake-polars. They run in this process; runs and events are kept in SQLite, as they are by default.
"""

import datetime as dt
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from deltalake import DeltaTable, write_deltalake

sys.path.insert(0, str(Path(__file__).parents[1]))

from flights_job import DailyCarrier, Flight, TrailingWeek, days_from_start, flights_of, trailing_day, trailing_days
from flights_job import daily_carrier as by_carrier

DAYS = dg.DailyPartitionsDefinition(start_date="2013-01-01", end_date="2014-01-01")
WEEK = dg.TimeWindowPartitionMapping(start_offset=-6, end_offset=0, allow_nonexistent_upstream_partitions=True)
OPTIONS: dict[str, Any] = {
    "partitions_def": DAYS,
    "backfill_policy": dg.BackfillPolicy.single_run(),
    "io_manager_key": "delta",
    "metadata": {"partition_expr": "flight_date"},
}


class Delta(dg.ConfigurableIOManager):
    """Delta tables below a folder, with the days of a run replaced."""

    lake: str

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame) -> None:
        """Replace the days of a run."""
        table, days = self._table(context.asset_key), context.asset_partition_key_range
        if not DeltaTable.is_deltatable(table):
            write_deltalake(table, obj, partition_by=["flight_date"])
            return
        predicate = f"flight_date >= '{days.start}' and flight_date <= '{days.end}'"
        write_deltalake(DeltaTable(table), obj, mode="overwrite", predicate=predicate)

    def load_input(self, context: dg.InputContext) -> pl.DataFrame:
        """Return the days that a run reads."""
        days = context.asset_partition_key_range
        first, last = dt.date.fromisoformat(days.start), dt.date.fromisoformat(days.end)
        is_read = pl.col("flight_date").is_between(first, last)
        return pl.scan_delta(self._table(context.asset_key)).filter(is_read).collect()

    def _table(self, key: dg.AssetKey) -> str:
        return str(Path(self.lake) / key.path[-1])


def days_of(context: dg.AssetExecutionContext) -> tuple[dt.date, dt.date]:
    """Return the first and the last day of a run."""
    window = context.partition_time_window
    return window.start.date(), window.end.date() - dt.timedelta(days=1)


@dg.asset(**OPTIONS)
def flights(context: dg.AssetExecutionContext) -> pl.DataFrame:
    """One row per departure from New York."""
    return Flight.validate(flights_of(*days_of(context)))


@dg.asset(**OPTIONS)
def daily_carrier(flights: pl.DataFrame) -> pl.DataFrame:
    """Flights, mean delay and cancelled share by day and carrier."""
    return DailyCarrier.validate(by_carrier(flights))


@dg.asset(**OPTIONS, ins={"daily_carrier": dg.AssetIn(partition_mapping=WEEK)})
def trailing_week(context: dg.AssetExecutionContext, daily_carrier: pl.DataFrame) -> pl.DataFrame:
    """The last seven days of each carrier, for every day."""
    first, last = days_of(context)
    made = trailing_day(daily_carrier, first) if first == last else trailing_days(daily_carrier, first, last)
    return TrailingWeek.validate(made)


ASSETS = [flights, daily_carrier, trailing_week]
defs = dg.Definitions(assets=ASSETS, resources={"delta": Delta(lake="lake")})


def library(lake: str) -> Any:
    """Return the IO manager of dagster-deltalake-polars, which no other way pays for."""
    from dagster_deltalake import LocalConfig  # noqa: PLC0415
    from dagster_deltalake_polars import DeltaLakePolarsIOManager  # noqa: PLC0415

    return DeltaLakePolarsIOManager(root_uri=lake, storage_options=LocalConfig(), schema="flown")


def main() -> None:
    """Run the job in this process."""
    lake, days, way = sys.argv[1], days_from_start(int(sys.argv[2])), sys.argv[3]
    logging.disable(logging.CRITICAL)
    ends = {
        "dagster/asset_partition_range_start": str(days[0]),
        "dagster/asset_partition_range_end": str(days[-1]),
    }
    delta = library(lake) if way == "library" else Delta(lake=lake)
    with tempfile.TemporaryDirectory() as home:
        instance = dg.DagsterInstance.local_temp(home)
        common: dict[str, Any] = {"resources": {"delta": delta}, "instance": instance}
        runs: list[dict[str, Any]] = [{"partition_key": str(d)} for d in days] if way == "each" else [{"tags": ends}]
        for options in runs:
            assert dg.materialize(ASSETS, **common, **options).success


if __name__ == "__main__":
    main()
