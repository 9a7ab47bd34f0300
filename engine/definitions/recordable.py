"""Recordable: what the log of a table can hold so that every reader can still open the table."""

from __future__ import annotations

import math

_LARGEST = 2**63 - 1


def record_problem(value: str | float | bool | None) -> str | None:
    """Say why a value cannot stand in a record; none: it can."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value}, which no JSON holds"
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        return f"is a number of {value.bit_length()} bits, and 63 are the most that every reader takes"
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        return "has a lone surrogate in its text, which no UTF-8 holds"
    return None
