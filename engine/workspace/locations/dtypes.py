"""Dtypes: those of Polars as JSON, for a process that may have another version of it."""

from __future__ import annotations

from typing import Any

import polars as pl

from deltaworks.io.dtypes import Json


def dtype_json(dtype: pl.DataType) -> Json:
    """Return a dtype as JSON: its name, or its name and what it is made of."""
    name = type(dtype).__name__
    match dtype:
        case pl.Datetime(time_unit=unit, time_zone=zone):
            return [name, unit, zone]
        case pl.Duration(time_unit=unit):
            return [name, unit]
        case pl.Decimal(precision=precision, scale=scale):
            return [name, precision, scale]
        case pl.List(inner=inner):
            return [name, dtype_json(_instance(inner))]
        case pl.Array(inner=inner, size=size):
            return [name, dtype_json(_instance(inner)), size]
        case pl.Struct(fields=fields):
            return [name, [[field.name, dtype_json(_instance(field.dtype))] for field in fields]]
        case pl.Enum(categories=categories):
            return [name, categories.to_list()]
        case _:
            return name


def read_dtype(said: Json) -> pl.DataType:
    """Return the dtype that `dtype_json` has written.

    Raises:
        ValueError: this version of Polars has none of that name.
    """
    told: list[Any] = [said] if isinstance(said, str) else said
    name, *parts = told
    kind: Any = getattr(pl, str(name), None)
    if not isinstance(kind, type) or not issubclass(kind, pl.DataType):
        raise ValueError(f"Polars {pl.__version__} has no dtype {name!r}")
    match name:
        case "List":
            return pl.List(read_dtype(parts[0]))
        case "Array":
            return pl.Array(read_dtype(parts[0]), int(parts[1]))
        case "Struct":
            return pl.Struct({field: read_dtype(each) for field, each in parts[0]})
        case _:
            made: pl.DataType = kind(*parts)
            return made


def _instance(dtype: Any) -> pl.DataType:
    """Return a dtype that is written as its class as what it is."""
    made: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return made
