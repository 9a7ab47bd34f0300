"""Partitions of time by example: clocks that are turned, exclusions, ranges, and what makes no definition."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.errors import InvalidDefinition

MIDNIGHT = dt.datetime(2013, 11, 1)  # noqa: DTZ001 - what a clock shows
NEW_YORK, LORD_HOWE = "America/New_York", "Australia/Lord_Howe"


def keys(definition: TimePartitions) -> list[str]:
    return definition.keys(pl.int_range(definition.size, eager=True)).to_list()


def lengths(definition: TimePartitions) -> list[int]:
    """Return how many minutes each partition takes."""
    return (definition.ends_at - definition.starts_at).dt.total_minutes().to_list()


def test_an_hour_that_the_clock_shows_twice_is_two_partitions() -> None:
    hours = dw.HourlyPartitions("2013-11-03", "2013-11-04", NEW_YORK)

    assert hours.size == 25
    assert keys(hours)[:4] == [
        "2013-11-03T00:00-04:00",
        "2013-11-03T01:00-04:00",
        "2013-11-03T01:00-05:00",
        "2013-11-03T02:00-05:00",
    ]
    assert set(lengths(hours)) == {60}


def test_an_hour_that_the_clock_skips_is_no_partition() -> None:
    hours = dw.HourlyPartitions("2013-03-10", "2013-03-11", NEW_YORK)

    assert hours.size == 23
    assert keys(hours)[1:3] == ["2013-03-10T01:00-05:00", "2013-03-10T03:00-04:00"]
    assert set(lengths(hours)) == {60}


@pytest.mark.parametrize(
    ("zone", "day", "minute", "first", "expected"),
    [
        # Half an hour forward at 2: 2:00 means 2:30.
        (LORD_HOWE, "2013-10-06", 0, 1, [("01:00+10:30", 60), ("02:30+11:00", 30), ("03:00+11:00", 60)]),
        # Half an hour back at 2: what comes again is no new hour.
        (LORD_HOWE, "2013-04-07", 0, 0, [("00:00+11:00", 60), ("01:00+11:00", 90), ("02:00+10:30", 60)]),
        (LORD_HOWE, "2013-04-07", 45, 1, [("01:45+11:00", 30), ("01:45+10:30", 60), ("02:45+10:30", 60)]),
        # An hour at 2, seen by hours that begin at half past.
        (NEW_YORK, "2013-03-10", 30, 1, [("01:30-05:00", 30), ("03:00-04:00", 30), ("03:30-04:00", 60)]),
        # An hour at one minute past midnight.
        ("America/St_Johns", "2010-03-14", 0, 0, [("00:00-03:30", 1), ("01:01-02:30", 59), ("02:00-02:30", 60)]),
        ("Asia/Kathmandu", "2013-01-01", 15, 0, [("00:15+05:45", 60), ("01:15+05:45", 60)]),
        ("Australia/Eucla", "2013-01-01", 0, 0, [("00:00+08:45", 60), ("01:00+08:45", 60)]),
    ],
)
def test_hours_begin_at_their_minute_by_the_clock(
    zone: str, day: str, minute: int, first: int, expected: list[tuple[str, int]]
) -> None:
    after = dt.date.fromisoformat(day) + dt.timedelta(days=1)
    hours = dw.HourlyPartitions(day, after, zone, minute_offset=minute)

    found = list(zip(keys(hours), lengths(hours), strict=True))[first : first + len(expected)]

    assert found == [(f"{day}T{key}", length) for key, length in expected]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (NEW_YORK, "2013-03-10", 23),
        (NEW_YORK, "2013-11-03", 25),
        (LORD_HOWE, "2013-04-07", 24.5),
        (LORD_HOWE, "2013-10-06", 23.5),
        ("America/Sao_Paulo", "2018-11-04", 23),  # there is no midnight
        ("America/Havana", "2013-11-03", 25),  # midnight comes twice
        ("Antarctica/Troll", "2013-03-31", 22),
    ],
)
def test_a_day_is_as_long_as_the_clock_makes_it(zone: str, day: str, hours: float) -> None:
    date = dt.date.fromisoformat(day)
    days = dw.DailyPartitions(date, date + dt.timedelta(days=1), zone)

    assert keys(days) == [day]
    assert lengths(days) == [hours * 60]
    assert (days.start_of(0), days.end_of(0)) == (date, date + dt.timedelta(days=1))


def test_a_day_that_a_zone_left_out_is_no_partition() -> None:
    days = dw.DailyPartitions("2011-12-28", "2012-01-02", "Pacific/Apia")
    hours = dw.HourlyPartitions("2011-12-28", "2012-01-02", "Pacific/Apia")

    assert keys(days) == ["2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01"]
    assert set(lengths(days)) == {24 * 60}
    assert days.ordinal("2011-12-30") is None
    assert days.ordinals(pl.Series(["2011-12-30", "2011-12-31"])).to_list() == [None, 2]
    assert list(days.between("2011-12-30", "2011-12-30") or ()) == []
    assert hours.size == 4 * 24


def test_a_tick_in_a_gap_comes_after_it_and_one_that_comes_twice_comes_once() -> None:
    spring = dw.CronPartitions("30 1,2 * * *", "2013-03-09", "2013-03-12", NEW_YORK)
    autumn = dw.CronPartitions("30 1,2 * * *", "2013-11-03", "2013-11-04T03:00", NEW_YORK)
    often = dw.CronPartitions("*/15 * * * *", "2013-03-10", "2013-03-11", NEW_YORK)

    assert keys(spring)[2:4] == ["2013-03-10T01:30-05:00", "2013-03-10T03:00-04:00"]
    assert keys(autumn)[:2] == ["2013-11-03T01:30-04:00", "2013-11-03T02:30-05:00"]
    assert often.size == 23 * 4  # the four ticks of the gap are one with that at 3


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (dw.WeeklyPartitions("2013-11-01", "2013-11-20"), ["2013-11-03", "2013-11-10"]),
        (dw.WeeklyPartitions("2013-11-03", "2013-11-17"), ["2013-11-03", "2013-11-10"]),
        (dw.WeeklyPartitions("2013-11-01", "2013-11-20", day_offset=1), ["2013-11-04", "2013-11-11"]),
        (dw.WeeklyPartitions("2013-11-01", "2013-11-20", day_offset=6, hour_offset=5), ["2013-11-02", "2013-11-09"]),
        (dw.MonthlyPartitions("2013-11-01", "2014-02-28"), ["2013-11-01", "2013-12-01", "2014-01-01"]),
        (dw.MonthlyPartitions("2013-11-02", "2014-02-28", day_offset=28), ["2013-11-28", "2013-12-28", "2014-01-28"]),
        (dw.DailyPartitions("2013-11-01", "2013-11-03", hour_offset=5), ["2013-11-01"]),
        (dw.DailyPartitions("2013-11-01", "2013-11-03T05:00", hour_offset=5), ["2013-11-01", "2013-11-02"]),
        (dw.HourlyPartitions("2013-11-01T22:00", "2013-11-02"), ["2013-11-01T22:00Z", "2013-11-01T23:00Z"]),
        (dw.HourlyPartitions("2013-11-01T22:00-04:00", "2013-11-02T03:10Z"), ["2013-11-02T02:00Z"]),
        (dw.HourlyPartitions("2013-11-01T22:00:01", "2013-11-02"), ["2013-11-01T23:00Z"]),
        (dw.CronPartitions("0 6 * * MON-FRI", "2013-11-01", "2013-11-05"), ["2013-11-01T06:00Z"]),
        (dw.CronPartitions("@monthly", "2013-11-01", "2014-01-01"), ["2013-11-01T00:00Z", "2013-12-01T00:00Z"]),
        (dw.MonthlyPartitions("2013-11-02", "2013-11-30"), []),
    ],
)
def test_partitions_are_the_whole_windows_between_start_and_end(
    definition: TimePartitions, expected: list[str]
) -> None:
    assert keys(definition) == expected
    assert [definition.ordinal(key) for key in expected] == list(range(len(expected)))


@pytest.mark.parametrize(
    "start", ["2013-11-01", "2013-11-01T00:00", dt.date(2013, 11, 1), MIDNIGHT, "2013-11-01T04:00Z"]
)
def test_a_start_may_be_written_in_several_ways(start: Any) -> None:
    hours = dw.HourlyPartitions(start, "2013-11-02", NEW_YORK)

    assert hours == dw.HourlyPartitions("2013-11-01", dt.datetime(2013, 11, 2, 4, tzinfo=dt.UTC), NEW_YORK)
    assert repr(hours) == f"HourlyPartitions(start='2013-11-01', end='2013-11-02', timezone='{NEW_YORK}')"
    assert hours.start == dt.date(2013, 11, 1)


def test_days_and_instants_and_times_of_a_cron_expression_can_be_excluded() -> None:
    days = dw.DailyPartitions("2013-12-20", "2014-01-01", NEW_YORK, exclusions=["2013-12-25", "0 0 * * SAT,SUN"])
    hours = dw.HourlyPartitions(
        "2013-11-03", "2013-11-04", NEW_YORK, exclusions=["2013-11-03T05:00Z", "0 5-23 * * *", dt.date(2012, 1, 1)]
    )

    assert [key[-2:] for key in keys(days)] == ["20", "23", "24", "26", "27", "30", "31"]
    assert [days.run_end(ordinal) for ordinal in range(days.size)] == [0, 2, 2, 4, 4, 6, 6]
    assert [days.ordinal(key) for key in ("2013-12-25", "2013-12-26")] == [None, 3]
    assert days.ordinals(pl.Series(["2013-12-25", "2013-12-26", None])).to_list() == [None, 3, None]
    assert list(days.between("2013-12-25", "2013-12-29") or ()) == [3, 4]
    assert keys(hours)[:3] == ["2013-11-03T00:00-04:00", "2013-11-03T01:00-05:00", "2013-11-03T02:00-05:00"]
    assert hours.size == 5


def test_exclusions_are_counted_as_windows_by_the_end_offset() -> None:
    days = dw.DailyPartitions("2013-11-01", end_offset=1, exclusions=["0 0 * * SAT,SUN"])

    assert [days.until(dt.datetime(2013, 11, day, 12, tzinfo=dt.UTC)).size for day in range(1, 6)] == [1, 1, 1, 2, 3]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2013-11-05", "2013-12-01", [10, 11]),
        ("2013-11-01", "2013-11-01", [10]),
        ("2013-11-05", "2013-11-05", [10]),
        ("2013-01-31", "2013-02-01", [0, 1]),
        ("2013-11-30T23:59", "2013-12-01T00:00", [10, 11]),
        ("2013-11-30T23:59", "2013-12-01T05:00Z", [10, 11]),
        ("2013-11-30T23:59", "2013-12-01T04:59Z", [10]),
        ("2012-11-05", "2013-01-05", [0]),
        ("2013-12-05", "2015-01-05", [11]),
        ("2014-01-01", "2014-02-01", []),
        ("2012-12-01", "2012-12-01", []),
        ("2013-12-05", "2013-01-05", []),
        ("2013-11", "2013-12-01", None),
        ("today", "2013-12-01", None),
        ("2013-12-01", "", None),
    ],
)
def test_a_range_of_other_days_takes_the_months_that_share_time_with_it(
    first: str, last: str, expected: list[int] | None
) -> None:
    found = dw.MonthlyPartitions("2013-01-01", "2014-01-01", NEW_YORK).between(first, last)

    assert (None if found is None else list(found)) == expected


@pytest.mark.parametrize(
    ("first", "last", "size", "ends"),
    [
        ("2013-11-03", "2013-11-03", 25, ("2013-11-03T00:00-04:00", "2013-11-03T23:00-05:00")),
        ("2013-11-02", "2013-11-03", 49, ("2013-11-02T00:00-04:00", "2013-11-03T23:00-05:00")),
        ("2013-11-03T05:00Z", "2013-11-03T06:00Z", 2, ("2013-11-03T01:00-04:00", "2013-11-03T01:00-05:00")),
        ("2013-11-03T01:00", "2013-11-03T01:59", 1, ("2013-11-03T01:00-04:00", "2013-11-03T01:00-04:00")),
        ("2013-11-03T01:30-05:00", "2013-11-03T02:30", 2, ("2013-11-03T01:00-05:00", "2013-11-03T02:00-05:00")),
    ],
)
def test_a_range_of_days_takes_all_their_hours(first: str, last: str, size: int, ends: tuple[str, str]) -> None:
    hours = dw.HourlyPartitions("2013-11-01", "2013-11-10", NEW_YORK)

    found = hours.between(first, last)

    assert found is not None
    ((low, high),) = found.ranges()
    assert (len(found), hours.key(low), hours.key(high)) == (size, *ends)


def test_a_day_that_begins_later_is_meant_by_its_key() -> None:
    days = dw.DailyPartitions("2013-11-01", "2013-11-10T05:00", NEW_YORK, hour_offset=5)
    weeks = dw.WeeklyPartitions("2013-11-01", "2013-12-01", NEW_YORK, hour_offset=5)

    assert list(days.between("2013-11-03", "2013-11-03") or ()) == [2]
    assert list(weeks.between("2013-10-27", "2013-10-27") or ()) == []
    assert list(weeks.between("2013-10-27", "2013-11-03") or ()) == [0]
    assert list(weeks.between("2013-11-10T04:59", "2013-11-11") or ()) == [0, 1]


@pytest.mark.parametrize(
    ("key", "ordinal"),
    [
        ("2013-11-03T01:00-05:00", 2),
        ("2013-11-03T06:00Z", 2),
        ("2013-11-03T06:00+00:00", 2),
        ("2013-11-03T06:00:00Z", 2),
        ("2013-11-03T06:00:00.000000Z", 2),
        ("2013-11-03T11:45+05:45", 2),
        ("2013-11-03T06:00:01Z", None),
        ("2013-11-03T06:30Z", None),
        ("2013-11-03T01:00", None),
        ("2013-11-03 06:00Z", None),
        ("2013-11-03T6:00Z", None),
        ("2013-11-3T06:000Z", None),
        ("20131103T0600Z", None),
        ("2013-11-03T06:00z", None),
        ("2013-11-03T06:00+0000", None),
        ("2013-11-03T06:00+24:00", None),
        ("2013-11-03T06:00Z ", None),
        ("2013-11-03T24:00Z", None),
        ("2013-02-30T06:00Z", None),
        ("2013-11-03", None),
        ("", None),
        ("2013-11-05T06:00Z", None),
        ("٢٠١٣-11-03T06:00Z", None),
    ],
)
def test_an_instant_may_be_written_with_any_offset(key: str, ordinal: int | None) -> None:
    hours = dw.HourlyPartitions("2013-11-03", "2013-11-04", NEW_YORK)

    assert hours.ordinal(key) == ordinal
    assert hours.ordinals(pl.Series([key, None, hours.key(7)])).to_list() == [ordinal, None, 7]


@pytest.mark.parametrize(
    ("definition", "scheme", "text"),
    [
        (dw.DailyPartitions("2013-01-01", "2014-01-01"), "daily UTC", "days 2013-01-01 to 2013-12-31"),
        (dw.DailyPartitions("2013-01-01", timezone=NEW_YORK), f"daily {NEW_YORK}", "days from 2013-01-01"),
        (
            dw.DailyPartitions("2013-01-01", hour_offset=5, minute_offset=30),
            "daily 05:30 UTC",
            "days from 2013-01-01",
        ),
        (dw.HourlyPartitions("2013-01-01T05:00"), "hourly UTC", "hours from 2013-01-01T05:00"),
        (
            dw.HourlyPartitions("2013-11-03T01:00-05:00", timezone=NEW_YORK, minute_offset=15),
            f"hourly :15 {NEW_YORK}",
            "hours from 2013-11-03T01:00:00-05:00",
        ),
        (dw.WeeklyPartitions("2013-01-01", "2013-01-14"), "weekly UTC", "weeks 2013-01-06 to 2013-01-06"),
        (dw.WeeklyPartitions("2013-01-01", day_offset=1), "weekly Monday UTC", "weeks from 2013-01-01"),
        (dw.MonthlyPartitions("2013-01-01"), "monthly UTC", "months from 2013-01-01"),
        (dw.MonthlyPartitions("2013-01-01", day_offset=5), "monthly day 5 UTC", "months from 2013-01-01"),
        (
            dw.MonthlyPartitions("2013-01-02", "2013-01-10"),
            "monthly UTC",
            "months from 2013-01-02 to 2013-01-10, of which there is not one",
        ),
        (
            dw.CronPartitions(" 0  6 * * MON", "2013-01-01", "2013-02-01"),
            "cron 0 6 * * mon UTC",
            "windows of cron '0 6 * * mon' 2013-01-07T06:00Z to 2013-01-21T06:00Z",
        ),
    ],
)
def test_a_definition_says_what_it_is(definition: TimePartitions, scheme: str, text: str) -> None:
    assert (definition.scheme, str(definition)) == (scheme, text)


def test_a_representation_has_what_is_not_by_default() -> None:
    weeks = dw.WeeklyPartitions("2013-01-01", hour_offset=5, day_offset=1, end_offset=-1, exclusions=["2013-01-07"])
    ticks = dw.CronPartitions("@daily", "2013-01-01", exclusions=["2013-01-07T00:00", "0 0 * * SUN"])

    assert repr(weeks) == (
        "WeeklyPartitions(start='2013-01-01', timezone='UTC', hour_offset=5, day_offset=1, end_offset=-1, "
        "exclusions=('2013-01-07',))"
    )
    assert repr(ticks) == (
        "CronPartitions(cron='0 0 * * *', start='2013-01-01', timezone='UTC', exclusions=('2013-01-07', '0 0 * * sun'))"
    )


@pytest.mark.parametrize(
    ("kind", "arguments", "problem"),
    [
        (dw.HourlyPartitions, {"minute_offset": 60}, "minute_offset must be a whole number from 0 to 59, not 60"),
        (dw.HourlyPartitions, {"minute_offset": True}, "minute_offset must be a whole number from 0 to 59, not True"),
        (dw.HourlyPartitions, {"minute_offset": 1.0}, "minute_offset must be a whole number"),
        (dw.DailyPartitions, {"hour_offset": -1}, "hour_offset must be a whole number from 0 to 23, not -1"),
        (dw.WeeklyPartitions, {"day_offset": 7}, "day_offset must be a whole number from 0 to 6, not 7"),
        (dw.MonthlyPartitions, {"day_offset": 0}, "day_offset must be a whole number from 1 to 28, not 0"),
        (dw.MonthlyPartitions, {"day_offset": 29}, "day_offset must be a whole number from 1 to 28, not 29"),
        (dw.CronPartitions, {"cron": "61 * * * *"}, "CronPartitions: cron '61 * * * *' has '61' in its minute"),
        (dw.CronPartitions, {"cron": None}, "CronPartitions: cron None is no text"),
        (dw.HourlyPartitions, {"end": "2013-01-01"}, "end 2013-01-01 is not after start 2013-01-01; end is exclusive"),
        (dw.HourlyPartitions, {"end": "2014-01-01", "end_offset": 1}, "does not go with end='2014-01-01'"),
        (dw.HourlyPartitions, {"end_offset": 1.5}, "end_offset must be a whole number of partitions"),
        (dw.HourlyPartitions, {"end_offset": 10**9}, "end_offset must be a whole number of partitions from -10000"),
        (dw.HourlyPartitions, {"exclusions": "2013-01-01"}, "exclusions must be a list"),
        (dw.HourlyPartitions, {"exclusions": 5}, "exclusions must be a list"),
        (
            dw.HourlyPartitions,
            {"exclusions": ["monday"]},
            "exclusions has 'monday', which is no date, and cron 'monday'",
        ),
        (dw.HourlyPartitions, {"exclusions": [None]}, "exclusions has None, which is no date"),
        (dw.HourlyPartitions, {"start": "2013-01-01T25:00"}, "start must be a date such as '2013-01-01' or a datetime"),
        (dw.HourlyPartitions, {"start": "0001-01-01T00:00Z", "timezone": NEW_YORK}, "the years 1 to 9999"),
        (dw.HourlyPartitions, {"start": "0001-01-01", "end": "9999-01-01"}, "87,640,656 hours; use at most 10,000,000"),
        (dw.CronPartitions, {"cron": "* * * * *", "end": "2113-01-01"}, "use at most 10,000,000"),
        (dw.CronPartitions, {"cron": "* * * 1-6 *", "end": "2113-01-01"}, "use at most 10,000,000"),
        (dw.HourlyPartitions, {"start": "1850-01-01", "timezone": NEW_YORK}, "1850-01-01T00:00:00-04:56:02"),
        (dw.CronPartitions, {"start": "1850-01-01", "timezone": NEW_YORK}, "1850-01-01T06:00:00-04:56:02"),
        (dw.HourlyPartitions, {"start": "1960-01-01", "timezone": "Africa/Monrovia"}, "was not whole minutes from UTC"),
        (dw.DailyPartitions, {"start": "2013-01-01", "timezone": "../etc/passwd"}, "there is no time zone"),
        (dw.DailyPartitions, {"start": "2013-01-01", "timezone": "x" * 10_000}, "there is no time zone"),
        (dw.DailyPartitions, {"start": "2013-01-01", "timezone": "UTC\0"}, "there is no time zone"),
    ],
)
def test_arguments_that_make_no_definition_are_refused(
    kind: type[Any], arguments: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        kind(**({"start": "2013-01-01"} | ({"cron": "0 6 * * *"} if kind is dw.CronPartitions else {}) | arguments))

    assert problem in str(refused.value)
    assert str(refused.value).startswith(f"{kind.__name__}: ")


def test_days_of_old_need_no_whole_offsets() -> None:
    days = dw.DailyPartitions("1883-11-17", "1883-11-20", NEW_YORK)

    assert keys(days) == ["1883-11-17", "1883-11-18", "1883-11-19"]
    assert days.start_at(0).isoformat() == "1883-11-17T00:00:00-04:56:02"
    assert lengths(days) == [24 * 60, 24 * 60 + 3, 24 * 60]  # at noon the railways' time came in


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", NEW_YORK])
def test_every_day_of_the_calendar_can_be_a_partition(zone: str) -> None:
    first = dw.DailyPartitions("0001-01-01", "0001-01-03", zone)
    last = dw.DailyPartitions("9999-12-29", "9999-12-31", zone)
    months = dw.MonthlyPartitions("0001-01-01", "9999-12-31", zone)

    assert keys(first) == ["0001-01-01", "0001-01-02"]
    assert keys(last) == ["9999-12-29", "9999-12-30"]
    assert (last.start_of(1), last.end_of(1)) == (dt.date(9999, 12, 30), dt.date(9999, 12, 31))
    assert last.end_at(1).isoformat()[:19] == "9999-12-31T00:00:00"
    assert months.size == 9999 * 12 - 1
    assert repr(last) == f"DailyPartitions(start='9999-12-29', end='9999-12-31', timezone={zone!r})"
    assert dw.DailyPartitions("9999-12-30").until(dt.datetime(2024, 1, 1, tzinfo=dt.UTC)).size == 0


def test_an_open_definition_needs_a_time() -> None:
    now = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    with pytest.raises(AssertionError, match="call until"):
        _ = dw.HourlyPartitions("2013-01-01").size
    with pytest.raises(InvalidDefinition, match="end_offset leads beyond the year 9999"):
        dw.CronPartitions("0 0 29 2 *", "2013-01-01", end_offset=9999).until(now)
    with pytest.raises(InvalidDefinition, match="HourlyPartitions: from 0001-01-01 to 2024-01-01 there are 17"):
        dw.HourlyPartitions("0001-01-01").until(now)
    assert dw.CronPartitions("* * 1 1 *", "1970-01-01").until(now).size == 54 * 24 * 60


def test_a_rare_tick_is_found_however_long_ago_it_was() -> None:
    ticks = dw.CronPartitions("0 0 29 2 *", "1896-01-01")

    assert ticks.until(dt.datetime(1904, 2, 28, 23, 59, tzinfo=dt.UTC)).size == 0
    assert ticks.key_before(dt.datetime(1904, 2, 29, tzinfo=dt.UTC)) == "1896-02-29T00:00Z"


def test_equal_definitions_share_their_windows() -> None:
    one, other = (dw.HourlyPartitions("2013-01-01", "2013-02-01", NEW_YORK) for _ in range(2))
    now = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)

    assert one._timeline is other._timeline  # pyright: ignore[reportPrivateUsage]
    assert dw.DailyPartitions("2013-01-01").until(now) is dw.DailyPartitions("2013-01-01").until(now)


def test_kinds_differ_though_their_windows_are_the_same() -> None:
    bounds = ("2013-01-01", "2013-02-01")

    assert dw.HourlyPartitions(*bounds) != dw.CronPartitions("@hourly", *bounds)
    assert dw.CronPartitions("@hourly", *bounds).starts_at.equals(dw.HourlyPartitions(*bounds).starts_at)
    assert isinstance(dw.DailyPartitions(*bounds), dw.DailyPartitions)
    assert not isinstance(dw.DailyPartitions(*bounds), dw.HourlyPartitions)
