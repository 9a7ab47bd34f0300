"""Constants: values that have one text in every process, so that a hash may be made of them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from types import BuiltinFunctionType, EllipsisType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import polars as pl

_PLAIN = (type(None), bool, int, float, complex, str, bytes, EllipsisType, Decimal, Fraction, UUID, range, ZoneInfo)
_TIMES = (dt.date, dt.time, dt.timedelta, dt.timezone)


def constant_text(value: Any) -> str | None:
    """Spell a constant, or return none for what is not one. Sets are spelled in an order of their own."""
    match value:
        case Enum():
            return f"{type(value).__qualname__}.{value.name}={constant_text(value.value)}"
        case _ if type(value) in _PLAIN or isinstance(value, _TIMES | pl.DataType | pl.Schema):
            return repr(value)
        case re.Pattern():
            return f"re({value.pattern!r}, {int(value.flags)})"
        case tuple():
            return _joined("(", map(constant_text, value), ")")
        case list():
            return _joined("[", map(constant_text, value), "]")
        case set() | frozenset():
            texts = [constant_text(item) for item in value]
            return None if None in texts else _joined("{", sorted(map(str, texts)), "}")
        case dict():
            texts = (constant_text(part) for item in value.items() for part in item)
            return _joined("{", texts, "}")
        case type() | BuiltinFunctionType():
            return f"{(value.__module__ or '').partition('.')[0]}.{value.__qualname__}"
        case _ if is_dataclass(value):
            parts = (constant_text(getattr(value, each.name)) for each in fields(value))
            return _joined(f"{type(value).__qualname__}(", parts, ")")
        case _:
            return None


def _joined(opening: str, texts: Iterable[str | None], closing: str) -> str | None:
    parts = list(texts)
    return None if None in parts else opening + ",".join(filter(None, parts)) + closing
