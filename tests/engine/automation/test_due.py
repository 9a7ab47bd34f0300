"""Ticks are those of a brute-force walk over the minutes of a zone, and what was missed obeys `catchup`."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from deltaworks.engine.automation.due import Rhythm, due_instants
from deltaworks.engine.definitions.automation.schedule import CatchUp
from deltaworks.engine.definitions.partitions.cron import Cron

UTC = dt.UTC
MINUTE = dt.timedelta(minutes=1)
CRONS = ("0 6 * * *", "30 2 * * *", "30 1 * * 0", "15 */6 1,15 * *", "0 0 L * *", "45 23 * * 5#2")


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC)


def rhythm(*crons: str, zone: str = "UTC") -> Rhythm:
    return Rhythm(tuple(map(Cron, crons)), zone)


def shown(instant: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def walked(crons: tuple[str, ...], zone: str, first: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    """Take each time of the day that a cron names; where the clock never shows it, walk to the next minute it does."""
    local, ticks = ZoneInfo(zone), set[dt.datetime]()
    for cron in map(Cron, crons):
        for day in cron.days(first.date() - dt.timedelta(days=3), end.date() + dt.timedelta(days=3)):
            for minute in cron.times:
                wall = dt.datetime.combine(day, dt.time()) + minute * MINUTE
                instant = wall.replace(tzinfo=local, fold=0).astimezone(UTC)
                if shown(instant, local) != wall:
                    instant -= dt.timedelta(days=2)
                    while shown(instant, local) < wall:
                        instant += MINUTE
                ticks.add(instant)
    return sorted(tick for tick in ticks if first < tick < end)


@pytest.mark.parametrize(
    ("zone", "first", "end"),
    [
        ("Europe/Berlin", "2025-03-27", "2025-04-02"),
        ("America/New_York", "2025-10-30", "2025-11-04"),
        ("Australia/Lord_Howe", "2025-04-03", "2025-04-08"),
        ("Pacific/Apia", "2011-12-28", "2012-01-02"),
        ("America/Scoresbysund", "2024-03-29", "2024-04-02"),
        ("Asia/Kathmandu", "2025-12-30", "2026-01-03"),
    ],
)
def test_ticks_are_those_of_a_walk_over_the_minutes(zone: str, first: str, end: str) -> None:
    begin, stop = at(first), at(end)

    found = rhythm(*CRONS, zone=zone).last(begin, stop - MINUTE, 10_000)

    assert list(found) == walked(CRONS, zone, begin, stop)
    assert rhythm(*CRONS, zone=zone).next(begin, len(found)) == found


@pytest.mark.soak
def test_fifty_zones_tick_for_five_years_as_a_walk_over_the_minutes_says() -> None:
    zones = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))
    for zone in zones[:: len(zones) // 50][:50]:
        begin, stop = at("2022-01-01"), at("2027-01-01")
        assert list(rhythm(*CRONS, zone=zone).last(begin, stop - MINUTE, 1_000_000)) == walked(CRONS, zone, begin, stop)


def test_expressions_that_fall_together_tick_once() -> None:
    assert rhythm("0 6 * * *", "0 */6 * * *").next(at("2026-01-01T05:59"), 2) == (
        at("2026-01-01T06:00"),
        at("2026-01-01T12:00"),
    )


@pytest.mark.parametrize("cron", ["* * * * *", "*/7 1-23/2 1-31/3 */5 *", "0 0 29 2 *", "* * * 2 1#5", "59 23 31 12 *"])
def test_every_expression_has_its_next_ticks_and_its_last(cron: str) -> None:
    ticks = rhythm(cron, zone="America/New_York").next(at("2026-01-01"), 100)
    last = rhythm(cron, zone="America/New_York").last(at("1970-01-01"), at("2026-01-01"), 100)

    assert len(ticks) == 100
    assert len(last) > 0


UP = (at("2026-01-01T00:00"), at("2026-01-03T12:00"))
BACK = (at("2026-01-10T12:30"), at("2026-01-10T12:30"))


def due(catchup: CatchUp, after: str, now: str = "2026-01-10T12:30", limit: int = 100) -> tuple[list[str], int]:
    found = due_instants(rhythm("0 6 * * *"), at(after), at(now), [UP, BACK], catchup, limit)
    assert all(first < second for first, second in pairwise(found.ticks))
    return [f"{tick:%d}" for tick in found.ticks], len(found.missed)


def test_a_week_without_a_daemon_obeys_catchup() -> None:
    missed = ["04", "05", "06", "07", "08", "09", "10"]

    assert due(CatchUp.NONE, "2026-01-03T06:00") == ([], 0)
    assert due(CatchUp.LAST, "2026-01-03T06:00") == (["10"], 1)
    assert due(CatchUp.ALL, "2026-01-03T06:00") == (missed, 7)
    assert due(CatchUp.ALL, "2026-01-03T06:00", limit=3) == (["08", "09", "10"], 3)


def test_what_was_due_while_a_daemon_ran_is_never_forgotten() -> None:
    assert due(CatchUp.NONE, "2026-01-01T06:00") == (["02", "03"], 0)
    assert due(CatchUp.LAST, "2026-01-01T06:00") == (["02", "03", "10"], 1)


def test_a_clock_that_goes_back_makes_nothing_due() -> None:
    assert due(CatchUp.ALL, after="2026-01-03T06:00", now="2026-01-02T12:00") == ([], 0)
