"""Polars dtypes as Delta types and back, and which of them a Delta table gives back as they were.

Source: Delta protocol, "Schema Serialization Format".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import polars as pl

Json: TypeAlias = Any
"""What `json` reads and writes."""

_PRIMITIVES: dict[pl.DataType, str] = {
    pl.Boolean(): "boolean",
    pl.Int8(): "byte",
    pl.Int16(): "short",
    pl.Int32(): "integer",
    pl.Int64(): "long",
    pl.Float32(): "float",
    pl.Float64(): "double",
    pl.String(): "string",
    pl.Binary(): "binary",
    pl.Date(): "date",
    pl.Datetime("us"): "timestamp_ntz",
    pl.Datetime("us", "UTC"): "timestamp",
}
_DTYPES = {name: dtype for dtype, name in _PRIMITIVES.items()}

_INSTEAD: Mapping[type[pl.DataType], str] = {
    pl.UInt8: "Int16",
    pl.UInt16: "Int32",
    pl.UInt32: "Int64",
    pl.UInt64: "Decimal(20, 0)",
    pl.Int128: "Decimal(38, 0)",
    pl.UInt128: "Decimal(38, 0)",
    pl.Float16: "Float32",
    pl.Categorical: "String",
    pl.Enum: "String, with isin as a check",
    pl.Duration: "Int64, with the unit in the column's name",
    pl.Time: "Int64 (nanoseconds since midnight) or String",
    pl.Null: "the dtype that the column will have",
    pl.Array: "List",
    pl.Map: "List of Struct",
    pl.Object: "a dtype that Parquet knows",
}

_NARROWER: Mapping[pl.DataType, Sequence[pl.DataType]] = {
    pl.Int16(): (pl.Int8(),),
    pl.Int32(): (pl.Int8(), pl.Int16()),
    pl.Int64(): (pl.Int8(), pl.Int16(), pl.Int32()),
    pl.Float32(): (pl.Int8(), pl.Int16()),
    pl.Float64(): (pl.Int8(), pl.Int16(), pl.Int32(), pl.Float32()),
    pl.Datetime("us"): (pl.Date(),),
}
"""By dtype, those of which it holds every value."""

_DIGITS: Mapping[pl.DataType, int] = {pl.Int8(): 3, pl.Int16(): 5, pl.Int32(): 10, pl.Int64(): 19}
"""How many digits the numbers of a dtype may have."""


def delta_problem(dtype: pl.DataType) -> str | None:
    """Say why Delta does not give a dtype back as it was and which one to use, or none if it does."""
    match dtype:
        case pl.Datetime(time_unit=unit, time_zone=zone) if dtype not in _PRIMITIVES:
            use = f"Datetime('us', {'None' if zone is None else repr('UTC')})"
            changed = f"time unit {unit!r}" if unit != "us" else f"time zone {zone!r}"
            return f"has dtype {dtype}: Delta does not keep {changed}; use {use}"
        case pl.List(inner=inner):
            return delta_problem(_instance(inner))
        case pl.Struct(fields=fields):
            if not fields:
                return "is a struct without fields, which Parquet does not know; give it one"
            problems = (delta_problem(_instance(field.dtype)) for field in fields)
            return next((f"is a struct, one field of which {problem}" for problem in problems if problem), None)
        case pl.Decimal(precision=precision) if precision > 38:
            return f"has dtype {dtype}: Delta keeps at most 38 digits; use Decimal(38, scale)"
        case pl.Decimal():
            return None
        case _ if dtype in _PRIMITIVES:
            return None
        case _:
            use = _INSTEAD.get(type(dtype), "another one")
            return f"has dtype {dtype}: Delta does not give it back as it was; use {use}"


def to_delta_schema(schema: Mapping[str, pl.DataType]) -> Json:
    """Return a schema as Delta's JSON. Every dtype must be one without a `delta_problem`.

    Columns are nullable for Delta: that a column has no nulls is a rule of the contract, checked before each commit.
    """
    return {"type": "struct", "fields": [_field(name, dtype) for name, dtype in schema.items()]}


def from_delta_schema(schema_string: str) -> pl.Schema:
    """Read the schema of a table's metadata.

    Raises:
        ValueError: a type has no Polars counterpart here, such as an interval.
    """
    return pl.Schema({field["name"]: _dtype(field["type"]) for field in json.loads(schema_string)["fields"]})


def schema_difference(expected: Mapping[str, pl.DataType], found: Mapping[str, pl.DataType]) -> str | None:
    """Say in what two schemas differ, or none if columns and dtypes are the same, in whatever order."""
    differences: list[str] = []
    for name, dtype in expected.items():
        if name not in found:
            differences.append(f"column {name!r} ({dtype}) is missing")
        elif found[name] != dtype:
            differences.append(f"column {name!r} is {found[name]} instead of {dtype}")
    differences += [
        f"column {name!r} ({dtype}) is not expected" for name, dtype in found.items() if name not in expected
    ]
    return "; ".join(differences) or None


def is_wider(dtype: pl.DataType, than: pl.DataType) -> bool:
    """Return whether a dtype holds every value of another one, so that a cast loses nothing."""
    match dtype, than:
        case pl.Decimal(precision=precision, scale=scale), pl.Decimal(precision=less, scale=fewer):
            return scale >= fewer and precision - scale >= less - fewer
        case pl.Decimal(precision=precision, scale=scale), _:
            return precision - scale >= _DIGITS.get(than, precision + 1)
        case _:
            return than in _NARROWER.get(dtype, ())


def _instance(dtype: Any) -> pl.DataType:
    instance: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return instance


def _field(name: str, dtype: pl.DataType) -> Json:
    return {"name": name, "type": _delta_type(dtype), "nullable": True, "metadata": {}}


def _delta_type(dtype: pl.DataType) -> Json:
    match dtype:
        case pl.List(inner=inner):
            return {"type": "array", "elementType": _delta_type(_instance(inner)), "containsNull": True}
        case pl.Struct(fields=fields):
            return {"type": "struct", "fields": [_field(field.name, _instance(field.dtype)) for field in fields]}
        case pl.Decimal(precision=precision, scale=scale):
            return f"decimal({precision},{scale})"
        case _:
            return _PRIMITIVES[dtype]


def _dtype(delta_type: Json) -> pl.DataType:
    if isinstance(delta_type, str):
        if delta_type.startswith("decimal("):
            precision, scale = delta_type.removeprefix("decimal(").removesuffix(")").split(",")
            return pl.Decimal(int(precision), int(scale))
        if delta_type in _DTYPES:
            return _DTYPES[delta_type]
        raise ValueError(f"Delta type {delta_type!r} has no Polars dtype here")
    fields: Sequence[Json] = delta_type.get("fields", ())
    match delta_type["type"]:
        case "array":
            return pl.List(_dtype(delta_type["elementType"]))
        case "map":
            return pl.Map(_dtype(delta_type["keyType"]), _dtype(delta_type["valueType"]))
        case "struct":
            return pl.Struct({field["name"]: _dtype(field["type"]) for field in fields})
        case other:
            raise ValueError(f"Delta type {other!r} has no Polars dtype here")
