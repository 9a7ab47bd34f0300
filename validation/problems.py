"""Problems: how the schema of a frame differs from what a model declares.

The rules are pandera's, except that integers of 128 bits and floats of 16 are equal to themselves, and that every
column that a strict model does not know is found, not only the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from deltaworks.validation.model import Declared, DeclaredColumn


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """One thing about a frame's columns that a model does not allow. It always forbids a commit."""

    column: str
    expected: str | None
    """The dtype that the model declares; None: no such column."""
    found: str | None
    """The dtype of the frame; None: no such column."""
    message: str


def schema_problems(declared: Declared, schema: pl.Schema) -> tuple[SchemaProblem, ...]:
    """Compare a frame's schema with a model: missing columns, wrong dtypes, strict extras and the order."""
    return (
        *_of_columns(declared, schema),
        *_of_patterns(declared, schema),
        *(_extras(declared, schema) if declared.strict else ()),
        *(_out_of_order(declared, schema) if declared.ordered else ()),
    )


def matched_columns(pattern: DeclaredColumn, declared: Declared, schema: pl.Schema) -> list[str]:
    """Return the columns of a frame that a pattern speaks for: those that match and are not declared by name."""
    own = {column.name for column in declared.columns}
    return [name for name in schema if name not in own and re.fullmatch(pattern.name, name)]


def _of_columns(declared: Declared, schema: pl.Schema) -> Iterator[SchemaProblem]:
    for column in declared.columns:
        if column.name in schema:
            yield from _of_dtype(column, column.name, schema[column.name])
        elif column.required:
            message = f"column {column.name!r} is missing; {declared.name} declares it as {column.dtype}."
            yield SchemaProblem(column.name, str(column.dtype), None, message)


def _of_patterns(declared: Declared, schema: pl.Schema) -> Iterator[SchemaProblem]:
    for pattern in declared.pattern_columns:
        names = matched_columns(pattern, declared, schema)
        for name in names:
            yield from _of_dtype(pattern, name, schema[name])
        if pattern.required and not names:
            message = f"no column matches {pattern.name!r}, which {declared.name} declares as {pattern.dtype}."
            yield SchemaProblem(pattern.name, str(pattern.dtype), None, message)


def _of_dtype(column: DeclaredColumn, name: str, found: pl.DataType) -> Iterator[SchemaProblem]:
    if found != column.dtype:
        message = f"column {name!r} is {found}, but its model declares {column.dtype}."
        yield SchemaProblem(name, str(column.dtype), str(found), message)


def _extras(declared: Declared, schema: pl.Schema) -> Iterator[SchemaProblem]:
    known = _declared_names(declared, schema)
    for name, dtype in schema.items():
        if name not in known:
            message = f"column {name!r} is not declared, and {declared.name} is strict."
            yield SchemaProblem(name, None, str(dtype), message)


def _out_of_order(declared: Declared, schema: pl.Schema) -> Iterator[SchemaProblem]:
    wanted = _declared_names(declared, schema)
    found = [name for name in schema if name in wanted]
    for name, expected in zip(found, wanted, strict=True):
        if name != expected:
            message = f"column {name!r} stands where {declared.name}, which is ordered, has {expected!r}."
            yield SchemaProblem(name, str(schema[name]), str(schema[name]), message)
            return


def _declared_names(declared: Declared, schema: pl.Schema) -> list[str]:
    """Return the columns of a frame that the model declares, in the model's order of names, then of patterns."""
    own = [column.name for column in declared.columns if column.name in schema]
    matched = [name for pattern in declared.pattern_columns for name in matched_columns(pattern, declared, schema)]
    return list(dict.fromkeys([*own, *matched]))
