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
    if is_a(value, Enum):
        return f"{type(value).__qualname__}.{value.name}={constant_text(value.value)}"
    if type(value) in _PLAIN or is_a(value, *_TIMES, pl.DataType, pl.Schema):
        return repr(value)
    if is_a(value, re.Pattern):
        return f"re({value.pattern!r}, {value.flags})"
    if is_a(value, tuple):
        return _joined("(", map(constant_text, value), ")")
    if is_a(value, list):
        return _joined("[", map(constant_text, value), "]")
    if is_a(value, set, frozenset):
        texts = [constant_text(member) for member in value]
        return None if None in texts else _joined("{", sorted(text or "" for text in texts), "}")
    if is_a(value, dict):
        return _joined("{", (constant_text(part) for item in value.items() for part in item), "}")
    if is_a(value, type, BuiltinFunctionType):
        return f"{(value.__module__ or '').partition('.')[0]}.{value.__qualname__}"
    if is_dataclass(value):
        parts = (constant_text(getattr(value, each.name)) for each in fields(value))
        return _joined(f"{type(value).__qualname__}(", parts, ")")
    return None


def is_a(value: object, *kinds: type) -> bool:
    """Return `isinstance`, which leaves a type checker in ignorance of a container's unknown members."""
    return isinstance(value, kinds)


def _joined(opening: str, texts: Iterable[str | None], closing: str) -> str | None:
    parts = list(texts)
    return None if None in parts else opening + ",".join(part or "" for part in parts) + closing
