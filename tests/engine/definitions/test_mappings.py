"""Mappings: correspondences against brute force over ordinals."""

from __future__ import annotations

import datetime as dt
from typing import TypeAlias

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltaworks.engine.definitions.mappings import (
    AllPartitionsMapping,
    Correspondence,
    Everything,
    IdentityMapping,
    PartitionMapping,
    TimeWindowMapping,
    Window,
    correspond,
    infer_mapping,
)
from deltaworks.engine.definitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions import Unpartitioned
from deltaworks.engine.definitions.time_partitions import DailyPartitions
from deltaworks.errors import InvalidDefinition

quick = settings(deadline=None, max_examples=150)
Case: TypeAlias = tuple[Correspondence, int, int, set[tuple[int, int]]]
"""A correspondence, both sizes, and its pairs of downstream and upstream ordinals by brute force."""


def days(first: int, size: int) -> DailyPartitions:
    start = dt.date(2013, 1, 1) + dt.timedelta(days=first)
    if size == 0:
        return DailyPartitions(start).until(dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
    return DailyPartitions(start, start + dt.timedelta(days=size))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    down, up = (days(draw(st.integers(0, 12)), draw(st.integers(0, 12))) for _ in range(2))
    first, width = draw(st.integers(-15, 15)), draw(st.integers(1, 8))
    mapping: PartitionMapping = draw(
        st.sampled_from([IdentityMapping(), TimeWindowMapping(first, first + width - 1), AllPartitionsMapping()])
    )
    pairs: set[tuple[int, int]] = set()
    for d in range(down.size):
        for u in range(up.size):
            distance = (up.date(u) - down.date(d)).days
            match mapping:
                case IdentityMapping():
                    belongs = distance == 0
                case TimeWindowMapping(start, end):
                    belongs = start <= distance <= end
                case AllPartitionsMapping():
                    belongs = True
            if belongs:
                pairs.add((d, u))
    return correspond(mapping, down, up), down.size, up.size, pairs


values = st.one_of(st.none(), st.integers(0, 9))


@quick
@given(cases(), st.data())
def test_latest_is_the_greatest_upstream_value_and_oldest_the_least_downstream_one(
    case: Case, data: st.DataObject
) -> None:
    found, down, up, pairs = case
    above = data.draw(st.lists(values, min_size=up, max_size=up))
    below = data.draw(st.lists(values, min_size=down, max_size=down))

    latest = found.latest(pl.Series(above, dtype=pl.Int64))
    oldest = found.oldest(pl.Series(below, dtype=pl.Int64))

    mapped_up = [[above[u] for u in range(up) if (d, u) in pairs and above[u] is not None] for d in range(down)]
    mapped_down = [[below[d] for d in range(down) if (d, u) in pairs and below[d] is not None] for u in range(up)]
    assert latest.to_list() == [max(each, default=None) for each in mapped_up]
    assert oldest.to_list() == [min(each, default=None) for each in mapped_down]
    assert latest.dtype == oldest.dtype == pl.Int64


@quick
@given(cases(), st.data())
def test_sets_go_up_and_down_as_their_members_do(case: Case, data: st.DataObject) -> None:
    found, down, up, pairs = case
    some_down = data.draw(st.sets(st.integers(0, down - 1))) if down else set()
    some_up = data.draw(st.sets(st.integers(0, up - 1))) if up else set()
    joins_all = isinstance(found, Everything)

    upstream = found.upstream(PartitionSet.of(some_down, down))
    downstream = found.downstream(PartitionSet.of(some_up, up))

    assert set(upstream) == {u for d, u in pairs if d in some_down}
    assert set(downstream) == {d for d, u in pairs if u in some_up}
    assert some_down - set(found.downstream(upstream)) == {
        d for d in some_down if not any((d, u) in pairs for u in range(up))
    }
    assert found.joins_all == joins_all


@quick
@given(cases(), st.data())
def test_ranges_are_those_of_the_sets(case: Case, data: st.DataObject) -> None:
    found, down, up, pairs = case
    for u in range(up):
        assert set(found.downstream_range(u)) == {d for d, other in pairs if other == u}
    if not down:
        return
    first = data.draw(st.integers(0, down - 1))
    last = data.draw(st.integers(first, down - 1))

    mapped = found.upstream_range(first, last)

    assert set(mapped) == {u for d, u in pairs if first <= d <= last}


def test_a_window_is_cut_at_the_borders_of_the_upstream() -> None:
    week = Window(-6, 0, downstream_size=10, upstream_size=10)

    assert week.upstream_range(0, 0) == range(1)
    assert week.upstream_range(8, 9) == range(2, 10)
    assert week.downstream_range(9) == range(9, 10)


def test_equal_kinds_are_joined_by_key_and_others_as_a_whole() -> None:
    daily, whole = days(0, 3), Unpartitioned()

    assert infer_mapping(daily, daily) == IdentityMapping()
    assert infer_mapping(whole, daily) == infer_mapping(daily, whole) == AllPartitionsMapping()


def test_only_a_whole_table_is_needed_as_such() -> None:
    daily, whole = days(0, 3), Unpartitioned()

    assert correspond(AllPartitionsMapping(), daily, whole).needs_each
    assert not correspond(AllPartitionsMapping(), whole, daily).needs_each
    assert correspond(IdentityMapping(), daily, daily).needs_each


@pytest.mark.parametrize("mapping", [IdentityMapping(), TimeWindowMapping(-1)])
def test_a_mapping_of_days_needs_days_on_both_sides(mapping: PartitionMapping) -> None:
    with pytest.raises(InvalidDefinition, match="joins daily partitions, but here the whole table"):
        correspond(mapping, Unpartitioned(), days(0, 3))


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match="start_offset 1 lies after end_offset 0"):
        TimeWindowMapping(start_offset=1)
