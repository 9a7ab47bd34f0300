"""Compile: from what a model declares and the schema of a frame to a contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

import polars as pl

from deltaworks.validation.capture import Captured, capture
from deltaworks.validation.check import DeclaredCheck
from deltaworks.validation.contract import Contract
from deltaworks.validation.model import NOT_NULL, UNIQUE, Declared, DeclaredColumn, declare
from deltaworks.validation.problems import matched_columns, schema_problems
from deltaworks.validation.residual import ResidualCheck, runnable
from deltaworks.validation.rules import RESERVED_PREFIX, Rule, RuleKind, distinct, not_null


def compile_contract(model: type | None, schema: pl.Schema) -> Contract:
    """Compile a pandera model for frames of a schema.

    ``schema`` is that of the rows as they are written: columns that the model wants cast have been cast. Without a
    model there are no rules, only the row count.

    The answer is kept, unless an author's own function takes part: it may look at the clock, so it is called anew.

    Raises:
        InvalidContract: as `declare` does.
    """
    columns = tuple(schema.items())
    if model is None or declare(model).builtin_only:
        return _compile_once(model, columns)
    return _compile(model, columns)


def _compile(model: type | None, columns: tuple[tuple[str, pl.DataType], ...]) -> Contract:
    schema = pl.Schema(columns)
    if model is None:
        return Contract(schema)
    declared = declare(model)
    problems = schema_problems(declared, schema)
    if problems:
        return Contract(schema, problems)
    parts = list(_with_unique_names(_parts(declared, schema)))
    rules = (part for part in parts if isinstance(part, Rule))
    return Contract(
        schema,
        rules=tuple(replace(rule, key=f"{RESERVED_PREFIX}rule_{number}") for number, rule in enumerate(rules)),
        residual=tuple(part for part in parts if isinstance(part, ResidualCheck)),
    )


_compile_once = lru_cache(maxsize=1024)(_compile)


def _parts(declared: Declared, schema: pl.Schema) -> Iterator[Rule | ResidualCheck]:
    empty = pl.LazyFrame(schema=schema)
    for column in declared.columns:
        if column.name in schema:
            yield from _column_parts(column, column.name, empty)
    # Pandera shows a pattern's check the whole frame, but only its own column if the model has nothing but patterns.
    alone = not declared.columns
    for pattern in declared.pattern_columns:
        for name in matched_columns(pattern, declared, schema):
            yield from _column_parts(pattern, name, empty.select(name) if alone else empty, sees_only_its_column=alone)
    for key in declared.keys:
        columns = tuple(name for name in key if name in schema)
        if columns:
            name, severity = f"{UNIQUE}({', '.join(columns)})", declared.on_fail.severity(UNIQUE)
            yield Rule(None, name, RuleKind.UNIQUE, severity, distinct(columns))
    for check in declared.checks:
        yield _check_part(check, None, empty)


def _column_parts(
    column: DeclaredColumn, name: str, visible: pl.LazyFrame, *, sees_only_its_column: bool = False
) -> Iterator[Rule | ResidualCheck]:
    on_fail = column.on_fail
    if not column.nullable:
        yield Rule(name, NOT_NULL[0], RuleKind.ROW, on_fail.severity(*NOT_NULL), not_null(name, column.dtype))
    if column.unique:
        yield Rule(name, UNIQUE, RuleKind.UNIQUE, on_fail.severity(UNIQUE), distinct((name,)))
    for check in column.checks:
        yield _check_part(check, name, visible, sees_only_its_column=sees_only_its_column)


def _check_part(
    declared: DeclaredCheck, column: str | None, visible: pl.LazyFrame, *, sees_only_its_column: bool = False
) -> Rule | ResidualCheck:
    taken = capture(declared.check, visible, column)
    if isinstance(taken, Captured):
        return Rule(column, declared.label, taken.kind, declared.severity, taken.expression)
    return ResidualCheck(
        column=column,
        name=declared.label,
        severity=declared.severity,
        reason=taken.reason,
        broken=taken.broken,
        check=runnable(declared.check, taken),
        sees_only_its_column=sees_only_its_column,
    )


def _with_unique_names(parts: Iterable[Rule | ResidualCheck]) -> Iterator[Rule | ResidualCheck]:
    """Number the later ones of rules that have the same name on the same column."""
    seen = Counter[tuple[str | None, str]]()
    for part in parts:
        seen[part.column, part.name] += 1
        count = seen[part.column, part.name]
        yield part if count == 1 else replace(part, name=f"{part.name} #{count}")
