"""Grids: how partitions of each kind are laid out: days as years, hours as days, values as they come, or by two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import polars as pl

from deltaworks.web.draw.heat import Grid, Mark

WIDTH = 1104
"""Of a map, in pixels, about."""

MOST_COLUMNS = 368
"""What is more shares cells: one has 3 pixels at least."""

MOST_ROWS = 500

_SIZES = ((460, (46, 24, 15, 4)), (5520, (138, 8, 8, 1)), (math.inf, (368, 3, 3, 0)))
"""Up to how many values there are how many columns, and how wide, high and far apart their cells."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_STARTS = (0, *accumulate(_DAYS[:-1]))


def by_year(days: pl.Series) -> Grid:
    """Lay out days (Date) in a row for each year, the latest first.

    A year has 366 columns, so that the same day of all years stands in one: 29 February is a hole in most.
    """
    years = days.dt.year()
    is_after = (days.dt.ordinal_day() >= _STARTS[2]) & ~days.dt.is_leap_year()
    columns = days.dt.ordinal_day().cast(pl.Int64) - 1 + is_after.cast(pl.Int64)
    rows, labels = _latest_first(years)
    marks = tuple(Mark(start, name, divides=start > 0) for start, name in zip(_STARTS, _MONTHS, strict=True))
    return Grid(366, labels, rows * 366 + columns, marks)


def by_day_of_month(days: pl.Series) -> Grid:
    """Lay out days (Date) in a row for each month, the latest first."""
    rows, labels = _latest_first(days.dt.strftime("%Y-%m"))
    marks = tuple(Mark(day - 1, str(day)) for day in (1, 5, 10, 15, 20, 25, 30))
    return Grid(31, labels, rows * 31 + days.dt.day().cast(pl.Int64) - 1, marks, cell_width=35)


def by_week(days: pl.Series) -> Grid:
    """Lay out weeks, told by their first days (Date), in a row for each year, the latest first."""
    rows, labels = _latest_first(days.dt.year())
    marks = tuple(Mark(start // 7, name) for start, name in zip(_STARTS, _MONTHS, strict=True))
    columns = (days.dt.ordinal_day().cast(pl.Int64) - 1) // 7
    return Grid(53, labels, rows * 53 + columns, marks, cell_width=20)


def by_month(days: pl.Series) -> Grid:
    """Lay out months, told by their first days (Date), in a row for each year, the latest first."""
    rows, labels = _latest_first(days.dt.year())
    marks = tuple(Mark(column, name) for column, name in enumerate(_MONTHS))
    return Grid(12, labels, rows * 12 + days.dt.month().cast(pl.Int64) - 1, marks, cell_width=92)


def by_hour(walls: pl.Series) -> Grid:
    """Lay out what the clock shows when hours begin (Datetime), in a row for each day, the latest first.

    An hour that the clock shows twice shares a cell.
    """
    rows, labels = _latest_first(walls.dt.date())
    marks = tuple(Mark(hour, f"{hour:02}:00", divides=hour > 0) for hour in range(0, 24, 6))
    return Grid(24, labels, rows * 24 + walls.dt.hour().cast(pl.Int64), marks, cell_width=46, row_gap=3)


def in_order(count: int) -> Grid:
    """Lay out values in rows, as they come."""
    columns, width, height, gap = next(size for most, size in _SIZES if count <= most)
    rows = max(1, math.ceil(count / columns))
    labels = ("",) * rows
    places = pl.int_range(count, dtype=pl.Int64, eager=True)
    return Grid(min(columns, max(1, count)) if rows == 1 else columns, labels, places, (), width, height, gap)


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension of partitions."""

    name: str
    labels: Sequence[str]
    stride: int
    """How many ordinals lie between one value and the next."""
    first: int = 0
    """Which of the dimension's values the first label is of."""
    size: int = 0
    """How many values the dimension has; zero: as many as there are labels."""

    def places(self, ordinals: pl.Series, most: int) -> pl.Series:
        """Return how far along the axis partitions stand, if it has at most so many places."""
        values = ordinals // self.stride % (self.size or len(self.labels)) - self.first
        return values * min(len(self.labels), most) // len(self.labels)

    def within(self, ordinals: pl.Series) -> Axis:
        """Return the part of the axis on which some partitions stand."""
        values = (ordinals // self.stride % len(self.labels)).unique()
        if values.is_empty():
            return self
        first, last = int(values[values.arg_min() or 0]), int(values[values.arg_max() or 0])
        return Axis(self.name, self.labels[first : last + 1], self.stride, first, len(self.labels))


def pivot(ordinals: pl.Series, x: Axis, y: Axis) -> Grid:
    """Lay out partitions of several dimensions by two of them.

    Args:
        ordinals: of the partitions, all of which stand on both axes.
        x: what runs to the right.
        y: what runs down.
    """
    columns, rows = min(len(x.labels), MOST_COLUMNS), min(len(y.labels), MOST_ROWS)
    across, down = x.places(ordinals, MOST_COLUMNS), y.places(ordinals, MOST_ROWS)
    shown = [y.labels[row * len(y.labels) // rows] for row in range(rows)]
    marks = _marks(x.labels, columns)
    height, gap = (15, 4) if rows <= 24 else (9, 1) if rows <= 80 else (3, 0)
    width = max(3, min(46, WIDTH // columns))
    return Grid(columns, tuple(shown), down * columns + across, marks, width, height, gap)


def _marks(labels: Sequence[str], columns: int) -> tuple[Mark, ...]:
    """Name so many columns that the words do not touch."""
    if not labels:
        return ()
    longest = max(map(len, labels)) * 6 + 12
    width = max(3, min(46, WIDTH // columns))
    step = max(1, math.ceil(longest / width))
    return tuple(Mark(column, labels[column * len(labels) // columns]) for column in range(0, columns, step))


def _latest_first(values: pl.Series) -> tuple[pl.Series, tuple[str, ...]]:
    """Return the row of each value (Int64), and what stands before the rows."""
    distinct = values.unique().sort(descending=True)
    rows = values.replace_strict(distinct, pl.int_range(distinct.len(), eager=True), return_dtype=pl.Int64)
    return rows, tuple(map(str, distinct.to_list()))
