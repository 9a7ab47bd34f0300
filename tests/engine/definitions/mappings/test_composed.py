"""Composed correspondences: every pair of kinds against brute force, and what the simple ones come to."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from deltaworks.engine.definitions.mappings.composed import (
    Composed,
    compose,
    goes_into_one,
    runs_of,
    upstream_of_all,
)
from deltaworks.engine.definitions.mappings.correspondence import Fixed, Relation, Window, intervals, pairs
from deltaworks.engine.definitions.mappings.product import Link, product
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from tests.engine.definitions.mappings.relations import Case, check
from tests.engine.definitions.mappings.test_correspondence import any_pairs, ascending_intervals, fixed, windows

quick = settings(deadline=None, max_examples=120)
sizes = st.sampled_from([0, 1, 2, 3, 5, 6, 9])


@st.composite
def grids(draw: st.DrawFn, down: int, up: int) -> Case:
    """Two dimensions, the second of two values, of which one is joined by a window and the other as a whole."""
    if down % 2 or up % 2:
        return draw(any_pairs(down, up))
    first = draw(st.integers(-3, 2))
    window = Window(first, first + draw(st.integers(0, 2)), down // 2, up // 2)
    found = product((down // 2, 2), (up // 2, 2), [Link(0, 0, window)], {1: PartitionSet.all(2)}, needs_each=True)
    joined = {(d, u) for d in range(down) for u in range(up) if window.first <= u // 2 - d // 2 <= window.last}
    return Case(found, down, up, joined)


@st.composite
def cases(draw: st.DrawFn, down: int, up: int) -> Case:
    if down == up and draw(st.booleans()):
        found = Window(0, 0, down, up)
        case = Case(found, down, up, {(each, each) for each in range(down)})
    else:
        kind = draw(st.sampled_from([windows, small_windows, fixed, ascending_intervals, any_pairs, grids]))
        case = draw(kind(down, up))
    assert isinstance(case.found, Window | Fixed | Relation)
    return replace(case, found=replace(case.found, needs_each=draw(st.booleans())))


@st.composite
def small_windows(draw: st.DrawFn, down: int, up: int) -> Case:
    first = draw(st.integers(-3, 3))
    last = first + draw(st.integers(0, 3))
    joined = {(d, u) for d in range(down) for u in range(up) if first <= u - d <= last}
    return Case(Window(first, last, down, up), down, up, joined)


def through(one: Case, other: Case) -> Case:
    joined = {(d, u) for d, m in one.pairs for between, u in other.pairs if m == between}
    return Case(compose(one.found, other.found), one.down, other.up, joined)


@quick
@given(st.data(), sizes, sizes, sizes)
def test_two_correspondences_are_one(data: st.DataObject, down: int, between: int, up: int) -> None:
    one, other = data.draw(cases(down, between)), data.draw(cases(between, up))

    both = through(one, other)

    check(both, data)
    assert both.found.needs_each == (one.found.needs_each and other.found.needs_each)


@quick
@given(st.data(), sizes, sizes, sizes)
def test_two_that_are_kept_as_two_answer_the_same(data: st.DataObject, down: int, between: int, up: int) -> None:
    one, other = data.draw(cases(down, between)), data.draw(cases(between, up))

    check(replace(through(one, other), found=Composed(one.found, other.found)), data)


@quick
@given(st.data(), sizes, sizes, sizes, sizes)
def test_any_number_of_them_is_one(data: st.DataObject, down: int, second: int, third: int, up: int) -> None:
    one, two, three = (data.draw(cases(*each)) for each in ((down, second), (second, third), (third, up)))

    check(through(one, through(two, three)), data)


@quick
@given(st.data(), sizes, sizes)
def test_whether_anything_goes_into_several(data: st.DataObject, down: int, up: int) -> None:
    case = data.draw(cases(down, up))

    reached = [[d for d, u in case.pairs if u == ordinal] for ordinal in range(up)]

    assert goes_into_one(case.found) == all(len(each) <= 1 for each in reached)


@quick
@given(st.data(), sizes, sizes)
def test_any_ordinals_are_followed_at_once(data: st.DataObject, down: int, up: int) -> None:
    case = data.draw(cases(down, up))
    some = sorted(data.draw(st.sets(st.integers(0, down - 1)))) if down else []

    assert list(upstream_of_all(case.found, some)) == sorted({u for d, u in case.pairs if d in some})
    assert [each for first, last in runs_of(some) for each in range(first, last + 1)] == some


def test_many_ordinals_are_followed_at_once() -> None:
    every = Composed(_odd(100), Window(0, 0, 100, 100))

    assert list(upstream_of_all(_odd(100), list(range(0, 100, 2)))) == list(range(1, 100, 2))
    assert every.downstream_of(51) == range(50, 51)
    assert Composed(_odd(100), _everything(100)).downstream_of(7) == list(range(0, 100, 2))


def test_windows_add_up() -> None:
    week = Window(-6, 0, 1000, 1000)

    assert compose(week, week) == Window(-12, 0, 1000, 1000)


def test_windows_do_not_add_up_where_the_definition_between_cuts_them() -> None:
    both = compose(Window(-1, 0, 10, 10), Window(5, 5, 10, 15))

    assert both.upstream_of(0, 0) == range(5, 6)  # a single window would have 4, too


def test_an_identity_costs_nothing() -> None:
    identity, relation = Window(0, 0, 3, 3), pairs(pl.Series([0, 2]), pl.Series([1, 1]), 3, 3)

    assert compose(identity, relation) is relation
    assert compose(relation, identity) is relation


def test_a_week_of_trailing_weeks_is_one_stretch() -> None:
    weeks = compose(_sevenths(10), Window(-6, 0, 70, 70))

    assert isinstance(weeks, Relation)
    assert weeks.upstream_of(3, 3) == range(15, 28)


def _odd(size: int) -> Relation:
    evens = pl.int_range(0, size, 2, eager=True)
    return pairs(evens, evens + 1, size, size)


def _everything(size: int) -> Relation:
    ordinals = pl.int_range(size * size, eager=True)
    return pairs(ordinals // size, ordinals % size, size, size)


def _sevenths(size: int) -> Relation:
    starts = pl.int_range(0, size * 7, 7, eager=True)
    return intervals(starts, starts + 7, size * 7)
