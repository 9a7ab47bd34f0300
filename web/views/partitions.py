"""Partitions: the map of an asset's partitions, with what each status comes to."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from deltaworks.engine.definitions.partitions.multi_partitions import MultiPartitions
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.engine.planning.status import AssetStatus, Status
from deltaworks.errors import RequestError
from deltaworks.web.draw.grids import Axis, by_day_of_month, by_hour, by_month, by_week, by_year, in_order, pivot
from deltaworks.web.draw.heat import Grid, HeatMap, Shade, draw_heat

MOST_DRAWN = 10_000
"""How many cells are drawn as paths; more are painted on a canvas."""

MOST_DAYS_OF_HOURS = 62
"""For how many days each hour has a cell; in longer times a cell is a day."""

MOST_DAYS_OF_MONTHS = 400
"""For how many days, if they are a part of all, a row is a month; in longer times it is a year."""

_FEW = 64
"""How many values Python counts faster than Polars."""

_WORDS = ("fresh", "stale", "failed", "running", "external", "missing")
"""In the order in which people want to see them."""

_BY_STATUS = pl.Series([int(Shade[status.name]) for status in Status], dtype=pl.UInt8)
"""The shade of each status, by its number."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many partitions there are of each shade; they add up to all."""

    total: int
    by_word: Mapping[str, int]

    @property
    def worst(self) -> str:
        """The word of the worst shade that there is; what runs is told before that."""
        for word in ("running", "failed", "stale", "missing", "external"):
            if self.by_word.get(word):
                return word
        return "fresh" if self.total else "missing"

    @property
    def shown(self) -> list[tuple[str, int]]:
        """Every shade with its number, in the order of legends; outside writes only where there are any."""
        return [(word, self.by_word.get(word, 0)) for word in _WORDS if word != "external" or self.by_word.get(word)]

    @property
    def parts(self) -> list[tuple[str, float, float]]:
        """The shades as pieces of a bar of length 1: the word, where it begins, and how long it is."""
        found: list[tuple[str, float, float]] = []
        at = 0.0
        for word in _WORDS:
            length = self.by_word.get(word, 0) / (self.total or 1)
            if length and word != "missing":
                found.append((word, at, length))
                at += length
        return found


