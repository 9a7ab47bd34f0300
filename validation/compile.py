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
from deltaworks.validation.on_fail import Budget
from deltaworks.validation.problems import SchemaProblem, matched_columns, schema_problems
from deltaworks.validation.residual import ResidualCheck, runnable
from deltaworks.validation.rules import RESERVED_PREFIX, Rule, RuleKind, distinct, not_null, one_of
from deltaworks.validation.sieve import REJECTED_BY, Total


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


def impossible(model: type) -> tuple[SchemaProblem, ...]:
    """Say what a model asks for that can be enforced on no rows, before any schema is known.

    Columns that a pattern declares are called by the pattern. No rule is compiled unless one leaves rows out.
    """
    declared = declare(model)
    if next(declared.taking_out(), None) is None:
        return ()
    # For Polars, a name between ^ and $ is a pattern again.
    called = (replace(each, name=each.name.removeprefix("^").removesuffix("$")) for each in declared.pattern_columns)
    named = replace(declared, columns=(*declared.columns, *called), pattern_columns=())
    schema = pl.Schema({column.name: column.dtype for column in named.columns})
    rules = [part for part in _with_unique_names(_parts(named, schema)) if isinstance(part, Rule)]
    return tuple(_severity_problems(rules, named, schema))


def _compile(model: type | None, columns: tuple[tuple[str, pl.DataType], ...]) -> Contract:
    schema = pl.Schema(columns)
    if model is None:
        return Contract(schema)
    declared = declare(model)
    problems = schema_problems(declared, schema)
    if problems:
        return Contract(schema, problems)
    named = _with_unique_names(_parts(declared, schema))
    parts = [replace(part, key=f"{RESERVED_PREFIX}rule_{number}") for number, part in enumerate(named)]
    rules = tuple(part for part in parts if isinstance(part, Rule))
    residual = tuple(part for part in parts if isinstance(part, ResidualCheck))
    problems = tuple(_severity_problems(rules, declared, schema))
    return (
        Contract(schema, problems)
        if problems
        else Contract(schema, (), rules, residual, tuple(_totals(declared, schema)), declared.unique_scope)
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
            name, reaction = f"{UNIQUE}({', '.join(columns)})", declared.on_fail.reaction(UNIQUE)
            yield Rule(None, name, RuleKind.UNIQUE, reaction, distinct(columns))
    for check in declared.checks:
        yield _check_part(check, None, empty)


def _column_parts(
    column: DeclaredColumn, name: str, visible: pl.LazyFrame, *, sees_only_its_column: bool = False
) -> Iterator[Rule | ResidualCheck]:
    on_fail = column.on_fail
    if not column.nullable:
        yield Rule(
            name, NOT_NULL[0], RuleKind.ROW, on_fail.reaction(*NOT_NULL), not_null(name, column.dtype), adds_up=True
        )
    if column.unique:
        yield Rule(name, UNIQUE, RuleKind.UNIQUE, on_fail.reaction(UNIQUE), distinct((name,)))
    for check in column.checks:
        yield _check_part(check, name, visible, sees_only_its_column=sees_only_its_column)


def _check_part(
    declared: DeclaredCheck, column: str | None, visible: pl.LazyFrame, *, sees_only_its_column: bool = False
) -> Rule | ResidualCheck:
    texts = declared.few_texts()
    if texts and column is not None and visible.collect_schema()[column] == pl.String:
        kept = one_of(column, texts, null_passes=bool(declared.check.ignore_na))
        return Rule(column, declared.label, RuleKind.ROW, declared.reaction, kept, adds_up=True)
    taken = capture(declared.check, visible, column)
    if isinstance(taken, Captured):
        adds_up = declared.builtin and taken.kind is RuleKind.ROW
        return Rule(column, declared.label, taken.kind, declared.reaction, taken.expression, adds_up=adds_up)
    return ResidualCheck(
        column=column,
        name=declared.label,
        reaction=declared.reaction,
        reason=taken.reason,
        broken=taken.broken,
        check=runnable(declared.check, taken),
        sees_only_its_column=sees_only_its_column,
    )


def _severity_problems(rules: Iterable[Rule], declared: Declared, schema: pl.Schema) -> Iterator[SchemaProblem]:
    for rule in rules:
        if rule.severity.takes_out and rule.kind is RuleKind.AGGREGATE:
            subject = f"rule {rule.name!r} of {declared.name if rule.column is None else f'column {rule.column!r}'}"
            message = (
                f"{subject} says nothing of single rows, so none can be left out by {rule.severity.value!r}; its "
                "on_fail can be 'fail' or 'warn'."
            )
            yield SchemaProblem(rule.column or "", None, None, message)
    if any(rule.severity.takes_out for rule in rules) and REJECTED_BY in schema:
        message = f"column {REJECTED_BY!r} is the one in which rejected rows say why; give it another name."
        yield SchemaProblem(REJECTED_BY, None, str(schema[REJECTED_BY]), message)


def _totals(declared: Declared, schema: pl.Schema) -> Iterator[Total]:
    if declared.on_fail.total != Budget():
        yield Total("the model", None, declared.on_fail.total)
    for column in declared.columns:
        if column.on_fail.total != Budget():
            yield Total(f"column {column.name!r}", (column.name,), column.on_fail.total)
    for pattern in declared.pattern_columns:
        if pattern.on_fail.total != Budget():
            names = tuple(matched_columns(pattern, declared, schema))
            yield Total(f"columns {pattern.name!r}", names, pattern.on_fail.total)


def _with_unique_names(parts: Iterable[Rule | ResidualCheck]) -> Iterator[Rule | ResidualCheck]:
    """Number the later ones of rules that have the same name on the same column."""
    seen = Counter[tuple[str | None, str]]()
    for part in parts:
        seen[part.column, part.name] += 1
        count = seen[part.column, part.name]
        yield part if count == 1 else replace(part, name=f"{part.name} #{count}")
