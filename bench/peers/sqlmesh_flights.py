"""The flights job as a user of SQLMesh writes it, on DuckDB: `sqlmesh_flights.py write FOLDER DAYS BATCH_DAYS`.

Writes the project: three models with audits that ask what the pandera models ask. `sqlmesh plan` then runs it. `print
FOLDER` says what the last table holds.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "examples" / "flights" / "flights.parquet"
START = dt.date(2013, 1, 1)

CONFIG = """
gateways:
  local:
    connection:
      type: duckdb
      database: lake.duckdb
default_gateway: local
model_defaults:
  dialect: duckdb
  start: 2013-01-01
disable_anonymized_analytics: true
"""

MODEL = """
MODEL (
  name flown.{name},
  kind INCREMENTAL_BY_TIME_RANGE (time_column flight_date{batch}{more}),
  cron '@daily',
  start '2013-01-01',
  end '{end}',
  audits (not_null(columns := ({not_null})), forall(criteria := ({criteria})))
);
{query};
"""

FLIGHTS = """
SELECT flight_date, carrier, flight, tailnum, origin, dest, sched_dep_time, dep_time, dep_delay, arr_delay, distance
FROM read_parquet('{source}') WHERE flight_date BETWEEN @start_date AND @end_date
"""

DAILY_CARRIER = """
SELECT flight_date, carrier, count(*) AS flights, avg(dep_delay) AS mean_dep_delay,
  avg(CASE WHEN dep_time IS NULL THEN 1.0 ELSE 0.0 END) AS cancelled_share
FROM flown.flights WHERE flight_date BETWEEN @start_date AND @end_date GROUP BY flight_date, carrier
"""

TRAILING_WEEK = """
SELECT d.flight_date, c.carrier, count(*) AS days, sum(c.flights) AS flights_7d,
  avg(c.mean_dep_delay) AS mean_dep_delay_7d, avg(c.cancelled_share) AS cancelled_share_7d
FROM (SELECT DISTINCT flight_date FROM flown.daily_carrier WHERE flight_date BETWEEN @start_date AND @end_date) AS d
JOIN flown.daily_carrier AS c ON c.flight_date BETWEEN d.flight_date - INTERVAL 6 DAY AND d.flight_date
GROUP BY d.flight_date, c.carrier
"""

FLIGHT_RULES = [
    "regexp_matches(carrier, '^[A-Z0-9]{2}$')",
    "flight > 0",
    "origin IN ('EWR', 'JFK', 'LGA')",
    "length(dest) = 3",
    "sched_dep_time BETWEEN 0 AND 2359",
    "(dep_time IS NULL OR dep_time BETWEEN 1 AND 2400)",
    "(dep_delay IS NULL OR dep_delay >= -120)",
    "distance > 0",
]
WEEK_RULES = ["days BETWEEN 1 AND 7", "flights_7d > 0", "cancelled_share_7d BETWEEN 0 AND 1"]

FINGERPRINT = """
SELECT count(*), sum(days), sum(flights_7d), sum(mean_dep_delay_7d), sum(cancelled_share_7d) FROM flown.trailing_week
"""


def main() -> None:
    """Do what the command line says."""
    folder = Path(sys.argv[2])
    if sys.argv[1] == "write":
        write(folder, int(sys.argv[3]), int(sys.argv[4]))
        return
    import duckdb  # noqa: PLC0415 - only this venv has it

    with duckdb.connect(str(folder / "lake.duckdb"), read_only=True) as connection:
        rows, *sums = connection.execute(FINGERPRINT).fetchone() or ()
    print(json.dumps([rows, *(round(float(each), 4) for each in sums)]))


def write(folder: Path, days: int, batch_days: int) -> None:
    """Write a project for the first days of the year; batches of no days are one batch."""
    end = START + dt.timedelta(days=days - 1)
    batch = f", batch_size {batch_days}" if batch_days else ""

    def model(name: str, query: str, rules: Sequence[str], not_null: str, more: str = "") -> None:
        text = MODEL.format(
            name=name,
            batch=batch,
            more=more,
            end=end,
            not_null=not_null,
            criteria=", ".join(rules),
            query=query.strip(),
        )
        (folder / "models" / f"{name}.sql").write_text(text.lstrip())

    (folder / "models").mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG.lstrip())
    columns = "flight_date, carrier, flight, origin, dest, sched_dep_time, distance"
    model("flights", FLIGHTS.format(source=SOURCE), FLIGHT_RULES, columns)
    daily_rules = ["flights > 0", "cancelled_share BETWEEN 0 AND 1"]
    model("daily_carrier", DAILY_CARRIER, daily_rules, "flight_date, carrier, flights, cancelled_share")
    week_columns = "flight_date, carrier, days, flights_7d, cancelled_share_7d"
    model("trailing_week", TRAILING_WEEK, WEEK_RULES, week_columns, ", lookback 6")


if __name__ == "__main__":
    main()
