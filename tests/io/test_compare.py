"""Frames are compared as a naive reader would: rows as often as they are, or by key; floats within a tolerance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltaworks.errors import RequestError
from deltaworks.io.compare import Part, Terms, compare
from deltaworks.io.difference import ChangedRow, Difference, LoneRow

SCHEMA = pl.Schema({"k": pl.Int64, "s": pl.String, "x": pl.Float64, "l": pl.List(pl.Int64)})


def frame(rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def difference(a: pl.DataFrame, b: pl.DataFrame, size_bytes: int = 0, **terms: Any) -> Difference:
    part = Part(a.lazy(), b.lazy(), size_bytes)
    return compare(("a", "b"), (a.schema, b.schema), [part], Terms(pass_bytes=100, **terms))


def plain(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row that equals another exactly when the engine says so."""
    return tuple(
        "nan" if isinstance(v, float) and math.isnan(v) else tuple(v) if isinstance(v, list) else v for v in row
    )


values = st.tuples(
    st.integers(0, 2) | st.none(),
    st.sampled_from(["", "a"]) | st.none(),
    st.sampled_from([0.0, -0.0, 1.5, math.nan, math.inf, -math.inf]) | st.none(),
    st.lists(st.integers(0, 1), max_size=2) | st.none(),
)


@settings(deadline=None, max_examples=60)
@given(a=st.lists(values, max_size=8), b=st.lists(values, max_size=8), passes=st.integers(0, 3))
def test_rows_without_a_key_are_multisets(a: list[Any], b: list[Any], passes: int) -> None:
    found = difference(frame(a), frame(b), passes * 100)

    counts_a, counts_b = Counter(map(plain, a)), Counter(map(plain, b))
    only_a, only_b = counts_a - counts_b, counts_b - counts_a
    assert (found.rows_a, found.rows_b) == (len(a), len(b))
    assert (found.only_a, found.only_b) == (only_a.total(), only_b.total())
    assert {plain(tuple(each.row.values())): each.count for each in found.samples_a} == dict(only_a)
    assert {plain(tuple(each.row.values())): each.count for each in found.samples_b} == dict(only_b)
    assert found.is_equal == (counts_a == counts_b)


@settings(deadline=None, max_examples=60)
@given(
    a=st.lists(values, max_size=8, unique_by=lambda row: row[:2]),
    b=st.lists(values, max_size=8, unique_by=lambda row: row[:2]),
    passes=st.integers(0, 3),
)
def test_rows_with_a_key_are_removed_added_or_changed(a: list[Any], b: list[Any], passes: int) -> None:
    found = difference(frame(a), frame(b), passes * 100, key=("k", "s"))

    by_key_a, by_key_b = ({row[:2]: plain(row[2:]) for row in side} for side in (a, b))
    both = by_key_a.keys() & by_key_b.keys()
    changed = {key for key in both if by_key_a[key] != by_key_b[key]}
    assert (found.only_a, found.only_b) == (len(by_key_a.keys() - both), len(by_key_b.keys() - both))
    assert found.changed == len(changed)
    assert found.changed_columns == {
        name: count
        for place, name in enumerate(("x", "l"))
        if (count := sum(by_key_a[key][place] != by_key_b[key][place] for key in both))
    }
    assert {tuple(each.key.values()) for each in found.samples_changed} == changed


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 1), st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, 0.0]) | st.none()),
        max_size=8,
    ),
    noise=st.lists(st.floats(-4e-10, 4e-10), min_size=8, max_size=8),
    passes=st.integers(0, 3),
    data=st.data(),
)
def test_noise_in_the_last_bits_is_no_difference_within_a_tolerance(
    rows: list[Any], noise: list[float], passes: int, data: st.DataObject
) -> None:
    noisy = [(k, None if x is None else x * (1 + by)) for (k, x), by in zip(rows, noise, strict=False)]
    schema = {"k": pl.Int64, "x": pl.Float64}
    a = pl.DataFrame(rows, schema=schema, orient="row")
    b = pl.DataFrame(data.draw(st.permutations(noisy)), schema=schema, orient="row")

    assert difference(a, b, passes * 100, tolerance=1e-9).is_equal
    assert difference(a, b, passes * 100).is_equal == (Counter(map(plain, rows)) == Counter(map(plain, noisy)))
    more = pl.concat([b, pl.DataFrame([(0, 2e6)], schema=schema, orient="row")])
    assert difference(a, more, passes * 100, tolerance=1e-9).samples_b == (LoneRow({"k": 0, "x": 2e6}, 1),)


def test_noise_that_changes_the_order_of_rows_is_no_difference() -> None:
    a = pl.DataFrame({"x": [1.0, 1.0 + 1e-12], "y": [5.0, 3.0]})
    b = pl.DataFrame({"x": [1.0 + 1e-12, 1.0], "y": [5.0, 3.0]})

    assert difference(a, b, tolerance=1e-9).is_equal
    assert not difference(a, b).is_equal


def test_a_tolerance_holds_for_columns_of_a_key_too() -> None:
    a = pl.DataFrame({"k": [1, 2, 3], "x": [1.0, 2.0, 1e-13]})
    b = pl.DataFrame({"k": [1, 2, 3], "x": [1.0 + 1e-12, 2.1, 0.0]})

    found = difference(a, b, key=("k",), tolerance=1e-9)

    assert found.samples_changed == (ChangedRow({"k": 2}, {"x": (2.0, 2.1)}),)
    assert found.changed_columns == {"x": 1}


def test_columns_are_told_apart_and_rows_are_compared_on_the_others() -> None:
    a = pl.DataFrame({"k": [1], "old": [1], "t": [1]})
    b = pl.DataFrame({"t": [1.0], "k": [1], "new": ["x"]})

    found = difference(a, b)

    assert found.columns.removed == {"old": pl.Int64()}
    assert found.columns.added == {"new": pl.String()}
    assert found.columns.retyped == {"t": (pl.Int64(), pl.Float64())}
    assert (found.only_a, found.only_b, found.is_equal) == (0, 0, False)


def test_the_order_of_columns_is_no_difference() -> None:
    a = pl.DataFrame({"k": [1], "t": [2]})

    assert difference(a, a.select("t", "k")).is_equal


def test_samples_are_few_and_counts_are_whole() -> None:
    a, b = pl.DataFrame({"k": range(50)}), pl.DataFrame({"k": range(1000, 1030)})

    found = difference(a, b, 500)

    assert (found.only_a, found.only_b) == (50, 30)
    assert (len(found.samples_a), len(found.samples_b)) == (10, 10)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (
            "s",
            "s is no key of b: 2 rows have s=a; add a column to the key, or leave it out to compare rows as a whole.",
        ),
        ("no", "'no' cannot be the key of a and b: not both have it, with one dtype; the columns that they share are "),
    ],
)
def test_a_key_that_is_none_is_refused(key: str, sentence: str) -> None:
    a, b = frame([(1, "a", 0.0, [])]), frame([(1, "a", 0.0, []), (2, "a", 0.0, [])])

    with pytest.raises(RequestError, match=sentence.replace("(", r"\(")):
        difference(a, b, key=(key,))
