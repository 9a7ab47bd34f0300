"""PartitionSet does what a Python set of ordinals does."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltaworks.engine.definitions.partitions.partition_set import PartitionSet

quick = settings(deadline=None, max_examples=60)


@st.composite
def two_sets(draw: st.DrawFn) -> tuple[int, set[int], set[int]]:
    size = draw(st.integers(0, 40))
    ordinals = st.sets(st.integers(0, size - 1)) if size else st.just(set[int]())
    return size, draw(ordinals), draw(ordinals)


@quick
@given(two_sets())
def test_the_algebra_is_that_of_sets(case: tuple[int, set[int], set[int]]) -> None:
    size, left, right = case
    a, b = PartitionSet.of(left, size), PartitionSet.of(right, size)

    assert set(a | b) == left | right
    assert set(a & b) == left & right
    assert set(a - b) == left - right
    assert (a == b) == (left == right)
    assert (len(a), bool(a), list(a)) == (len(left), bool(left), sorted(left))
    assert {ordinal for ordinal in range(-2, size + 2) if ordinal in a} == left


@quick
@given(two_sets())
def test_ranges_are_the_longest_runs_and_lead_back_to_the_set(case: tuple[int, set[int], set[int]]) -> None:
    size, ordinals, _ = case
    partitions = PartitionSet.of(ordinals, size)

    ranges = partitions.ranges()

    assert [ordinal for first, last in ranges for ordinal in range(first, last + 1)] == sorted(ordinals)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(ranges))
    assert PartitionSet.of_ranges(ranges, size) == partitions


@quick
@given(st.integers(0, 20), st.integers(-5, 25), st.integers(-5, 25))
def test_a_span_is_cut_to_the_definition(size: int, first: int, last: int) -> None:
    assert set(PartitionSet.span(first, last, size)) == {each for each in range(size) if first <= each <= last}


def test_none_and_all_have_no_and_every_partition() -> None:
    assert list(PartitionSet.none(3)) == []
    assert list(PartitionSet.all(3)) == [0, 1, 2]
    assert PartitionSet.all(0) == PartitionSet.none(0)


def test_ordinals_may_come_as_a_series() -> None:
    assert list(PartitionSet.of(pl.Series([2, 0]), 3)) == [0, 2]


def test_sets_of_different_definitions_are_never_joined() -> None:
    with pytest.raises(AssertionError):
        PartitionSet.all(1) | PartitionSet.none(3)  # Polars by itself would broadcast


def test_a_set_is_no_dictionary_key() -> None:
    with pytest.raises(TypeError):
        hash(PartitionSet.all(1))
