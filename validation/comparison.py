"""Comparison: whether what one model promises is what another asks for."""

from __future__ import annotations

import re

from deltaworks.validation.model import Declared, DeclaredColumn


def column_difference(wanted: DeclaredColumn, offer: Declared) -> str | None:
    """Say what a model offers instead of a column; none: the column, as it is wanted."""
    named = (column for column in offer.columns if column.name == wanted.name)
    matched = (column for column in offer.pattern_columns if re.fullmatch(column.name, wanted.name))
    found = next(named, None) or next(matched, None)
    if found is None:
        return "does not have it" if wanted.required else None
    if found.dtype != wanted.dtype:
        return f"has it as {found.dtype}"
    if wanted.required and not found.required:
        return "does not always have it"
    return "lets it be null" if found.nullable and not wanted.nullable else None


def model_difference(wanted: Declared, offer: Declared) -> tuple[str, str] | None:
    """Return the first column that a model does not offer as it is wanted, as text, and what it offers instead."""
    for column in wanted.columns:
        difference = column_difference(column, offer)
        if difference is not None:
            nullable = "nullable " if column.nullable else ""
            return f"column {column.name!r} as {nullable}{column.dtype}", difference
    return None
