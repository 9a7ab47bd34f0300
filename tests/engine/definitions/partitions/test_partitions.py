"""Partitions: keys and ordinals lead to each other, and a definition grows with its own clock."""

from __future__ import annotations

import copy
import datetime as dt
import pickle

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.definitions.partitions.protocols import WHOLE, Unpartitioned
from deltaworks.engine.definitions.partitions.time_kinds import DailyPartitions
from deltaworks.errors import InvalidDefinition

quick = settings(deadline=None, max_examples=60)
YEAR = DailyPartitions(start="2013-01-01", end="2014-01-01", timezone="America/New_York")


@quick
@given(st.dates(dt.date(1700, 1, 1), dt.date(2300, 1, 1)), st.integers(1, 500))
def test_keys_and_ordinals_lead_to_each_other(start: dt.date, size: int) -> None:
    days = DailyPartitions(start, start + dt.timedelta(days=size))
    ordinals = pl.int_range(size, eager=True)

    keys = days.keys(ordinals)

    assert days.size == size
    assert keys.to_list() == [days.key(ordinal) for ordinal in ordinals]
    assert keys.to_list() == [(start + dt.timedelta(days=ordinal)).isoformat() for ordinal in ordinals]
    assert days.ordinals(keys).to_list() == ordinals.to_list()
    assert [days.ordinal(key) for key in keys] == ordinals.to_list()


@pytest.mark.parametrize(
    "key", ["", "2013-1-5", " 2013-01-05", "2013-01-05 ", "20130105", "2013-W01-1", "2013-13-01", "day", "2012-12-31"]
)
def test_a_key_that_is_not_written_as_keys_are_is_no_key(key: str) -> None:
    assert YEAR.ordinal(key) is None
    assert YEAR.ordinals(pl.Series([key, "2013-01-02"])).to_list() == [None, 1]


def test_the_day_after_the_end_is_no_partition() -> None:
    assert YEAR.ordinal("2013-12-31") == 364
    assert YEAR.ordinal("2014-01-01") is None


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2013-01-02", "2013-01-04", range(1, 4)),
        ("2012-01-01", "2013-01-02", range(2)),
        ("2013-12-31", "2015-01-01", range(364, 365)),
        ("2013-01-04", "2013-01-02", range(0)),
        ("2011-01-01", "2011-02-01", range(0)),
        ("2015-01-01", "2015-02-01", range(0)),
    ],
)
def test_a_range_has_both_ends_and_is_cut_to_the_definition(first: str, last: str, expected: range) -> None:
    assert list(YEAR.between(first, last)) == list(expected)


@pytest.mark.parametrize(
    ("time", "timezone", "last"),
    [
        ("09:59", "UTC", "2024-03-09"),
        ("09:59", "America/New_York", "2024-03-09"),
        ("09:59", "Pacific/Kiritimati", "2024-03-09"),
        ("10:00", "Pacific/Kiritimati", "2024-03-10"),
        ("09:59", "Pacific/Honolulu", "2024-03-08"),
        ("10:00", "Pacific/Honolulu", "2024-03-09"),
    ],
)
def test_an_open_definition_ends_with_the_last_day_that_is_over_in_its_zone(
    time: str, timezone: str, last: str
) -> None:
    now = dt.datetime.fromisoformat(f"2024-03-10T{time}+00:00")

    days = DailyPartitions(start="2024-03-01", timezone=timezone).until(now)

    assert days.key(days.size - 1) == last


def test_an_open_definition_whose_first_day_is_not_over_has_no_partitions() -> None:
    days = DailyPartitions(start="2024-03-01").until(dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC))

    assert days.size == 0
    assert days.ordinal("2024-03-01") is None
    assert days.ordinals(pl.Series(["2024-03-01"])).to_list() == [None]
    assert str(days) == "days from 2024-03-01, none of which is over yet"


def test_a_closed_definition_does_not_look_at_the_clock() -> None:
    assert YEAR.until(dt.datetime(1999, 1, 1, tzinfo=dt.UTC)) is YEAR


def test_definitions_are_values() -> None:
    bounded = DailyPartitions("2024-03-01").until(dt.datetime(2024, 3, 1, tzinfo=dt.UTC))

    assert pickle.loads(pickle.dumps(YEAR)) == YEAR
    assert copy.deepcopy(bounded) == bounded
    assert len({YEAR, DailyPartitions(dt.date(2013, 1, 1), dt.date(2014, 1, 1), "America/New_York")}) == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"start": "2013-02-30"}, "start must be a date such as '2013-01-01' or a datetime, not '2013-02-30'"),
        ({"start": 2013}, "start must be a date"),
        ({"start": "2013-01-01", "end": "yesterday"}, "end must be a date"),
        ({"start": "2013-01-01", "end": "2013-01-01"}, "one day is start='2013-01-01', end='2013-01-02'"),
        ({"start": "2013-01-01", "end": "2012-01-01"}, "is not after start"),
        ({"start": "2013-01-01", "timezone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
        (
            {"start": "2013-01-01", "timezone": "America/NewYork"},
            "there is no time zone 'America/NewYork'. Did you mean 'America/New_York'?",
        ),
        ({"start": "2013-01-01", "timezone": ""}, "there is no time zone ''"),
        ({"start": "2013-01-01", "timezone": "America"}, "there is no time zone 'America'"),
        ({"start": "2013-01-01", "timezone": None}, "there is no time zone None"),
    ],
)
def test_arguments_that_make_no_definition_are_refused(arguments: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidDefinition, match="DailyPartitions") as refused:
        DailyPartitions(**arguments)

    assert problem in str(refused.value)


def test_start_and_end_are_no_part_of_what_a_partition_means() -> None:
    assert YEAR.scheme == DailyPartitions("1999-01-01", timezone="America/New_York").scheme
    assert YEAR.scheme != DailyPartitions("2013-01-01", "2014-01-01").scheme


def test_the_whole_table_is_one_partition_with_an_empty_key() -> None:
    whole = Unpartitioned()

    assert (whole.size, whole.key(0), whole.ordinal(WHOLE), whole.ordinal("x")) == (1, WHOLE, 0, None)
    assert whole.ordinals(pl.Series(["", "2013-01-01", None])).to_list() == [0, None, None]
    assert whole.keys(pl.Series([0])).to_list() == [WHOLE]


def test_a_partition_knows_its_days() -> None:
    one, three = Partition(YEAR, 0, 0), Partition(YEAR, 363, 364)

    assert (one.key, one.keys, one.start, one.end) == (
        "2013-01-01",
        ["2013-01-01"],
        dt.date(2013, 1, 1),
        dt.date(2013, 1, 2),
    )
    assert (three.keys, three.end) == (["2013-12-30", "2013-12-31"], dt.date(2014, 1, 1))
    with pytest.raises(ValueError, match=r"makes 2 partitions; use \.keys"):
        _ = three.key


@pytest.mark.parametrize("dtype", [pl.Date(), pl.Datetime("us")])
def test_a_partition_contains_the_rows_of_its_days(dtype: pl.DataType) -> None:
    days = [dt.date(2013, 1, 1) + dt.timedelta(days=number) for number in range(4)]
    df = pl.DataFrame({"day": pl.Series([*days, None]).cast(dtype)})

    kept = df.filter(Partition(YEAR, 1, 2).contains("day"))

    assert kept["day"].cast(pl.Date).to_list() == days[1:3]
    assert df.filter(Partition(YEAR, 1, 2).contains(pl.col("day"))).equals(kept)
