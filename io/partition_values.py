"""Partition values: how a partition is written in folder names and in the log, and read back.

Source: Delta protocol, "Partition Value Serialization".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from urllib.parse import quote

import polars as pl

NULL_KEY = "__HIVE_DEFAULT_PARTITION__"
"""The key, and Hive's folder name, of rows whose partition value is null; no definition has it."""


def partition_key(values: Mapping[str, str | None]) -> str:
    """Return the key of a file's partition values: empty for an unpartitioned table.

    Writers name the columns of one partition in any order, so the key of several columns does not depend on it.
    """
    if len(values) == 1:
        (value,) = values.values()
        return value or NULL_KEY
    return folder({column: values[column] for column in sorted(values)}).removesuffix("/")


def folder(values: Mapping[str, str | None]) -> str:
    """Return the Hive folder of a partition below the table, with a slash at its end; empty if not partitioned."""
    return "".join(
        f"{quote(column, safe=' ')}={quote(value, safe=' ') if value else NULL_KEY}/"
        for column, value in values.items()
    )


def serialized(value: object) -> str | None:
    """Return a partition value as the log writes it; an instant must be in UTC or have no zone."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case dt.datetime():
            return value.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
        case dt.date():
            return value.isoformat()
        case _:
            return str(value)


def typed(values: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return partition values (String), as the log writes them, in the dtype of their column."""
    match dtype:
        case pl.Date():
            return values.str.to_date("%Y-%m-%d")
        case pl.Datetime():
            # Other writers put a T or a Z into some of them.
            plain = values.str.replace("T", " ", literal=True).str.strip_suffix("Z")
            return plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", time_zone=dtype.time_zone)
        case pl.Boolean():
            return values == "true"
        case _:
            return values.cast(dtype)
