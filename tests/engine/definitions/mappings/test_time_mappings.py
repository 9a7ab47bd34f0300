"""Time mappings: overlap against interval arithmetic on instants, across changes of the clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TypeAlias

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltaworks.engine.definitions.mappings.correspond import correspond, infer_mapping
from deltaworks.engine.definitions.mappings.correspondence import Window
from deltaworks.engine.definitions.mappings.declared import IdentityMapping, TimeWindowMapping
from deltaworks.engine.definitions.partitions.time_kinds import (
    CronPartitions,
    DailyPartitions,
    HourlyPartitions,
    MonthlyPartitions,
    WeeklyPartitions,
)
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.errors import InvalidDefinition
from tests.engine.definitions.mappings.relations import Case, check

quick = settings(deadline=None, max_examples=120)
Kind: TypeAlias = Callable[[dt.date, dt.date, str], TimePartitions]
DAY = dt.timedelta(days=1)

TURNS = [
    ("America/New_York", dt.date(2013, 3, 10)),
    ("America/New_York", dt.date(2013, 11, 3)),
    ("Australia/Lord_Howe", dt.date(2013, 4, 7)),
    ("Australia/Lord_Howe", dt.date(2013, 10, 6)),
    ("Pacific/Apia", dt.date(2011, 12, 30)),
    ("America/Sao_Paulo", dt.date(2013, 10, 20)),
    ("Asia/Kolkata", dt.date(2013, 10, 20)),
    ("UTC", dt.date(2013, 10, 20)),
]
"""Zones, and days around which their clocks are turned; two whose clocks are not."""

FINE: list[Kind] = [
    HourlyPartitions,
    lambda start, end, zone: HourlyPartitions(start, end, zone, minute_offset=20),
    lambda start, end, zone: CronPartitions("0 2,7,19 * * 1-5", start, end, zone),
    lambda start, end, zone: DailyPartitions(start, end, zone, exclusions=["0 0 * * 6,0"]),
    DailyPartitions,
]
COARSE: list[Kind] = [
    DailyPartitions,
    lambda start, end, zone: DailyPartitions(start, end, zone, hour_offset=6),
    lambda start, end, zone: WeeklyPartitions(start, end, zone, day_offset=1),
    lambda start, end, zone: MonthlyPartitions(start, end, zone, day_offset=7),
]


def overlaps(down: TimePartitions, up: TimePartitions, wide: TimePartitions, mapping: TimeWindowMapping) -> Case:
    """Return what must be found, the upstream's partitions being some of the consecutive `wide` ones."""
    here, there = (list(zip(each.starts_at, each.ends_at, strict=True)) for each in (down, wide))
    own = {key: ordinal for ordinal, key in enumerate(up.keys(pl.int_range(up.size, eager=True)))}
    found = [own.get(key) for key in wide.keys(pl.int_range(wide.size, eager=True))]
    pairs: set[tuple[int, int]] = set()
    for d, (start, end) in enumerate(here):
        # Where nothing overlaps, the window counts from the gap, which lies before the first that begins later.
        first = sum(their_end <= start for _, their_end in there)
        last = sum(their_start < end for their_start, _ in there) - 1
        for place in range(first + mapping.start_offset, last + mapping.end_offset + 1):
            u = found[place] if 0 <= place < len(found) else None
            if u is not None:
                pairs.add((d, u))
    return Case(correspond(mapping, down, up), down.size, up.size, pairs)


