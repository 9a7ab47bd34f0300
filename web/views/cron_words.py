"""Cron words: when a cron expression ticks, as people say it."""

from __future__ import annotations

from calendar import day_name, month_name
from collections.abc import Sequence
from itertools import pairwise

from deltaworks.engine.definitions.partitions.cron import Cron

_DAY = 1440
"""Minutes."""

_MOST_TIMES = 4
"""How many times of a day are named."""

_NTH = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}


def cron_words(cron: Cron) -> str:
    """Return when a cron ticks: `every 5 minutes`, `every day at 06:00`, `on weekdays at 08:00 and 17:00`."""
    days, months = _days(cron), "" if len(cron.months) == 12 else f"in {_listed([month_name[m] for m in cron.months])}"
    often = _often(cron.times)
    if often:
        return " ".join(filter(None, (often, days, months)))
    times = [_clock(time) for time in cron.times]
    told = f"at {_listed(times)}" if len(times) <= _MOST_TIMES else f"{len(times)} times"
    return " ".join(filter(None, (days or "every day", months, told)))


def _often(times: Sequence[int]) -> str:
    """Return how often it ticks, if the same time lies between any two ticks of a day; else nothing."""
    steps = {later - time for time, later in pairwise(times)}
    step = min(steps, default=0)
    goes_round = times[0] + _DAY - times[-1] == step
    if len(steps) != 1 or not (goes_round or len(times) > _MOST_TIMES):
        return ""
    number, noun = (step // 60, "hour") if step % 60 == 0 else (step, "minute")
    told = f"every {noun}" if number == 1 else f"every {number} {noun}s"
    if not goes_round:
        return f"{told} from {_clock(times[0])} to {_clock(times[-1])}"
    if times[0] == 0:
        return told
    return f"{told} at minute {times[0]}" if step == 60 else f"{told} from {_clock(times[0])} on"


def _days(cron: Cron) -> str:
    """Return on which days it ticks; empty: on every one."""
    found = [_week_days(cron.week_days)] if cron.week_days is not None else []
    if cron.month_days is not None:
        named = ["the last day" if day == -1 else f"day {day}" for day in cron.month_days]
        found.append(f"on {_listed(named)} of the month")
    return " or ".join(found)


def _week_days(days: Sequence[tuple[int, int]]) -> str:
    of_each_week = {day for day, nth in days if nth == 0}
    if len(of_each_week) == len(days):
        known = {frozenset({1, 2, 3, 4, 5}): "on weekdays", frozenset({0, 6}): "on weekends"}
        if frozenset(of_each_week) in known:
            return known[frozenset(of_each_week)]
    # Monday first; a cron counts from Sunday.
    ordered = sorted(days, key=lambda each: ((each[0] - 1) % 7, each[1]))
    named = [f"the {_NTH[nth]} {_week_day(day)} of the month" if nth else _week_day(day) for day, nth in ordered]
    return f"on {_listed(named)}"


def _week_day(day: int) -> str:
    return day_name[(day - 1) % 7]


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
