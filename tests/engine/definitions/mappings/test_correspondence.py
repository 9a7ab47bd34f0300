"""Correspondences: every kind against brute force over pairs of ordinals."""

from __future__ import annotations

import itertools
import math

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from deltaworks.engine.definitions.mappings.correspondence import Fixed, Relation, Window, intervals, pairs
from deltaworks.engine.definitions.mappings.product import Link, combined, product
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from tests.engine.definitions.mappings.relations import Case, check

quick = settings(deadline=None, max_examples=120)
sizes = st.sampled_from([0, 1, 2, 5, 9, 20])
axis_sizes = st.sampled_from([0, 1, 2, 3, 3, 4, 4])


@st.composite
def windows(draw: st.DrawFn, down: int, up: int) -> Case:
    first, width = draw(st.integers(-25, 25)), draw(st.sampled_from([1, 1, 2, 3, 8]))
    last = first + width - 1
    joined = {(d, u) for d in range(down) for u in range(up) if first <= u - d <= last}
    return Case(Window(first, last, down, up), down, up, joined)


@st.composite
def fixed(draw: st.DrawFn, down: int, up: int) -> Case:
    chosen = draw(_subsets(up))
    found = Fixed(PartitionSet.of(chosen, up), down)
    return Case(found, down, up, {(d, u) for d in range(down) for u in chosen})


@st.composite
def ascending_intervals(draw: st.DrawFn, down: int, up: int) -> Case:
    starts = sorted(draw(st.lists(st.integers(0, up), min_size=down, max_size=down)))
    stops = list[int]()
    for start in starts:
        length = draw(st.sampled_from([0, 1, 1, 2, 5, 11]))
        stops.append(min(up, max([start, *stops[-1:]]) + length))
    found = intervals(pl.Series(starts, dtype=pl.Int64), pl.Series(stops, dtype=pl.Int64), up)
    return Case(found, down, up, {(d, u) for d in range(down) for u in range(starts[d], stops[d])})


@st.composite
def any_pairs(draw: st.DrawFn, down: int, up: int) -> Case:
    joined = list[tuple[int, int]]()
    if down and up:
        joined = draw(st.lists(st.tuples(st.integers(0, down - 1), st.integers(0, up - 1)), max_size=3 * down))
    columns = (pl.Series([pair[side] for pair in joined], dtype=pl.Int64) for side in (0, 1))
    return Case(pairs(*columns, down, up), down, up, set(joined))


@st.composite
def products(draw: st.DrawFn) -> Case:
    downs, ups = (tuple(draw(st.lists(axis_sizes, min_size=1, max_size=3))) for _ in range(2))
    linked = draw(st.integers(0, min(len(downs), len(ups))))
    links, related = list[Link](), dict[tuple[int, int], Case]()
    for down, up in zip(
        draw(st.permutations(range(len(downs))))[:linked], draw(st.permutations(range(len(ups))))[:linked], strict=True
    ):
        case = draw(st.sampled_from([windows, ascending_intervals, any_pairs]).flatmap(_sized(downs[down], ups[up])))
        assert isinstance(case.found, Window | Relation)
        links.append(Link(down, up, case.found))
        related[down, up] = case
    free = set(range(len(ups))) - {link.upstream for link in links}
    chosen = {place: draw(_subsets(ups[place])) for place in sorted(free)}
    found = product(
        downs, ups, links, {place: PartitionSet.of(part, ups[place]) for place, part in chosen.items()}, needs_each=True
    )
    joined = {
        (d, u)
        for d, here in enumerate(itertools.product(*map(range, downs)))
        for u, there in enumerate(itertools.product(*map(range, ups)))
        if all((here[down], there[up]) in case.pairs for (down, up), case in related.items())
        and all(there[place] in part for place, part in chosen.items())
    }
    return Case(found, math.prod(downs), math.prod(ups), joined)


def _sized(down: int, up: int):  # type: ignore[no-untyped-def]
    return lambda kind: kind(down, up)


def _subsets(size: int) -> st.SearchStrategy[set[int]]:
    return st.sets(st.integers(0, size - 1)) if size else st.just(set())


@quick
@given(st.data(), sizes, sizes)
def test_a_window_is_a_constant_shift(data: st.DataObject, down: int, up: int) -> None:
    check(data.draw(windows(down, up)), data)


@quick
@given(st.data(), sizes, sizes)
def test_fixed_partitions_go_into_everything(data: st.DataObject, down: int, up: int) -> None:
    check(data.draw(fixed(down, up)), data)


@quick
@given(st.data(), sizes, sizes)
def test_intervals_may_be_empty_and_leave_holes(data: st.DataObject, down: int, up: int) -> None:
    check(data.draw(ascending_intervals(down, up)), data)


@quick
@given(st.data(), sizes, sizes)
def test_pairs_join_anything(data: st.DataObject, down: int, up: int) -> None:
    check(data.draw(any_pairs(down, up)), data)


@quick
@given(products(), st.data())
def test_a_product_joins_every_combination(case: Case, data: st.DataObject) -> None:
    check(case, data)


@quick
@given(st.data(), st.lists(axis_sizes, min_size=1, max_size=3))
def test_places_on_all_axes_combine_to_a_set(data: st.DataObject, axes: list[int]) -> None:
    chosen = [data.draw(_subsets(size)) for size in axes]

    found = combined({place: PartitionSet.of(part, axes[place]) for place, part in enumerate(chosen)}, tuple(axes))

    places = itertools.product(*map(range, axes))
    assert found.mask.to_list() == [all(p in part for p, part in zip(each, chosen, strict=True)) for each in places]


def test_a_window_is_cut_at_the_borders_of_the_upstream() -> None:
    week = Window(-6, 0, downstream_size=10, upstream_size=10)

    assert week.upstream_of(0, 0) == range(1)
    assert week.upstream_of(8, 9) == range(2, 10)
    assert week.downstream_of(9) == range(9, 10)


def test_whole_rows_of_a_product_are_a_range() -> None:
    day = Link(0, 0, Window(0, 0, 1000, 1000))
    by_day = product((1000,), (1000, 1000), [day], {1: PartitionSet.all(1000)}, needs_each=False)

    assert by_day.upstream_of(3, 3) == range(3000, 4000)
    assert by_day.upstream_of(0, 999) == range(1_000_000)


def test_the_least_and_the_greatest_number_of_a_dtype_are_numbers_like_others() -> None:
    values = pl.Series([-128, 127, None, -128], dtype=pl.Int8)
    for each in (Window(-1, 0, 4, 4), pairs(pl.Series([0, 1, 1]), pl.Series([0, 0, 1]), 4, 4)):
        assert each.latest(values)[1] == 127
        assert each.oldest(values)[0] == -128
