"""Partition values: how a partition is written in folder names and in the log, and read back.

Source: Delta protocol, "Partition Value Serialization".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote, unquote

import polars as pl

NULL_KEY = "__HIVE_DEFAULT_PARTITION__"
"""The key, and Hive's folder name, of rows whose partition value is null; no definition has it."""

_PLAIN = " :+@~!$&'()*;"
"""What stands for itself in a value of several, beside letters, digits and `_.-`; not `,`, `=`, `/` and `%`."""


def joined(values: Sequence[str]) -> str:
    """Return one text for the values of several partition columns, each percent-encoded, with commas between."""
    return ",".join(quote(value, safe=_PLAIN) for value in values)


def split_key(key: str) -> list[str]:
    """Return the values of several partition columns from one text; each may stand after a name and `=`."""
    return [unquote(part.rpartition("=")[2]) for part in key.split(",")]


def folder(values: Mapping[str, str | None]) -> str:
    """Return the Hive folder of a partition below the table, with a slash at its end; empty if not partitioned."""
    return _folder(tuple(values.items()))


@lru_cache(maxsize=1024)
def _folder(values: tuple[tuple[str, str | None], ...]) -> str:
    return "".join(
        f"{quote(column, safe=' ')}={quote(value, safe='') if value else NULL_KEY}/" for column, value in values
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


def stored(key: str, dtype: pl.DataType) -> str:
    """Return the partition value of a key as the log writes it in a column of this dtype.

    Raises:
        ValueError: the key of a Datetime column is no instant with an offset.
    """
    if not isinstance(dtype, pl.Datetime):
        return key
    instant = dt.datetime.fromisoformat(key)
    if instant.tzinfo is None:
        raise ValueError(f"{key!r} has no offset from UTC")
    text = serialized(instant.astimezone(dt.UTC))
    assert text is not None, "an instant is written"
    return text


def instant(text: str) -> dt.datetime | None:
    """Return the instant, without its zone, that a partition value means in UTC; none: it is no instant.

    Writers spell instants in many ways; one without an offset is in UTC.
    """
    try:
        found = dt.datetime.fromisoformat(text)
        return found if found.tzinfo is None else found.astimezone(dt.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def typed(values: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return partition values (String), as the log writes them, in the dtype of their column.

    Raises:
        ValueError: a value is none of that dtype.
    """
    match dtype:
        case pl.Date():
            return values.str.to_date("%Y-%m-%d")
        case pl.Datetime():
            read = [None if value is None else instant(value) for value in values]
            wrong = next((value for value, found in zip(values, read, strict=True) if found is None and value), None)
            if wrong is not None:
                raise ValueError(f"{wrong!r} is no timestamp")
            return pl.Series(read, dtype=pl.Datetime("us")).dt.replace_time_zone(dtype.time_zone)
        case pl.Boolean():
            return values == "true"
        case _:
            return values.cast(dtype)