@st.composite
def definitions(draw: st.DrawFn, turn: dt.date, zone: str, kinds: list[Kind]) -> tuple[TimePartitions, TimePartitions]:
    """Return partitions around a turn of the clock, and as many more that nothing here reaches their ends."""
    make = draw(st.sampled_from(kinds))
    days, far = (4, 40) if kinds is FINE else (70, 400)
    length = draw(st.integers(2, days))
    start = turn + draw(st.integers(1 - days // 2, 2)) * DAY
    return make(start, start + length * DAY, zone), make(turn - far * DAY, turn + far * DAY, zone)


@quick
@given(st.sampled_from(TURNS), st.sampled_from(TURNS), st.integers(-4, 4), st.integers(0, 3), st.data())
def test_windows_of_time_are_arithmetic_on_instants(
    turn: tuple[str, dt.date], other: tuple[str, dt.date], first: int, more: int, data: st.DataObject
) -> None:
    zone, day = turn
    kinds = data.draw(st.permutations([FINE, COARSE]) | st.just([FINE, FINE]) | st.just([COARSE, COARSE]))
    other_zone = data.draw(st.sampled_from([zone, other[0]]))
    down, _ = data.draw(definitions(day, zone, kinds[0]))
    up, wide = data.draw(definitions(day, other_zone, kinds[1]))
    mapping = data.draw(st.sampled_from([TimeWindowMapping(), TimeWindowMapping(first, first + more)]))

    check(overlaps(down, up, wide, mapping), data)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(TURNS), st.sampled_from([FINE, COARSE]), st.integers(0, 3), st.data())
def test_the_same_time_has_the_same_key(
    turn: tuple[str, dt.date], kinds: list[Kind], number: int, data: st.DataObject
) -> None:
    zone, day = turn
    make = kinds[number]
    starts = data.draw(st.lists(st.integers(-3, 2), min_size=2, max_size=2))
    length = (2 if kinds is FINE else 40) * DAY
    down, up = (make(day + start * DAY, day + start * DAY + length, zone) for start in starts)
    pairs = {(d, u) for d in range(down.size) for u in range(up.size) if down.key(d) == up.key(u)}

    check(Case(correspond(IdentityMapping(), down, up), down.size, up.size, pairs), data)


NEW_YORK = "America/New_York"
HOURS = HourlyPartitions("2013-11-01", "2013-12-01", NEW_YORK)
DAYS = DailyPartitions("2013-10-01", "2014-01-01", NEW_YORK)
MONTHS = MonthlyPartitions("2013-01-01", "2014-01-01", NEW_YORK)
WEEKDAYS = DailyPartitions("2013-10-01", "2014-01-01", NEW_YORK, exclusions=["0 0 * * 6,0"])


@pytest.mark.parametrize(
    ("mapping", "down", "key", "up", "first", "last", "count"),
    [
        (TimeWindowMapping(), DAYS, "2013-11-03", HOURS, "2013-11-03T00:00-04:00", "2013-11-03T23:00-05:00", 25),
        (TimeWindowMapping(-1), DAYS, "2013-11-01", HOURS, "2013-11-01T00:00-04:00", "2013-11-01T23:00-04:00", 24),
        (TimeWindowMapping(-1, -1), DAYS, "2013-12-01", HOURS, "2013-11-30T23:00-05:00", "2013-11-30T23:00-05:00", 1),
        (TimeWindowMapping(-2, -1), DAYS, "2013-12-02", HOURS, None, None, 0),
        (TimeWindowMapping(), HOURS, "2013-11-03T01:00-05:00", DAYS, "2013-11-03", "2013-11-03", 1),
        (TimeWindowMapping(-6), HOURS, "2013-11-03T01:00-05:00", DAYS, "2013-10-28", "2013-11-03", 7),
        (TimeWindowMapping(), MONTHS, "2013-10-01", DAYS, "2013-10-01", "2013-10-31", 31),
        (TimeWindowMapping(), MONTHS, "2013-09-01", DAYS, None, None, 0),
        (TimeWindowMapping(), DAYS, "2013-10-31", MONTHS, "2013-10-01", "2013-10-01", 1),
        (TimeWindowMapping(-4), WEEKDAYS, "2013-11-04", WEEKDAYS, "2013-10-29", "2013-11-04", 5),
        (TimeWindowMapping(-1, -1), DAYS, "2013-11-04", WEEKDAYS, "2013-11-01", "2013-11-01", 1),
        (TimeWindowMapping(), DAYS, "2013-11-03", WEEKDAYS, None, None, 0),
    ],
)
def test_a_window_names_what_one_expects(
    mapping: TimeWindowMapping,
    down: TimePartitions,
    key: str,
    up: TimePartitions,
    first: str | None,
    last: str | None,
    count: int,
) -> None:
    ordinal = down.ordinal(key)
    assert ordinal is not None

    found = correspond(mapping, down, up).upstream_of(ordinal, ordinal)

    assert len(found) == count
    assert [up.key(u) for u in (*found[:1], *found[-1:])] == ([first, last] if count else [])


def test_a_window_counts_on_beyond_the_borders_of_the_upstream() -> None:
    early, late = DailyPartitions("2013-01-01", "2013-01-11"), DailyPartitions("2013-01-14", "2013-01-20")

    week = correspond(TimeWindowMapping(-6), late, early)
    ahead = correspond(TimeWindowMapping(0, 6), early, late)

    assert [len(week.upstream_of(d, d)) for d in range(late.size)] == [3, 2, 1, 0, 0, 0]
    assert [len(ahead.upstream_of(d, d)) for d in range(early.size)] == [0, 0, 0, 0, 0, 0, 0, 1, 2, 3]


def test_one_scheme_without_exclusions_is_a_constant_shift() -> None:
    later = HourlyPartitions("2013-11-03T01:00-05:00", "2013-11-20", NEW_YORK)

    assert correspond(IdentityMapping(), later, HOURS) == Window(50, 50, later.size, HOURS.size)
    assert correspond(TimeWindowMapping(-1), HOURS, later) == Window(-51, -50, HOURS.size, later.size)
    assert correspond(TimeWindowMapping(-1), WEEKDAYS, WEEKDAYS) == Window(-1, 0, WEEKDAYS.size, WEEKDAYS.size)


def test_times_of_another_scheme_are_joined_by_overlap_and_never_by_key() -> None:
    weeks = WeeklyPartitions("2013-01-01", "2014-01-01")
    monday_weeks = WeeklyPartitions("2013-01-01", "2014-01-01", day_offset=1)

    assert infer_mapping(weeks, monday_weeks) == TimeWindowMapping()
    with pytest.raises(InvalidDefinition, match=r"\(weekly UTC\) from .* \(weekly Monday UTC\); TimeWindowMapping\(\)"):
        correspond(IdentityMapping(), weeks, monday_weeks)
