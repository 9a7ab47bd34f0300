"""Printable: values of data and of rules as short text on one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import cast

_LONGEST_TEXT = 60
_MOST_ITEMS = 5


def printable(value: object) -> str:
    """Return a short text of a value, e.g. ``-999.0``, ``'AA'``, ``2013-01-01`` or ``{carrier: 'AA', day: null}``."""
    text = " ".join(_text(value).split())
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."


def printable_items(values: Iterable[object]) -> str:
    """Return the first values, separated by commas; those of a set are sorted, so that the text is always the same."""
    texts = [printable(value) for value in values]
    if isinstance(values, set | frozenset):
        texts.sort()
    return ", ".join(texts if len(texts) <= _MOST_ITEMS else [*texts[:_MOST_ITEMS], "..."])


def _text(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str() | bytes():
            return repr(value)
        case datetime() | date() | time():
            return str(value)
        case Mapping():
            fields = cast(Mapping[object, object], value)
            return "{" + ", ".join(f"{name}: {_text(item)}" for name, item in fields.items()) + "}"
        case list() | tuple() | set() | frozenset():
            return f"[{printable_items(cast(Iterable[object], value))}]"
        case _:
            return str(value)
