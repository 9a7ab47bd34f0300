"""Cron expressions tick when each field, read by itself, says so."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.errors import InvalidDefinition

EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - what a clock shows
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]

Field = tuple[str, set[int] | None]
"""The text of a field and the values it means; none: any."""


def ticks(expression: str, first: dt.date, last: dt.date) -> list[dt.datetime]:
    return [EPOCH + dt.timedelta(microseconds=wall) for wall in Cron(expression).walls(first, last)]


@st.composite
def items(draw: st.DrawFn, low: int, high: int, names: list[str]) -> tuple[str, set[int]]:
    def written(value: int) -> str:
        name = names[(value - low) % len(names)] if names else ""
        return draw(st.sampled_from([name, name.lower(), str(value)])) if name else str(value)

    first, last = draw(st.integers(low, high)), draw(st.integers(low, high))
    step = draw(st.integers(1, high - low))
    match draw(st.sampled_from(["one", "range", "stepped", "open"])):
        case "range" if first != last:
            around = set(range(first, high + 1)) | set(range(low, last + 1))
            return f"{written(first)}-{written(last)}", set(range(first, last + 1)) if first < last else around
        case "stepped" if first < last:
            return f"{written(first)}-{written(last)}/{step}", set(range(first, last + 1, step))
        case "open":
            return f"{written(first)}/{step}", set(range(first, high + 1, step))
        case _:
            return written(first), {first}


@st.composite
def fields(draw: st.DrawFn, low: int, high: int, names: list[str] | None = None) -> Field:
    match draw(st.sampled_from(["any", "step", "list", "list"])):
        case "any":
            return "*", None
        case "step":
            step = draw(st.integers(2, high - low))
            return f"*/{step}", set(range(low, high + 1, step))
        case _:
            drawn = draw(st.lists(items(low, high, names or []), min_size=1, max_size=3))
            return ",".join(text for text, _ in drawn), set[int]().union(*(values for _, values in drawn))


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12, MONTHS), fields(0, 6, DAYS)),
    st.dates(dt.date(1990, 1, 1), dt.date(2040, 1, 1)),
)
def test_an_expression_ticks_when_its_fields_say_so(drawn: tuple[Field, ...], first: dt.date) -> None:
    minutes, hours, month_days, months, week_days = (values for _, values in drawn)
    expression = " ".join(text for text, _ in drawn)
    last = first + dt.timedelta(days=20)

    def has(values: set[int] | None, value: int) -> bool:
        return values is None or value in values

    def is_day(day: dt.date) -> bool:
        among = has(month_days, day.day), has(week_days, day.isoweekday() % 7)
        either = month_days is not None and week_days is not None
        return has(months, day.month) and (any(among) if either else all(among))

    days = [first + dt.timedelta(days=number) for number in range(21)]
    times = [
        dt.time(hour, minute) for hour in range(24) for minute in range(60) if has(hours, hour) and has(minutes, minute)
    ]
    expected = [dt.datetime.combine(day, time) for day in days if is_day(day) for time in times]
    try:
        found = ticks(expression, first, last)
    except InvalidDefinition:  # it never ticks
        assert not expected
        return

    assert found == expected
    every = pl.datetime_range(first, last + dt.timedelta(days=1), "1m", closed="left", eager=True)
    mask = Cron(expression).ticks(every.cast(pl.Int64))
    assert every.filter(mask).to_list() == expected


@pytest.mark.parametrize(
    ("expression", "same"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@MIDNIGHT", "0 0 * * *"),
        ("@weekly", "0 0 * * 7"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 jan *"),
        ("  5\t4 *   * * ", "5 4 * * *"),
        ("0 0 ? * MON", "0 0 * * 1"),
        ("0 0 * * fri-sun", "0 0 * * 0,5,6"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 * * 7-2", "0 0 * * 0,1,2"),
        ("0 0 * * 0-7", "0 0 * * *"),
        ("0 22-2 * * *", "0 0,1,2,22,23 * * *"),
        ("0 0 1 nov-feb *", "0 0 1 1,2,11,12 *"),
        ("0 0 13 * */1", "0 0 13 * *"),
        ("*/60 * * * *", "0 * * * *"),
    ],
)
def test_there_are_several_ways_to_write_the_same(expression: str, same: str) -> None:
    bounds = dt.date(2024, 1, 1), dt.date(2025, 1, 1)

    assert ticks(expression, *bounds) == ticks(same, *bounds)


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 L * *", ["01-31", "02-29", "03-31", "04-30"]),
        ("0 0 15,L 2 *", ["02-15", "02-29"]),
        ("0 0 * * 5#3", ["01-19", "02-16", "03-15", "04-19"]),
        ("0 0 * * fri#5", ["03-29"]),
        ("0 0 * * L5", ["01-26", "02-23", "03-29", "04-26"]),
        ("0 0 * 2 1#1,LSUN", ["02-05", "02-25"]),
        ("0 0 13 2 FRI", ["02-02", "02-09", "02-13", "02-16", "02-23"]),
        ("0 0 29 2 *", ["02-29"]),
        ("0 0 31 * *", ["01-31", "03-31"]),
    ],
)
def test_days_may_be_counted_from_either_end_of_a_month(expression: str, days: list[str]) -> None:
    found = ticks(expression, dt.date(2024, 1, 1), dt.date(2024, 4, 30))

    assert [f"{day:%m-%d}" for day in found] == days


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        (None, "is no text"),
        (5, "is no text"),
        (b"0 0 * * *", "is no text"),
        (["0 0 * * *"], "is no text"),
        ("", "has 0 fields, but needs five"),
        ("* " * 4, "has 4 fields"),
        ("0 0 0 * * *", "has 6 fields, but needs five"),
        ("0 0 * * * 2024 1", "has 7 fields"),
        ("*" * 10_000, "has 10000 characters"),
        ("@reboot", "is none of @hourly"),
        ("@every 5m", "is none of @hourly"),
        ("60 * * * *", "has '60' in its minute, which goes from 0 to 59"),
        ("* 24 * * *", "has '24' in its hour"),
        ("* * 0 * *", "has '0' in its day of the month, which goes from 1 to 31"),
        ("* * 32 * *", "has '32' in its day of the month"),
        ("* * * 0 *", "has '0' in its month"),
        ("* * * 13 *", "has '13' in its month"),
        ("* * * * 8", "has '8' in its day of the week"),
        ("* * * XYZ *", "has 'xyz' in its month"),
        ("* * * * jan", "has 'jan' in its day of the week"),
        ("jan * * * *", "has 'jan' in its minute"),
        ("-1 * * * *", "has '-1' as its minute"),
        ("1.5 * * * *", "has '1.5' as its minute"),
        ("1, * * * *", "has '' as its minute"),
        ("*,5 * * * *", "has '*' as its minute"),
        ("*-5 * * * *", "has '*-5' as its minute"),
        ("*/0 * * * *", "has the step 0 in its minute"),
        ("*/61 * * * *", "has the step 61 in its minute, which has 60 values"),
        ("*/9999 * * * *", "has the step 9999"),
        ("*/99999999999999999999 * * * *", "as its minute"),
        ("5-5 * * * *", "has the range '5-5' in its minute, which some read as one value"),
        ("0 0 * * 7-0", "has the range '7-0'"),
        ("0 22-2/2 * * *", "steps over the end of the field"),
        ("0-59/5/2 * * * *", "as its minute"),
        ("\u0661 * * * *", "as its minute"),
        ("0 0 30 2 *", "never ticks"),
        ("0 0 31 4,6,9,11 *", "never ticks"),
        ("0 0 15W * *", "has '15w' as its day of the month"),
        ("0 0 L-3 * *", "has 'l-3' as its day of the month"),
        ("H * * * *", "has 'h' as its minute"),
        ("R R * * *", "has 'r' as its minute"),
        ("0 0 * * 5#6", "a month has a first to a fifth one"),
        ("0 0 * * 5#0", "a month has a first to a fifth one"),
        ("0 0 * * 5#99999", "as its day of the week"),
        ("0 0 1 * 5#3", "restricts the day of the month beside # or L"),
        ("0 0 * * L", "has 'l' as its day of the week"),
        ("0 0 ?,1 * *", "has '?' as its day of the month"),
        ("0\x000 * * * *", "as its minute"),
    ],
)
def test_what_is_no_expression_is_refused_in_one_sentence(expression: object, problem: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        Cron(expression)  # type: ignore[arg-type]

    assert problem in str(refused.value)
    assert len(str(refused.value)) < 300


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="0159*/,-#?lLW @ajn\t", max_size=40))
def test_nothing_else_ever_happens(text: str) -> None:
    with suppress(InvalidDefinition):
        Cron(text).walls(dt.date(2024, 1, 1), dt.date(2024, 1, 31))
