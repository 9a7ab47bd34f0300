"""Relations by brute force: what a correspondence must say, from the pairs of ordinals that it joins."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

import polars as pl
from hypothesis import strategies as st

from deltaworks.engine.definitions.mappings.correspondence import Correspondence
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Partitions

DTYPES = (pl.Int8, pl.UInt8, pl.Int32, pl.UInt32, pl.Int64, pl.UInt64)
VALUES = st.one_of(st.none(), st.integers(0, 9))


@dataclass(frozen=True)
class Case:
    found: Correspondence
    down: int
    up: int
    pairs: Set[tuple[int, int]]
    """Of downstream and upstream ordinals."""


def by_key(found: Correspondence, down: Partitions, up: Partitions, joins: Callable[[str, str], bool]) -> Case:
    """Return what is to be found of two definitions, by what their keys say."""
    pairs = {(d, u) for d in range(down.size) for u in range(up.size) if joins(down.key(d), up.key(u))}
    return Case(found, down.size, up.size, pairs)


def check(case: Case, data: st.DataObject) -> None:
    """Compare every question with its answer by brute force."""
    found, down, up = case.found, case.down, case.up
    ups = [sorted(u for d, u in case.pairs if d == ordinal) for ordinal in range(down)]
    downs = [sorted(d for d, u in case.pairs if u == ordinal) for ordinal in range(up)]
    assert (found.downstream_size, found.upstream_size) == (down, up)
    _check_values(found, ups, downs, data)
    _check_sets(found, ups, downs, data)
    _check_ordinals(found, ups, downs, data)
    if found.joins_all:
        assert all(each == ups[0] for each in ups)


def _check_values(found: Correspondence, ups: list[list[int]], downs: list[list[int]], data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(DTYPES))
    above = data.draw(st.lists(VALUES, min_size=len(downs), max_size=len(downs)))
    below = data.draw(st.lists(VALUES, min_size=len(ups), max_size=len(ups)))

    latest, oldest = found.latest(pl.Series(above, dtype=dtype)), found.oldest(pl.Series(below, dtype=dtype))

    assert latest.to_list() == [max((v for u in each if (v := above[u]) is not None), default=None) for each in ups]
    assert oldest.to_list() == [min((v for d in each if (v := below[d]) is not None), default=None) for each in downs]
    assert latest.dtype == oldest.dtype == dtype


def _check_sets(found: Correspondence, ups: list[list[int]], downs: list[list[int]], data: st.DataObject) -> None:
    some_down, some_up = _some(len(ups), data), _some(len(downs), data)

    upstream = found.upstream(PartitionSet.of(some_down, len(ups)))
    downstream = found.downstream(PartitionSet.of(some_up, len(downs)))
    count = found.count(PartitionSet.of(some_up, len(downs)))

    assert (upstream.size, downstream.size, count.dtype) == (len(downs), len(ups), pl.UInt32)
    assert set(upstream) == {u for d in some_down for u in ups[d]}
    assert set(downstream) == {d for u in some_up for d in downs[u]}
    assert count.to_list() == [len(some_up.intersection(each)) for each in ups]
    assert some_down - set(found.downstream(upstream)) == {d for d in some_down if not ups[d]}


def _check_ordinals(found: Correspondence, ups: list[list[int]], downs: list[list[int]], data: st.DataObject) -> None:
    for u, expected in enumerate(downs):
        _check_ordinal_list(found.downstream_of(u), expected)
    for d, expected in enumerate(ups):
        _check_ordinal_list(found.upstream_of(d, d), expected)
    if ups:
        first = data.draw(st.integers(0, len(ups) - 1))
        last = data.draw(st.integers(first, len(ups) - 1))
        _check_ordinal_list(found.upstream_of(first, last), sorted({u for each in ups[first : last + 1] for u in each}))


def _check_ordinal_list(found: object, expected: list[int]) -> None:
    assert list(found) == expected  # type: ignore[call-overload]
    if not expected or expected[-1] - expected[0] + 1 == len(expected):
        assert isinstance(found, range)


def _some(size: int, data: st.DataObject) -> set[int]:
    return data.draw(st.sets(st.integers(0, size - 1))) if size else set()
