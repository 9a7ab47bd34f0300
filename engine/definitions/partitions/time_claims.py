"""Claims that a column's value lies in a stretch of time, by the column's dtype, which is not known when they are made.

A column is asked for by selectors, of which those for other dtypes select nothing and leave no trace in the plan. What
stays is a comparison with a literal, which Parquet readers push down to row groups.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl
import polars.selectors as cs

from deltaworks.engine.definitions.partitions.timeline import Timeline

_UTC = "UTC"
_INSTANT = pl.Datetime("us", _UTC)
_WALL = pl.Datetime("us")


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """From where to where partitions go, start included and end excluded, as one dtype tells it."""

    start: pl.Expr
    end: pl.Expr
    turns: pl.Series | None = None
    """Where partitions start and end by turns; none: they follow one another without a gap."""

    def around(self, value: pl.Expr) -> pl.Expr:
        """Return the claim that a value lies within."""
        inside = (value >= self.start) & (value < self.end)
        return (
            inside if self.turns is None else inside & (pl.lit(self.turns).search_sorted(value, side="right") % 2 == 1)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """From where to where partitions go, as each dtype tells it."""

    instants: Bounds
    walls: Bounds
    """For a Datetime without time zone, read as what the clock shows; the first time, where it does twice."""
    days: Bounds | None
    """For days; none: a day is its midnight."""
    keys: str | pl.Series
    """For text: one key or several."""

    def claim(self, column: str | pl.Expr) -> pl.Expr:
        """Return the claim; an expression that is no plain column must be of days or have no zone, else of instants."""
        if isinstance(column, str):
            return self._by_dtype(cs.by_name(column))
        if column.meta.is_column():
            return self._by_dtype(cs.by_name(column.meta.output_name()))
        return (self.days or self.instants).around(column)

    def _by_dtype(self, column: cs.Selector) -> pl.Expr:
        elsewhere = (column & _WITH_ZONE).as_expr().dt.convert_time_zone(_UTC)
        text = (column & _TEXT).as_expr()
        return pl.any_horizontal(
            (self.days or self.walls).around((column & _DAY).as_expr()),
            self.walls.around((column & _WITHOUT_ZONE).as_expr()),
            self.instants.around((column & _IN_UTC).as_expr()),
            self.instants.around(elsewhere),
            text == self.keys if isinstance(self.keys, str) else text.is_in(self.keys.implode()),
            (column & _OTHER).as_expr().dt.date().is_null(),  # which Polars refuses in its own words
        )


_DAY = cs.date() | cs.by_dtype(pl.Null)
_WITHOUT_ZONE = cs.datetime(time_zone=None)
_IN_UTC = cs.datetime(time_zone=_UTC)
_WITH_ZONE = cs.datetime(time_zone="*") - _IN_UTC
_TEXT = cs.string(include_categorical=True) | cs.enum()
_OTHER = ~(_DAY | cs.datetime() | _TEXT)


def stretch(timeline: Timeline, first: int, last: int, keys: str | pl.Series) -> Stretch:
    """Return how far the partitions from one ordinal to another go, whose keys are given."""
    clock = timeline.clock
    start, end = timeline.starts[first], timeline.ends[last]
    instants = Bounds(_literal(start, _INSTANT), _literal(end, _INSTANT))
    walls = Bounds(_literal(clock.peak(start), _WALL), _literal(clock.peak(end), _WALL))
    has_days = not timeline.days.is_empty()
    days = Bounds(pl.lit(timeline.days[first]), pl.lit(timeline.next_days[last])) if has_days else None
    if timeline.run_end(first) >= last:
        return Stretch(instants, walls, days, keys)
    ends = [each for each in timeline.breaks.to_list() if first <= each < last]
    runs = pl.Series([first, *(each + 1 for each in ends)]), pl.Series([*ends, last])
    turns = _by_turns(timeline.starts.gather(runs[0]), timeline.ends.gather(runs[1]))
    shown = pl.Series([clock.peak(instant) for instant in turns], dtype=pl.Int64)
    return Stretch(
        replace(instants, turns=turns.cast(_INSTANT)),
        replace(walls, turns=shown.cast(_WALL)),
        replace(days, turns=_by_turns(timeline.days.gather(runs[0]), timeline.next_days.gather(runs[1])))
        if days
        else None,
        keys,
    )


def _literal(microseconds: int, dtype: pl.Datetime) -> pl.Expr:
    return pl.lit(microseconds).cast(dtype)  # the same in the plan as from a datetime, at a thirtieth of the time


def _by_turns(starts: pl.Series, ends: pl.Series) -> pl.Series:
    return pl.select(pl.concat_list(starts, ends).explode()).to_series()