@dataclass(frozen=True, slots=True)
class PivotView:
    """How partitions of several dimensions are cut for a map of two."""

    x: str
    y: str
    names: tuple[str, ...]
    others: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Each dimension that is neither x nor y: its name, the value that counts or `*`, and its values."""


class Order(StrEnum):
    """What lies between two cells of a map."""

    TIME = "time"
    """What lies between them in time; the latest row is the first one."""
    PLACE = "place"
    """What stands between them, row by row."""
    BOX = "box"
    """The rectangle of which they are corners."""


@dataclass(frozen=True, slots=True)
class HeatView:
    """A map of partitions."""

    counts: Counts
    map: HeatMap
    is_drawn: bool
    """Else it is painted on a canvas."""
    cell_noun: str
    """What one cell is, if it is no partition."""
    pivot: PivotView | None
    sentence: str
    """The map in words."""
    order: Order
    window: tuple[str, str] | None
    """The first and last key of the part of all that it shows; none: it shows all."""


def shades(found: AssetStatus, running: PartitionSet | None) -> pl.Series:
    """Return the shade of every partition, by ordinal (UInt8): its status, with failures and runs laid over."""
    shade = _BY_STATUS.gather(found.status)
    for part, over in ((found.state.failed, Shade.FAILED), (running, Shade.RUNNING)):
        if part is not None and part:
            shade = shade.set(part.mask, int(over))
    return shade


def count(shade: pl.Series) -> Counts:
    """Count shades."""
    few = shade.len() <= _FEW
    found = Counter(shade.to_list()) if few else dict(shade.value_counts().iter_rows())
    return Counts(shade.len(), {Shade(each).word: number for each, number in found.items()})


def heat_view(partitions: Partitions, shade: pl.Series, asked: Mapping[str, str]) -> HeatView:
    """Lay out a map of partitions.

    Args:
        partitions: the definition.
        shade: of each, by ordinal.
        asked: `from` and `to`, the keys between which partitions are shown; and where there are several dimensions,
            which of them are `x` and `y`, and the values of others by name.

    Raises:
        RequestError: there is no such dimension, value or key.
    """
    grid, ordinals, noun, cut = lay_out(partitions, asked)
    shown = shade if ordinals is None else shade.gather(ordinals)
    counts, drawn = count(shown), draw_heat(grid, shown, MOST_DRAWN)
    told = ", ".join(f"{number} {word}" for word, number in counts.shown if number)
    sentence, is_drawn = f"{counts.total} partitions: {told or 'none'}", drawn.cells <= MOST_DRAWN
    shows_part = within(partitions, asked) is not None
    window = (asked["from"], asked["to"]) if shows_part else None
    is_time = isinstance(partitions, TimePartitions)
    order = Order.BOX if cut is not None else Order.TIME if is_time else Order.PLACE
    return HeatView(counts, drawn, is_drawn, noun, cut, sentence, order, window)


def within(partitions: Partitions, asked: Mapping[str, str]) -> PartitionSet | None:
    """Return the partitions between the keys `from` and `to`, in each dimension; none: all are asked for.

    Raises:
        RequestError: one of the two is missing or means nothing here, or there is nothing between them.
    """
    first, last = asked.get("from", ""), asked.get("to", "")
    if not first and not last:
        return None
    if not first or not last:
        raise RequestError("A part of a map needs both ends: from and to.")
    found = partitions.between(first, last)
    if not found:
        raise RequestError(f"There are no partitions from {first!r} to {last!r}: {partitions}.")
    return found


def last_week(partitions: Partitions, now: dt.datetime) -> tuple[str, str] | None:
    """Return the first and the last key of the seven days up to the last window that is over, by the clock of its zone.

    Of several dimensions they are keys of the one that is time. None: no time has cells of a week or less.
    """
    if isinstance(partitions, MultiPartitions):
        times = [partitions.dimensions[place] for place in partitions.time_dimensions]
        return last_week(times[0], now) if len(times) == 1 else None
    if not isinstance(partitions, TimePartitions):
        return None
    starts, ends = (
        each.dt.convert_time_zone(partitions.timezone).dt.replace_time_zone(None)
        for each in (partitions.starts_at, partitions.ends_at)
    )
    last = int((partitions.ends_at <= now).sum()) - 1
    if last < 0:
        return None
    first = int((starts < ends[last] - dt.timedelta(days=7)).sum())
    return (partitions.key(first), partitions.key(last)) if first <= last else None


def lay_out(partitions: Partitions, asked: Mapping[str, str]) -> tuple[Grid, pl.Series | None, str, PivotView | None]:
    """Return the grid of a map, which partitions it shows if not all, what a cell is, and how it is cut."""
    part = within(partitions, asked)
    chosen = None if part is None else part.ordinals.cast(pl.Int64)
    shown = pl.int_range(partitions.size, eager=True) if chosen is None else chosen
    if isinstance(partitions, MultiPartitions):
        return _pivoted(partitions, shown, asked)
    if not isinstance(partitions, TimePartitions) or not partitions.size:
        return in_order(shown.len()), chosen, "", None
    if not partitions.cadence.is_clock:
        days = partitions.keys(shown).str.to_date()
        few = chosen is not None and shown.len() <= MOST_DAYS_OF_MONTHS
        by = {"weekly": by_week, "monthly": by_month}.get(partitions.cadence.kind, by_day_of_month if few else by_year)
        return by(days), chosen, "", None
    walls = partitions.starts_at.dt.convert_time_zone(partitions.timezone).dt.replace_time_zone(None).gather(shown)
    if walls.dt.date().n_unique() <= MOST_DAYS_OF_HOURS:
        return by_hour(walls), chosen, "", None
    return by_year(walls.dt.date()), chosen, "day", None


def _pivoted(
    partitions: MultiPartitions, ordinals: pl.Series, asked: Mapping[str, str]
) -> tuple[Grid, pl.Series, str, PivotView]:
    names = partitions.names
    times = [names[place] for place in partitions.time_dimensions]
    x = _named(names, asked.get("x") or (times or list(names))[0])
    y = _named(names, asked.get("y") or next(name for name in (*names, x) if name != x or len(names) == 1))
    axes = {name: _axis(partitions, place) for place, name in enumerate(names)}
    others: list[tuple[str, str, tuple[str, ...]]] = []
    for name, axis in axes.items():
        if name in (x, y):
            continue
        value = asked.get(name, "*")
        if value != "*":
            if value not in axis.labels:
                raise RequestError(f"Dimension {name!r} has no value {value!r}.")
            place = list(axis.labels).index(value)
            ordinals = ordinals.filter(ordinals // axis.stride % len(axis.labels) == place)
        others.append((name, value, tuple(axis.labels)))
    grid = pivot(ordinals, axes[x].within(ordinals), axes[y].within(ordinals))
    return grid, ordinals, "", PivotView(x, y, names, tuple(others))


def _named(names: tuple[str, ...], name: str) -> str:
    if name not in names:
        raise RequestError(f"There is no dimension {name!r}: the partitions have {', '.join(names)}.")
    return name


def _axis(partitions: MultiPartitions, place: int) -> Axis:
    dimension = partitions.dimensions[place]
    labels: list[str] = dimension.keys(pl.int_range(dimension.size, eager=True)).to_list()
    return Axis(partitions.names[place], labels, partitions.strides[place])


def cell_keys(partitions: Partitions, grid: Grid, ordinals: pl.Series | None) -> list[tuple[str, str] | None]:
    """Return the keys of the first and last partition in each cell of a map, row by row; none for a hole."""
    shown = pl.int_range(partitions.size, eager=True) if ordinals is None else ordinals
    cells = (
        pl.DataFrame({"place": grid.places, "ordinal": shown})
        .group_by("place")
        .agg(pl.col("ordinal").min().alias("first"), pl.col("ordinal").max().alias("last"))
    )
    firsts, lasts = partitions.keys(cells["first"]).to_list(), partitions.keys(cells["last"]).to_list()
    keys: list[tuple[str, str] | None] = [None] * (grid.columns * len(grid.rows))
    for place, first, last in zip(cells["place"].to_list(), firsts, lasts, strict=True):
        keys[place] = first, last
    return keys
