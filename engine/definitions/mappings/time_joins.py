"""Time joins: partitions of time that are the same, or that overlap, by arithmetic on instants."""

from __future__ import annotations

import datetime as dt

import polars as pl

from deltaworks.engine.definitions.mappings.correspondence import Relation, Window, intervals
from deltaworks.engine.definitions.mappings.declared import TimeWindowMapping
from deltaworks.engine.definitions.partitions.clock import FIRST_WALL, LAST_WALL
from deltaworks.engine.definitions.partitions.instants import read_instants
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.engine.definitions.partitions.timeline import Timeline, build


def same_time(downstream: TimePartitions, upstream: TimePartitions) -> Window | Relation:
    """Join partitions of one scheme that are the same."""
    shift = _shift(downstream, upstream)
    if shift is not None:
        return Window(shift, shift, downstream.size, upstream.size)
    starts = upstream.starts_at.search_sorted(downstream.starts_at, side="left")
    stops = upstream.starts_at.search_sorted(downstream.starts_at, side="right")
    return intervals(starts, stops, upstream.size, _if_any((starts == stops).cast(pl.Int64)))


def overlap(mapping: TimeWindowMapping, downstream: TimePartitions, upstream: TimePartitions) -> Window | Relation:
    """Join partitions to those that overlap them, and as many more before and after as the mapping says.

    Offsets count on where the upstream's definition ends: the week before a day beyond it is cut like any other.
    """
    shift = _shift(downstream, upstream)
    if shift is not None:
        first, last = shift + mapping.start_offset, shift + mapping.end_offset
        return Window(first, last, downstream.size, upstream.size)
    before = 0
    upstream_starts, upstream_ends = upstream.starts_at, upstream.ends_at
    counts_on = bool(mapping.start_offset or mapping.end_offset or upstream.exclusions)
    counts_on = counts_on and bool(downstream.size and upstream.size)
    if counts_on:
        windows = _continued(upstream, downstream, 1 + max(abs(mapping.start_offset), abs(mapping.end_offset)))
        before = windows.starts.search_sorted(int(upstream_starts.to_physical()[0]))
        upstream_starts, upstream_ends = (each.cast(upstream_starts.dtype) for each in (windows.starts, windows.ends))
    starts = upstream_ends.search_sorted(downstream.starts_at, side="right").cast(pl.Int64)
    stops = upstream_starts.search_sorted(downstream.ends_at, side="left").cast(pl.Int64)
    starts, stops = starts + (mapping.start_offset - before), stops + (mapping.end_offset - before)
    cut = _beyond(downstream, upstream_starts, upstream_ends)
    if counts_on:
        more = (starts < stops).cast(pl.Int64) * (2 * (-starts).clip(0) + (stops > upstream.size))
        cut = more if cut is None else cut + more
    starts, stops = (bound.clip(0, upstream.size) for bound in (starts, stops))
    return intervals(starts, stops, upstream.size, _if_any(cut))


def are_ahead(keys: pl.Series, partitions: TimePartitions) -> pl.Series:
    """Return which keys name a time after a definition's last partition, as a mask."""
    last = partitions.size - 1
    if partitions.cadence.is_clock:
        moments = read_instants(keys)
        found = moments > partitions.starts_at.to_physical()[last] if last >= 0 else moments.is_not_null()
    else:
        days = keys.str.to_date("%Y-%m-%d", strict=False)
        found = days > dt.date.fromisoformat(partitions.key(last)) if last >= 0 else days.is_not_null()
    return found.fill_null(False)


def _shift(downstream: TimePartitions, upstream: TimePartitions) -> int | None:
    """Return how many upstream ordinals lie before the first downstream one; none: it is not constant, or not seen."""
    if downstream == upstream:
        return 0
    if downstream.scheme != upstream.scheme or downstream.exclusions or upstream.exclusions:
        return None
    if not downstream.size or not upstream.size:
        return 0
    first = upstream.ordinal(downstream.key(0))
    if first is not None:
        return first
    first = downstream.ordinal(upstream.key(0))
    return None if first is None else -first


def _beyond(downstream: TimePartitions, upstream_starts: pl.Series, upstream_ends: pl.Series) -> pl.Series | None:
    """Return how much of downstream partitions lies before and after the time of some upstream ones, as `cut` does."""
    if upstream_starts.is_empty():
        return pl.Series([1], dtype=pl.Int64).new_from_index(0, downstream.size)
    first, last = upstream_starts.to_physical()[0], upstream_ends.to_physical()[-1]
    starts, ends = downstream.starts_at.to_physical(), downstream.ends_at.to_physical()
    if starts.is_empty() or (starts[0] >= first and ends[-1] <= last):
        return None
    before: pl.Series = (first - starts).clip(0)
    is_after: pl.Series = ends > last
    return before * 2 + is_after.cast(pl.Int64)


def _if_any(cut: pl.Series | None) -> pl.Series | None:
    return cut if cut is not None and (cut != 0).any() else None


def _continued(upstream: TimePartitions, downstream: TimePartitions, most: int) -> Timeline:
    """Return the upstream's windows as if its definition went as far as the downstream's, or `most` more either way."""
    first, last = downstream.starts_at.to_physical()[0], downstream.ends_at.to_physical()[-1]
    own_start, own_end = upstream.starts_at.to_physical()[0], upstream.ends_at.to_physical()[-1]
    margin = (most + 1) * upstream.cadence.usual_us  # of which some kinds only have a guess
    while True:
        start = max(own_start - margin, FIRST_WALL) if first < own_start else own_start
        end = min(own_end + margin, LAST_WALL) if last > own_end else own_end
        windows = build(upstream.cadence, upstream.timezone, start, end, upstream.exclusions)
        before, after = (windows.starts < own_start).sum(), (windows.ends > own_end).sum()
        reaches_back = windows.starts[0] <= first or before >= most or start == FIRST_WALL
        reaches_on = windows.ends[-1] >= last or after >= most or end == LAST_WALL
        if reaches_back and reaches_on:
            return windows
        margin *= 4
