"""What the demo of the UI has beside the flights: a feed with gaps, tables by airport, checks, jobs, and automation."""

import time
from datetime import timedelta
from typing import Annotated

import flights as tables
import pandera.polars as pa
import polars as pl
from pydantic import Field

import deltaworks as dw
from deltaworks import LazyFrame

BROKEN = ("2013-07-04", "2013-07-05")
SLOW_FROM = "2013-10-01"

airports = dw.StaticPartitions(["EWR", "JFK", "LGA"])
days_by_airport = dw.MultiPartitions({"flight_date": tables.days, "origin": airports})


class Weather(pa.DataFrameModel):
    """A day's wind, in kilometres an hour."""

    flight_date: pl.Date
    wind_kmh: float = pa.Field(ge=0)


class AirportDay(pa.DataFrameModel):
    """How many flights left an airport on a day."""

    flight_date: pl.Date
    origin: str
    flights: int = pa.Field(gt=0)


class Summary(pa.DataFrameModel):
    """One line."""

    windiest_kmh: float
    flights: int


class WindAndDelay(pa.DataFrameModel):
    """A day's wind beside its mean departure delay, in minutes."""

    flight_date: pl.Date
    wind_kmh: float
    mean_dep_delay: float = pa.Field(nullable=True)


@dw.asset(partitions=tables.days, partition_by="flight_date", group="raw", owners=["team:met"])
def weather(partition: dw.Partition) -> LazyFrame[Weather]:
    """The wind of each day, from a feed that is slow in the autumn and lacks two days."""
    if partition.key in BROKEN:
        raise RuntimeError(f"the feed has no weather of {partition.key}")
    if partition.key >= SLOW_FROM:
        time.sleep(2)
    return pl.LazyFrame({"flight_date": [partition.start], "wind_kmh": [partition.start.day % 9 * 4.5]})


@dw.asset_check(weather, when="after")
def calm(result: LazyFrame[Weather]) -> dw.CheckResult:
    """No day is stormy."""
    strongest = result.select(pl.col("wind_kmh").max()).collect().item() or 0.0
    return dw.CheckResult(strongest < 30, {"wind_kmh": strongest}, message=f"{strongest:g} km/h, below 30 expected")


@dw.asset(partitions=days_by_airport, backfill=dw.BackfillPolicy.ranges(max_partitions=90), group="mart")
def airport_days(flights: LazyFrame[tables.Flight], partition: dw.Partition) -> LazyFrame[AirportDay]:
    """Flights by day and airport."""
    counted = flights.group_by("flight_date", "origin").agg(flights=pl.len().cast(pl.Int64))
    return counted.filter(partition.contains("flight_date") & partition.contains("origin"))


@dw.asset(
    name="mart/wind_and_delay",
    partitions=tables.days,
    partition_by="flight_date",
    group="mart",
    automation=dw.AutomationCondition.on_missing(),
)
def wind_and_delay(
    weather: LazyFrame[Weather], daily_carrier: LazyFrame[tables.DailyCarrier]
) -> LazyFrame[WindAndDelay]:
    """Whether flights are later on windy days."""
    delays = daily_carrier.group_by("flight_date").agg(pl.col("mean_dep_delay").mean())
    return weather.join(delays, on="flight_date").select("flight_date", "wind_kmh", "mean_dep_delay")


@dw.asset(name="mart/summary", group="mart", freshness=dw.FreshnessPolicy(timedelta(minutes=1)))
def summary(
    delays: Annotated[
        LazyFrame[WindAndDelay], dw.Input(asset="mart/wind_and_delay", mapping=dw.AllPartitionsMapping())
    ],
    airport_days: Annotated[LazyFrame[AirportDay], dw.Input(mapping=dw.AllPartitionsMapping())],
) -> LazyFrame[Summary]:
    """What the front page says."""
    return delays.select(windiest_kmh=pl.col("wind_kmh").max()).join(
        airport_days.select(flights=pl.col("flights").sum()), how="cross"
    )


class Letter(dw.Config):
    """Who is written to, and what about."""

    subject: str
    copies: int = Field(default=1, ge=1, le=20)
    """How many are sent."""
    is_urgent: bool = False


@dw.op
def busiest(days: Annotated[pl.DataFrame, dw.In(asset="airport_days")]) -> str:
    """Return the airport from which most flights left."""
    return str(days.group_by("origin").agg(pl.col("flights").sum()).sort("flights")["origin"][-1])


@dw.op
def send(airport: str, letter: Letter, log: dw.Logger) -> None:
    """Write the letter."""
    log.info("%s: %s is the busiest airport, %d copies", letter.subject, airport, letter.copies)


@dw.job
def letter() -> None:
    """Tell people which airport is the busiest."""
    send(busiest())


morning = dw.define_asset_job("morning", "daily_carrier", partitions=tables.days)
every_morning = dw.define_schedule("every_morning", job=morning, cron="0 6 * * *", timezone="America/New_York")


@dw.schedule(job=letter, cron="*/5 * * * *")
def letters(tick: dw.Tick) -> dw.RunRequest:
    """Write a letter every five minutes."""
    return dw.RunRequest(config={"send": {"subject": f"at {tick.scheduled_at:%H:%M}"}})


@dw.sensor(job=letter, interval_s=15)
def complaints() -> dw.SkipReason:
    """Look for complaints that want an answer."""
    return dw.SkipReason("nobody has complained")


@dw.sensor(job=morning, interval_s=30)
def feed_news() -> dw.SkipReason:
    """Ask the feed whether the days that it lacks have come."""
    raise RuntimeError(f"the feed does not answer; it still lacks {', '.join(BROKEN)}")


@dw.asset_sensor(asset=tables.carriers, job=letter, is_on=False)
def new_carriers(commits: dw.Commits) -> dw.RunRequest:
    """Tell people of new carriers, once somebody switches this on."""
    return dw.RunRequest(run_key=f"carriers-{commits.version}", config={"send": {"subject": "new carriers"}})


defs = dw.Definitions(
    assets=[weather, airport_days, wind_and_delay, summary],
    checks=[calm],
    jobs=[letter, morning],
    schedules=[every_morning, letters],
    sensors=[complaints, feed_news, new_carriers],
)
