"""Partitions of time are what plain Python and zoneinfo say they are, in every zone and of every kind."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deltaworks as dw
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from tests.engine.definitions.partitions import time_reference as reference

Window = tuple[reference.Boundary, reference.Boundary]

KINDS = ("hourly", "daily", "weekly", "monthly", "cron")
DAY = dt.timedelta(days=1)

minutes = st.one_of(st.just(0), st.sampled_from([0, 1, 15, 30, 45, 59]))
hours = st.one_of(st.just(0), st.integers(0, 23))


@st.composite
def definitions(draw: st.DrawFn) -> tuple[TimePartitions, list[Window]]:
    """Draw a definition of up to some months, and the windows that it must have."""
    kind, zone = draw(st.sampled_from(KINDS)), draw(st.sampled_from(reference.ZONES))
    longest = {"hourly": 100, "daily": 400, "weekly": 400, "monthly": 800, "cron": 100}[kind]
    start = draw(reference.WALLS).replace(tzinfo=dt.UTC)
    end = start + dt.timedelta(minutes=draw(st.integers(1, longest * 24 * 60)))
    minute, hour, day = draw(minutes), draw(hours), draw(st.integers(1, 28))
    return build(kind, zone, start, end, minute, hour, day)


def build(
    kind: str, zone: str, start: dt.datetime, end: dt.datetime, minute: int, hour: int, day: int
) -> tuple[TimePartitions, list[Window]]:
    info, time = ZoneInfo(zone), dt.time(hour, minute)
    first, last = start.date() - 33 * DAY, end.date() + 33 * DAY
    bounds: tuple[Any, ...] = (start, end, zone)
    match kind:
        case "hourly":
            definition: TimePartitions = dw.HourlyPartitions(*bounds, minute_offset=minute)
            boundaries = reference.hours(minute, start.date() - 2 * DAY, end.date() + 2 * DAY, info)
        case "daily":
            definition = dw.DailyPartitions(*bounds, minute_offset=minute, hour_offset=hour)
            boundaries = reference.days(lambda _: True, time, first, last, info)
        case "weekly":
            definition = dw.WeeklyPartitions(*bounds, minute_offset=minute, hour_offset=hour, day_offset=day % 7)
            boundaries = reference.days(lambda each: each.isoweekday() % 7 == day % 7, time, first, last, info)
        case "monthly":
            definition = dw.MonthlyPartitions(*bounds, minute_offset=minute, hour_offset=hour, day_offset=day)
            boundaries = reference.days(lambda each: each.day == day, time, first, last, info)
        case _:
            definition = dw.CronPartitions(f"{minute} {hour},{(hour + 7) % 24} */{day} * *", *bounds)
            chosen = list(range(1, 32, day))
            boundaries = sorted(
                reference.days(lambda each: each.day in chosen or day == 1, time, first, last, info)
                + reference.days(lambda each: each.day in chosen, dt.time((hour + 7) % 24, minute), first, last, info)
            )
            boundaries = sorted(dict(boundaries).items())
    return definition, reference.windows(boundaries, start, end)


def check(definition: TimePartitions, expected: list[Window]) -> None:
    zone = ZoneInfo(definition.timezone)
    is_clock = isinstance(definition, dw.HourlyPartitions | dw.CronPartitions)
    size = definition.size
    ordinals = pl.int_range(size, eager=True)
    keys = definition.keys(ordinals)

    assert definition.starts_at.to_list() == [start for (start, _), _ in expected]
    assert definition.ends_at.to_list() == [end for _, (end, _) in expected]
    if is_clock:
        written = [start.astimezone(zone).isoformat(timespec="minutes") for (start, _), _ in expected]
        assert keys.to_list() == [key.replace("+00:00", "Z") if zone.key == "UTC" else key for key in written]
    else:
        assert keys.to_list() == [wall.date().isoformat() for (_, wall), _ in expected]

    assert keys.n_unique() == size
    assert definition.starts_at.tail(-1).equals(definition.ends_at.head(-1))
    assert (definition.starts_at < definition.ends_at).all()
    assert definition.ordinals(keys).to_list() == ordinals.to_list()
    if is_clock:
        in_utc = definition.starts_at.dt.to_string("%Y-%m-%dT%H:%MZ")
        assert definition.ordinals(in_utc).to_list() == ordinals.to_list()
    for ordinal in range(0, size, max(1, size // 40)):
        key = keys[ordinal]
        assert definition.key(ordinal) == key
        assert definition.ordinal(key) == ordinal
        assert list(definition.between(key, key) or ()) == [ordinal]
        assert definition.run_end(ordinal) == size - 1
        for moment, instant in (
            (definition.start_at(ordinal), expected[ordinal][0][0]),
            (definition.end_at(ordinal), expected[ordinal][1][0]),
        ):
            assert moment.astimezone(dt.UTC) == instant
            assert moment.utcoffset() == instant.astimezone(zone).utcoffset()


@settings(deadline=None, max_examples=150)
@given(definitions())
def test_windows_are_those_of_the_reference(drawn: tuple[TimePartitions, list[Window]]) -> None:
    definition, expected = drawn

    check(definition, expected)
    assert pickle.loads(pickle.dumps(definition)) == definition
    assert copy.deepcopy(definition) == definition
    assert len({definition, copy.copy(definition)}) == 1
    assert eval(repr(definition), vars(dw)) == definition  # type: ignore[arg-type]


@pytest.mark.soak
@pytest.mark.parametrize("zone", sorted(available_timezones() - {"localtime"}))
def test_windows_are_those_of_the_reference_in_every_zone(zone: str) -> None:
    for year in (1987, 2009, 2022) if zone in reference.ZONES else (2009,):
        start, end = dt.datetime(year, 1, 1, tzinfo=dt.UTC), dt.datetime(year + 5, 1, 1, tzinfo=dt.UTC)
        for kind in KINDS:
            check(*build(kind, zone, start, end, 0, 0, 1))
            check(*build(kind, zone, start, end, 30, 2, 3))


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(reference.ZONES), st.integers(1973, 2035), st.integers(0, 59), st.integers(0, 23))
def test_hours_lie_within_days_and_days_within_weeks_and_months(zone: str, year: int, minute: int, hour: int) -> None:
    bounds: tuple[Any, ...] = (f"{year}-01-01", f"{year + 1}-01-01", zone)
    hourly = dw.HourlyPartitions(*bounds, minute_offset=minute)
    daily = dw.DailyPartitions(*bounds, minute_offset=minute, hour_offset=hour)
    weekly = dw.WeeklyPartitions(*bounds, minute_offset=minute, hour_offset=hour)
    monthly = dw.MonthlyPartitions(*bounds, minute_offset=minute, hour_offset=hour)

    assert set(daily.starts_at) <= set(hourly.starts_at)
    assert set(weekly.starts_at) | set(monthly.starts_at) <= set(daily.starts_at)


@settings(deadline=None, max_examples=60)
@given(definitions(), st.integers(0, 60 * 24 * 200), st.integers(-3, 3))
def test_an_open_definition_ends_with_the_window_that_is_over(
    drawn: tuple[TimePartitions, list[Window]], passed: int, more: int
) -> None:
    kind, start = type(drawn[0]), drawn[0].start_at(0) if drawn[0].size else drawn[0].start
    now = dt.datetime.combine(start, dt.time(), tzinfo=dt.UTC) + dt.timedelta(minutes=passed)
    arguments: dict[str, Any] = {**drawn[0].cadence.arguments, "start": start, "timezone": drawn[0].timezone}
    longer = kind(**arguments, end=now + 130 * DAY)
    over = int((longer.ends_at <= now).sum())

    bounded = kind(**arguments, end_offset=more).until(now)

    if over:
        assert bounded.starts_at.equals(longer.starts_at.head(max(0, over + more)))
    assert bounded.until(now) is bounded
    if not more:
        assert bounded.key_before(now) == (bounded.key(over - 1) if over else None)
        assert kind(**arguments).key_before(now) == bounded.key_before(now)
