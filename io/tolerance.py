"""Tolerance: when floats that were computed in another order are taken for the same."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

NEAR_ZERO = 1e-3
"""Near zero floats may differ by the tolerance times this, since what cancels out leaves no size to be relative to."""

_LARGEST_SEARCH = 1_000_000
"""How many pairs of rows are tried one by one where sorting does not pair them."""


def close(a: pl.Expr, b: pl.Expr, dtype: pl.DataType, tolerance: float) -> pl.Expr:
    """Return the claim that two values are equal: nulls equal nulls, NaN equals NaN.

    Floats may differ by the tolerance times the larger of the two, or by a thousandth of it.
    """
    same = a.eq_missing(b)
    if not tolerance or not dtype.is_float():
        return same
    a, b = a.cast(pl.Float64), b.cast(pl.Float64)
    allowed = pl.max_horizontal(a.abs() * tolerance, b.abs() * tolerance, pl.lit(tolerance * NEAR_ZERO))
    near = (a.is_finite() & b.is_finite() & ((a - b).abs() <= allowed)).fill_null(False)
    return same | near


def cancel_close(lone: pl.DataFrame, a: str, b: str, floats: Sequence[str], tolerance: float) -> pl.DataFrame:
    """Pair rows of two sides that are equal within a tolerance, each with one other, and return those that are left.

    Rows whose other columns are equal are paired in the order of their floats, or else, if they are not too many, each
    with the first that it fits.

    Args:
        lone: rows, all different.
        a: the column that says how often the first side has each.
        b: the same of the second side.
        floats: the columns that need not be equal exactly.
        tolerance: see `close`.
    """
    others = [name for name in lone.columns if name not in (*floats, a, b)]
    columns = [*others, *floats]
    sides = [_repeated(lone.filter(pl.col(side) > 0), columns, side) for side in (a, b)]
    group = _numbered(sides, others)
    sides = [
        side.join(group, on=others, nulls_equal=True) if others else side.with_columns(pl.lit(0).alias(_GROUP))
        for side in sides
    ]
    sides = _without_sorted_pairs(sides, floats, tolerance)
    sides = _without_found_pairs(sides, floats, tolerance)
    counted = [side.drop(_GROUP).group_by(columns).agg(pl.len().cast(pl.Int64).alias(_COUNT)) for side in sides]
    zero = pl.lit(0, pl.Int64)
    return pl.concat(
        [
            counted[0].select(*columns, pl.col(_COUNT).alias(a), zero.alias(b)),
            counted[1].select(*columns, zero.alias(a), pl.col(_COUNT).alias(b)),
        ]
    )


_GROUP, _COUNT, _PLACE = "\0group", "\0count", "\0place"


def _repeated(rows: pl.DataFrame, columns: Sequence[str], count: str) -> pl.DataFrame:
    """Return each row as often as it counts."""
    places = rows.select(pl.int_range(pl.len()).repeat_by(count).explode()).to_series()
    return rows.select(pl.col(columns).gather(places))


def _numbered(sides: Sequence[pl.DataFrame], others: Sequence[str]) -> pl.DataFrame:
    """Give each set of values of the other columns a number."""
    return pl.concat([side.select(others) for side in sides]).unique().with_row_index(_GROUP)


def _without_sorted_pairs(sides: Sequence[pl.DataFrame], floats: Sequence[str], tolerance: float) -> list[pl.DataFrame]:
    """Leave out the groups whose rows, sorted by their floats, are equal one by one."""
    placed = [
        side.sort(floats).with_columns(
            pl.int_range(pl.len()).over(_GROUP).alias(_PLACE), pl.len().over(_GROUP).alias(_COUNT)
        )
        for side in sides
    ]
    pairs = placed[0].join(placed[1], on=[_GROUP, _PLACE, _COUNT], suffix=_PLACE)
    fits = pl.all_horizontal(close(pl.col(name), pl.col(name + _PLACE), pl.Float64(), tolerance) for name in floats)
    groups = pairs.group_by(_GROUP).agg(fits.all().alias(_PLACE), (pl.len() == pl.col(_COUNT).first()).alias(_COUNT))
    settled = groups.filter(pl.col(_PLACE) & pl.col(_COUNT))
    return [side.join(settled, on=_GROUP, how="anti") for side in sides]


def _without_found_pairs(sides: Sequence[pl.DataFrame], floats: Sequence[str], tolerance: float) -> list[pl.DataFrame]:
    """Leave out rows for which one is found that is equal within the tolerance."""
    waiting: dict[int, list[tuple[int, tuple[float | None, ...]]]] = {}
    numbered = [side.with_row_index(_PLACE) for side in sides]
    for place, number, *values in numbered[1].select(_PLACE, _GROUP, *floats).iter_rows():
        waiting.setdefault(number, []).append((place, tuple(values)))
    paired: tuple[set[int], set[int]] = set(), set()
    tries = 0
    for place, number, *values in numbered[0].select(_PLACE, _GROUP, *floats).iter_rows():
        candidates = waiting.get(number, [])
        tries += len(candidates)
        if tries > _LARGEST_SEARCH:
            break
        found = next((each for each in candidates if _all_close(values, each[1], tolerance)), None)
        if found is not None:
            candidates.remove(found)
            paired[0].add(place)
            paired[1].add(found[0])
    return [
        side.filter(~pl.col(_PLACE).is_in(list(places))).drop(_PLACE)
        for side, places in zip(numbered, paired, strict=True)
    ]


def _all_close(values: Sequence[float | None], others: Sequence[float | None], tolerance: float) -> bool:
    return all(_is_close(a, b, tolerance) for a, b in zip(values, others, strict=True))


def _is_close(a: float | None, b: float | None, tolerance: float) -> bool:
    if a is None or b is None:
        return a is b
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance * NEAR_ZERO)
