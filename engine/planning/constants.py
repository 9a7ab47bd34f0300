"""Constants: values that have one text in every process, so that a hash may be made of them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from types import BuiltinFunctionType, EllipsisType
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

import polars as pl

_PLAIN = (type(None), bool, int, float, complex, str, bytes, EllipsisType, Decimal, Fraction, UUID, range, ZoneInfo)
_TIMES = (dt.date, dt.time, dt.timedelta, dt.timezone)

FRAME_CELLS = 10_000
"""Up to this many values, a frame counts by its content."""

Spell: TypeAlias = Callable[[Any], str | None]


def constant_text(value: Any, other: Spell = lambda _: None) -> str | None:
    """Spell a constant, or return none for what is not one. Sets are spelled in an order of their own.

    Args:
        value: what to spell.
        other: is asked first about anything that is no plain constant, and about parts of containers.
    """
    if type(value) in _PLAIN:
        return repr(value)
    asked = other(value)
    if asked is not None:
        return asked

    def spell(part: Any) -> str | None:
        return constant_text(part, other)

    if is_a(value, Enum):
        return f"{type(value).__qualname__}.{value.name}={spell(value.value)}"
    if is_a(value, tuple, list, set, frozenset, Mapping) and not is_a(value, pl.Schema):
        return _container_text(value, spell)
    if is_a(value, pl.DataFrame, pl.Series):
        return _frame_text(value if is_a(value, pl.DataFrame) else value.to_frame(), spell)
    if is_dataclass(value) and not is_a(value, type):
        parts = (spell(getattr(value, each.name, None)) for each in fields(value))
        return _joined(f"{type(value).__qualname__}(", parts, ")")
    return _atom_text(value)


def _atom_text(value: Any) -> str | None:
    if is_a(value, *_TIMES, pl.DataType, pl.Schema):
        return repr(value)
    if is_a(value, re.Pattern):
        return f"re({value.pattern!r}, {value.flags})"
    if is_a(value, PurePath):
        return None if value.is_absolute() else f"path({value.as_posix()!r})"  # where the project lies is no content
    if is_a(value, type, BuiltinFunctionType):
        return f"{(value.__module__ or '').partition('.')[0]}.{value.__qualname__}"
    return None


def _container_text(value: Any, spell: Spell) -> str | None:
    if is_a(value, set, frozenset):
        texts = [spell(member) for member in value]
        return None if None in texts else _joined("{", sorted(text or "" for text in texts), "}")
    if is_a(value, Mapping):
        return _joined("{", (spell(part) for item in value.items() for part in item), "}")
    opening, closing = "()" if is_a(value, tuple) else "[]"
    return _joined(opening, map(spell, value), closing)


def is_a(value: object, *kinds: type) -> bool:
    """Return `isinstance`, which leaves a type checker in ignorance of a container's unknown members."""
    return isinstance(value, kinds)


def _frame_text(df: pl.DataFrame, spell: Spell) -> str | None:
    if df.height * df.width > FRAME_CELLS:
        return None
    columns = (
        spell([name, dtype, values]) for (name, dtype), values in zip(df.schema.items(), _values(df), strict=True)
    )
    return _joined("frame(", columns, ")")


def _values(df: pl.DataFrame) -> list[list[Any]]:
    return [series.to_list() for series in df.iter_columns()]


def _joined(opening: str, texts: Iterable[str | None], closing: str) -> str | None:
    parts = list(texts)
    return None if None in parts else opening + ",".join(part or "" for part in parts) + closing
