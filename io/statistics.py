"""Statistics of a data file, as the expressions that measure them and as the add action that carries them.

They are measured in the same pass as the checks, so no footer is read again. Source: Delta protocol, "Per-file
Statistics".
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from functools import lru_cache

import polars as pl

from deltaworks.io.dtypes import Json

_MIN, _MAX, _NULLS, _NAN = "\0min ", "\0max ", "\0nulls ", "\0nan "

_LONGEST_TEXT = 32
"""Longer texts get no minimum and maximum: they would have to be cut, and a cut maximum is wrong."""

_YEARS = (1, 9999)
"""Dates beyond these get no minimum and maximum: neither Python nor ISO 8601 writes them."""

_BOUNDED = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Float32, pl.Float64, pl.String, pl.Date, pl.Datetime)


def statistics(schema: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    """Return the aggregates that measure a file's stored columns; they work in `select` and in `group_by().agg()`."""
    aggregates: list[pl.Expr] = []
    for name, dtype in schema.items():
        column = pl.col(name)
        if not dtype.is_nested():
            aggregates.append(column.null_count().alias(_NULLS + name))
        if isinstance(dtype, _BOUNDED):
            aggregates += [_bound(column.min(), column, dtype).alias(_MIN + name)]
            aggregates += [_bound(column.max(), column, dtype).alias(_MAX + name)]
    return aggregates


def statistics_of_parts(schema: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    """Return aggregates of parts of a file's rows, to be added up to those of all of them."""
    aggregates: list[pl.Expr] = []
    for name, dtype in schema.items():
        column = pl.col(name)
        if not dtype.is_nested():
            aggregates.append(column.null_count().alias(_NULLS + name))
        if isinstance(dtype, _BOUNDED):
            aggregates += [column.min().alias(_MIN + name), column.max().alias(_MAX + name)]
        if dtype.is_float():
            aggregates.append(column.is_nan().any().alias(_NAN + name))
    return aggregates


def added_up(schema: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    """Return what makes one row of `statistics_of_parts` out of several."""
    aggregates: list[pl.Expr] = []
    for name, dtype in schema.items():
        if not dtype.is_nested():
            aggregates.append(pl.col(_NULLS + name).cast(pl.Int64).sum())
        if isinstance(dtype, _BOUNDED):
            aggregates += [pl.col(_MIN + name).min(), pl.col(_MAX + name).max()]
        if dtype.is_float():
            aggregates.append(pl.col(_NAN + name).any())
    return aggregates


def statistics_of_whole(schema: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    """Return what makes a row of `statistics` out of one of `statistics_of_parts` that is about all rows."""
    told: list[pl.Expr] = []
    for name, dtype in schema.items():
        if isinstance(dtype, _BOUNDED):
            has_nan = pl.col(_NAN + name) if dtype.is_float() else None
            told += [_known_bound(pl.col(each + name), has_nan, dtype).alias(each + name) for each in (_MIN, _MAX)]
    return told


def statistics_json(measured: Mapping[str, object], rows: int) -> str:
    """Return the `stats` text of an add action from one row of the aggregates."""
    bounds: dict[str, dict[str, Json]] = {_MIN: {}, _MAX: {}}
    nulls: dict[str, Json] = {}
    for name, kind, column in _named(tuple(measured)):
        if kind == _NULLS:
            nulls[column] = measured[name]
        elif (written := _written(measured[name])) is not None:
            bounds[kind][column] = written
    document = {"numRecords": rows, "minValues": bounds[_MIN], "maxValues": bounds[_MAX], "nullCount": nulls}
    return json.dumps(document, separators=(",", ":"))


@lru_cache(maxsize=64)
def _named(names: tuple[str, ...]) -> tuple[tuple[str, str, str], ...]:
    """Return which of a row's names are statistics, of what kind, of which column: for all files of a table."""
    kinds = (_MIN, _MAX, _NULLS)
    return tuple((name, kind, name.removeprefix(kind)) for name in names for kind in kinds if name.startswith(kind))


def _bound(bound: pl.Expr, column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return _known_bound(bound, column.is_nan().any() if dtype.is_float() else None, dtype)


def _known_bound(bound: pl.Expr, has_nan: pl.Expr | None, dtype: pl.DataType) -> pl.Expr:
    """Return a bound where it may be told; `has_nan`: whether any value is no number, none: there is no such value."""
    if has_nan is not None:
        # Readers order NaN above all numbers, Polars leaves it out of min and max: no bound is better than a wrong one.
        return pl.when(has_nan).then(None).otherwise(bound)
    if dtype.is_temporal():
        return pl.when(bound.dt.year().is_between(*_YEARS)).then(bound)
    return bound


def _written(value: object) -> Json:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value if len(value) <= _LONGEST_TEXT else None
        case dt.datetime():
            text = value.replace(tzinfo=None).isoformat(timespec="microseconds")
            return text if value.tzinfo is None else text + "Z"
        case dt.date():
            return value.isoformat()
        case _:
            return value
