"""A claim finds a partition's rows whatever dtype their time has, and Parquet readers push it down."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deltaworks as dw
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from tests.engine.definitions.partitions import time_reference as reference

NEW_YORK = "America/New_York"
HOURS = dw.HourlyPartitions("2013-11-03", "2013-11-04", NEW_YORK)
MONTHS = dw.MonthlyPartitions("2013-01-01", "2014-01-01", NEW_YORK)
DAYS = dw.DailyPartitions("2013-11-01", "2013-11-09", NEW_YORK)
SHIFTS = dw.DailyPartitions("2013-11-01", "2013-11-10", NEW_YORK, hour_offset=5)
WORKDAYS = dw.DailyPartitions("2013-11-01", "2013-11-20", NEW_YORK, exclusions=["0 0 * * SAT,SUN"])


def chosen(definition: TimePartitions, first: int, last: int, values: pl.Series) -> list[int]:
    """Return which rows are in the partitions, by their number; by name and by expression they are the same."""
    df = pl.DataFrame({"time": values}).with_row_index("row")
    partition = Partition(definition, first, last)
    kept = df.filter(partition.contains("time"))
    assert kept.equals(df.filter(partition.contains(pl.col("time"))))
    assert kept.equals(df.lazy().filter(partition.contains("time")).collect(engine="streaming"))
    return kept["row"].to_list()


def moments(*texts: str) -> pl.Series:
    return pl.Series([dt.datetime.fromisoformat(text) for text in texts], dtype=pl.Datetime("us"))


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", NEW_YORK, "Asia/Kathmandu"])
def test_an_instant_is_in_the_hour_in_which_it_is(unit: str, zone: str) -> None:
    instants = moments("2013-11-03T04:59", "2013-11-03T05:00", "2013-11-03T05:59", "2013-11-03T06:00")
    values = instants.dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.cast_time_unit(unit)  # type: ignore[arg-type]

    assert chosen(HOURS, 1, 1, values) == [1, 2]
    assert chosen(HOURS, 1, 2, values) == [1, 2, 3]


def test_a_time_without_zone_is_what_the_clock_shows_and_the_earlier_of_two() -> None:
    values = moments("2013-11-03T00:59", "2013-11-03T01:00", "2013-11-03T01:59", "2013-11-03T02:00")
    spring = dw.HourlyPartitions("2013-03-10", "2013-03-11", NEW_YORK)

    assert [chosen(HOURS, hour, hour, values) for hour in range(4)] == [[0], [1, 2], [], [3]]
    assert chosen(spring, 2, 2, moments("2013-03-10T01:59", "2013-03-10T02:30", "2013-03-10T03:00")) == [1, 2]


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (DAYS, [[0], [1], [2]]),
        (SHIFTS, [[0], [1], [2]]),
        (dw.MonthlyPartitions("2013-10-01", "2014-01-01"), [[], [0, 1, 2], []]),
        (dw.CronPartitions("0 12 * * *", "2013-10-31", "2013-11-04", NEW_YORK), [[0], [1], [2]]),
    ],
)
def test_a_day_is_in_the_partition_that_it_names(definition: TimePartitions, expected: list[list[int]]) -> None:
    values = pl.Series([dt.date(2013, 11, 1), dt.date(2013, 11, 2), dt.date(2013, 11, 3), None])

    assert [chosen(definition, ordinal, ordinal, values) for ordinal in range(3)] == expected


def test_a_day_that_begins_later_has_what_is_before_it_in_the_day_before() -> None:
    values = moments("2013-11-02T04:59", "2013-11-02T05:00", "2013-11-03T04:59", "2013-11-03T05:00")
    in_utc = values.dt.replace_time_zone(NEW_YORK).dt.convert_time_zone("UTC")

    assert chosen(SHIFTS, 1, 1, values) == chosen(SHIFTS, 1, 1, in_utc) == [1, 2]


@pytest.mark.parametrize("definition", [HOURS, MONTHS, DAYS, SHIFTS, WORKDAYS])
@pytest.mark.parametrize("dtype", [pl.String(), pl.Categorical()])
def test_a_text_is_in_the_partition_whose_key_it_is(definition: TimePartitions, dtype: pl.DataType) -> None:
    values = pl.concat([definition.keys(pl.int_range(8, eager=True)), pl.Series([None, "", "2013-11-05x"])]).cast(dtype)

    assert chosen(definition, 3, 3, values) == [3]
    assert chosen(definition, 3, 6, values) == [3, 4, 5, 6]


def test_excluded_days_in_between_are_left_out() -> None:
    days = pl.date_range(dt.date(2013, 11, 1), dt.date(2013, 11, 12), eager=True)
    expected = [3, 4, 5, 6, 7, 10]

    assert WORKDAYS.keys(pl.Series([1, 6])).to_list() == ["2013-11-04", "2013-11-11"]
    assert chosen(WORKDAYS, 1, 6, days) == expected
    noons = days.cast(pl.Datetime("us")).dt.offset_by("12h")
    assert chosen(WORKDAYS, 1, 6, noons) == expected
    assert chosen(WORKDAYS, 1, 6, noons.dt.replace_time_zone(NEW_YORK)) == expected
    assert chosen(WORKDAYS, 1, 6, days.dt.to_string("%Y-%m-%d")) == expected


@pytest.mark.parametrize(
    "values", [pl.Series([1, 2]), pl.Series([1.5]), pl.Series([True]), pl.Series([dt.timedelta(1)])]
)
def test_what_is_no_time_is_refused(values: pl.Series) -> None:
    for definition in (HOURS, MONTHS):
        with pytest.raises(pl.exceptions.PolarsError):
            chosen(definition, 0, 0, values)


def test_an_expression_is_taken_for_days_or_for_instants() -> None:
    df = pl.DataFrame({"text": ["2013-11-02T05:00", "2013-11-03T05:00", "2013-11-03T06:00"]})
    time = pl.col("text").str.to_datetime(time_unit="us")

    assert df.filter(DAYS.claim(1, 1, time)).height == 1
    assert df.filter(DAYS.claim(1, 2, time.dt.date())).height == 3
    assert df.filter(HOURS.claim(1, 1, time.dt.replace_time_zone("UTC"))).height == 1


@pytest.mark.parametrize(
    ("definition", "dtype", "selection"),
    [
        (
            HOURS,
            pl.Datetime("us", "UTC"),
            '(col("t") >= 2013-11-03 05:00:00 UTC) & (col("t") < 2013-11-03 06:00:00 UTC)',
        ),
        (
            DAYS,
            pl.Datetime("us", "UTC"),
            '(col("t") >= 2013-11-02 04:00:00 UTC) & (col("t") < 2013-11-03 04:00:00 UTC)',
        ),
        (DAYS, pl.Datetime("us"), '(col("t") >= 2013-11-02 00:00:00) & (col("t") < 2013-11-03 00:00:00)'),
        (DAYS, pl.Date(), '(col("t") >= 2013-11-02) & (col("t") < 2013-11-03)'),
        (MONTHS, pl.Date(), '(col("t") >= 2013-02-01) & (col("t") < 2013-03-01)'),
        (DAYS, pl.String(), 'col("t") == "2013-11-02"'),
    ],
)
def test_parquet_readers_see_plain_comparisons(
    tmp_path: Path, definition: TimePartitions, dtype: pl.DataType, selection: str
) -> None:
    pl.DataFrame(schema={"t": dtype}).write_parquet(tmp_path / "t.parquet")

    plan = pl.scan_parquet(tmp_path / "t.parquet").filter(definition.claim(1, 1, "t")).explain()

    assert f"SELECTION: {selection}" in plan


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(reference.ZONES), reference.WALLS)
def test_every_time_is_in_one_hour_and_one_day(zone: str, time: dt.datetime) -> None:
    start = dt.datetime.combine(time, dt.time()) - dt.timedelta(days=1)
    bounds = start, start + dt.timedelta(days=3), zone
    walls = pl.datetime_range(time, time + dt.timedelta(days=1), "17m", eager=True)
    shown = [reference.first_instant(wall, ZoneInfo(zone)) for wall in walls]
    df = pl.DataFrame({"wall": walls, "instant": pl.Series(shown, dtype=pl.Datetime("us", "UTC"))})

    for definition in (dw.HourlyPartitions(*bounds), dw.DailyPartitions(*bounds, hour_offset=3)):
        claims = {
            f"{column} {ordinal}": definition.claim(ordinal, ordinal, column)
            for ordinal in range(definition.size)
            for column in df.columns
        }
        found = df.select(**claims)
        begins = definition.starts_at.search_sorted(df["instant"], side="right").cast(pl.Int64) - 1
        for column in df.columns:
            of_column = found.select(pl.col(f"^{column} .*$"))
            inside = (df["instant"] >= definition.starts_at[0]) & (df["instant"] < definition.ends_at[-1])
            assert of_column.sum_horizontal().to_list() == inside.cast(pl.UInt32).to_list()
            for row, ordinal in enumerate(begins):
                assert not inside[row] or of_column.item(row, f"{column} {ordinal}")


@pytest.mark.parametrize(
    ("definition", "dtype", "problem"),
    [
        (HOURS, pl.Datetime("us", "UTC"), None),
        (HOURS, pl.String(), None),
        (DAYS, pl.Date(), None),
        (DAYS, pl.String(), None),
        (SHIFTS, pl.Date(), None),
        (MONTHS, pl.Date(), None),
        (MONTHS, pl.String(), None),
        (DAYS, pl.Int64(), "has dtype Int64, but daily partitions need a Date column"),
        (
            MONTHS,
            pl.Datetime("us"),
            "monthly partitions need a Date column with the partition's first day, or a String",
        ),
        (
            HOURS,
            pl.Date(),
            "has dtype Date, but hourly partitions need a Datetime(time_unit='us', time_zone='UTC') column",
        ),
        (
            HOURS,
            pl.Datetime("us", NEW_YORK),
            "hourly partitions need a Datetime(time_unit='us', time_zone='UTC') column with the partition's start, or "
            "a String column with its key; .dt.convert_time_zone('UTC') makes it one",
        ),
        (
            HOURS,
            pl.Datetime("us"),
            ".dt.replace_time_zone('America/New_York').dt.convert_time_zone('UTC') makes it one",
        ),
        (HOURS, pl.Datetime("ms", "UTC"), "with its key; .dt.cast_time_unit('us') makes it one"),
    ],
)
def test_a_partition_column_has_the_dtype_of_its_key(
    definition: TimePartitions, dtype: pl.DataType, problem: str | None
) -> None:
    found = definition.column_problem(dtype)

    assert found is None if problem is None else problem in str(found)


def test_a_partition_knows_its_instants() -> None:
    day, hour = Partition(DAYS, 2, 3), Partition(HOURS, 2, 2)

    assert (day.start, day.end) == (dt.date(2013, 11, 3), dt.date(2013, 11, 5))
    assert (day.start_at.isoformat(), day.end_at.isoformat()) == (
        "2013-11-03T00:00:00-04:00",
        "2013-11-05T00:00:00-05:00",
    )
    assert hour.start == hour.start_at
    assert (hour.start_at.isoformat(), hour.end_at.isoformat()) == (
        "2013-11-03T01:00:00-05:00",
        "2013-11-03T02:00:00-05:00",
    )
    assert str(hour.start_at.tzinfo) == NEW_YORK
    shift = Partition(SHIFTS, 0, 0).start
    assert isinstance(shift, dt.datetime)
    assert shift.isoformat() == "2013-11-01T05:00:00-04:00"


def test_partitions_by_something_else_have_no_time() -> None:
    for name in ("start", "end", "start_at", "end_at"):
        with pytest.raises(ValueError, match="not partitions of one time"):
            getattr(Partition(dw.StaticPartitions(["us", "eu"]), 0, 0), name)
