"""Timeline: what ran when, a row for each name, those that ran at once below one another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

HEAD = 22.0
"""Where the first lane begins, below the axis."""

LANE = 18.0
BAR = 12.0
LEAST = 4.0
"""Of a bar: a run of seconds is seen, and can be pointed at, on an axis of a day."""

_APART = 2.0
_EDGE = 24.0
"""How far from both ends of the axis a word still fits."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Something that ran, from one instant to another."""

    name: str
    start: dt.datetime
    end: dt.datetime


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch, in pixels from the upper left corner of the picture."""

    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture."""

    names: tuple[tuple[str, float], ...]
    """The rows, and the middle of their first lanes."""
    bars: tuple[Bar | None, ...]
    """One for each stretch; none: it ended before the axis begins."""
    ticks: tuple[tuple[float, dt.datetime], ...]
    left: float
    width: float
    height: float


def draw_timeline(
    stretches: Sequence[Stretch],
    start: dt.datetime,
    end: dt.datetime,
    step: dt.timedelta,
    *,
    left: float = 200,
    width: float = 1128,
) -> Timeline:
    """Draw stretches, the rows in the order in which their names come.

    Args:
        stretches: what ran, ascending by start within a name.
        start: where the axis begins.
        end: where it ends.
        step: how far apart its ticks are; they stand on round instants of it.
        left: the width of the names.
        width: of all, names included.
    """
    scale = (width - left) / (end - start).total_seconds()
    lanes: dict[str, list[float]] = {}
    placed: list[tuple[str, int, float, float] | None] = []
    for each in stretches:
        if each.end < start:
            placed.append(None)
            continue
        x = left + max(0.0, (each.start - start).total_seconds()) * scale
        long = max(LEAST, left + (each.end - start).total_seconds() * scale - x)
        x = min(x, width - long)
        free = lanes.setdefault(each.name, [])
        lane = next((place for place, until in enumerate(free) if until <= x), len(free))
        free[lane:] = [x + long + _APART, *free[lane + 1 :]]
        placed.append((each.name, lane, x, long))
    tops = _tops({name: len(free) for name, free in lanes.items()})
    bars = tuple(
        None if each is None else Bar(round(each[2], 1), tops[each[0]] + each[1] * LANE, round(each[3], 1))
        for each in placed
    )
    return Timeline(
        names=tuple((name, top + BAR / 2) for name, top in tops.items()),
        bars=bars,
        ticks=tuple(_ticks(start, end, step, left, scale)),
        left=left,
        width=width,
        height=HEAD + LANE * sum(map(len, lanes.values())),
    )


def _tops(lanes: dict[str, int]) -> dict[str, float]:
    """Return where the first lane of each row begins."""
    tops: dict[str, float] = {}
    top = HEAD
    for name, count in lanes.items():
        tops[name] = top
        top += count * LANE
    return tops


def _ticks(
    start: dt.datetime, end: dt.datetime, step: dt.timedelta, left: float, scale: float
) -> list[tuple[float, dt.datetime]]:
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight + step * (-((midnight - start) // step))
    count = (end - first) // step + 1
    found = [
        (round(left + (at - start).total_seconds() * scale, 1), at) for at in (first + step * n for n in range(count))
    ]
    right = left + (end - start).total_seconds() * scale
    return [(x, at) for x, at in found if left + _EDGE <= x <= right - _EDGE]
