"""Capture: the Polars expression that a pandera check builds, taken without running it on data.

A check's function is called with a recorder in the place of the frame. What it selects is the expression. A function
that asks the frame for anything else cannot be captured, and neither can one whose expression does not mean the same
inside ``group_by(...).agg(...)`` as in ``select(...)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NoReturn, cast

import pandera.polars as pa
import polars as pl

from deltaworks.validation.rules import RuleKind

MISFITS = (
    pl.exceptions.ColumnNotFoundError,
    pl.exceptions.DuplicateError,
    pl.exceptions.InvalidOperationError,
    pl.exceptions.SchemaError,
)
"""What Polars raises for an expression that no rows of the schema could satisfy."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A check as an expression that is never null."""

    expression: pl.Expr
    kind: RuleKind


@dataclass(frozen=True, slots=True)
class NotCaptured:
    """A check that only pandera can run."""

    reason: str
    """Ends a sentence like "it is run apart because it ..."."""
    broken: bool = False
    """It cannot hold for any data of this schema."""
    expression: pl.Expr | None = None
    """What its function gave back, if that is a bare expression, which pandera does not understand."""


def capture(check: pa.Check, frame: pl.LazyFrame, column: str | None) -> Captured | NotCaptured:
    """Take the expression of a check.

    Args:
        check: any pandera check.
        frame: a frame without rows that has the columns which the check may see.
        column: the column that the check is about; None: the whole frame.
    """
    if check.element_wise:
        return NotCaptured("calls Python for every value")
    recorder = _Recorder(frame)
    try:
        answer = _call(check, pa.PolarsData(cast(pl.LazyFrame, recorder), column or "*"))
    except _Untaken as untaken:
        return NotCaptured(str(untaken))
    except Exception as error:  # noqa: BLE001 - an author's function, called with a frame that it does not expect
        return NotCaptured(f"raised {type(error).__name__} when it was read: {_first_line(error)}")
    null_passes = bool(check.ignore_na)
    match answer:
        case _Selection():
            return _captured(answer, frame, null_passes=null_passes)
        case pl.Expr():
            taken = _captured(_Selection((answer,)), frame, null_passes=null_passes)
            return replace(taken, expression=answer) if isinstance(taken, NotCaptured) else taken
        case _:
            return NotCaptured(f"returns a {type(answer).__name__}")


def _call(check: pa.Check, data: pa.PolarsData) -> object:
    """Call a check's function as pandera does. The only place that touches pandera's private names.

    A builtin check dispatches on the type of its data. A model may hold a copy that was made before pandera registered
    the functions for Polars, so the dispatcher is looked up again.
    """
    pa.DataFrameSchema.register_default_backends(pl.LazyFrame)
    private: Any = check
    function = private._check_fn
    name = getattr(function, "__name__", "")
    if private.is_builtin_check(name):
        function = private.get_builtin_check_fn(name)
    return function(data, **private._check_kwargs)


class _Untaken(Exception):
    """The function does with the frame what cannot be written down as an expression."""


@dataclass(frozen=True, slots=True)
class _Selection:
    """What a function selected, by which it has to end."""

    expressions: tuple[pl.Expr, ...]

    def __getattr__(self, name: str) -> NoReturn:
        raise _Untaken(f"uses LazyFrame.{name} after select")


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Stands in for the frame that a check's function gets."""

    _frame: pl.LazyFrame

    def collect_schema(self) -> pl.Schema:
        return self._frame.collect_schema()

    def select(self, *expressions: object, **named: object) -> _Selection:
        unnamed = [_expression(part) for part in _flattened(expressions)]
        return _Selection((*unnamed, *(_expression(part).alias(name) for name, part in named.items())))

    def __getattr__(self, name: str) -> NoReturn:
        raise _Untaken(f"uses LazyFrame.{name}")


def _flattened(parts: Iterable[object]) -> Iterable[object]:
    for part in parts:
        if isinstance(part, list | tuple):
            yield from _flattened(cast(Iterable[object], part))
        else:
            yield part


def _expression(part: object) -> pl.Expr:
    match part:
        case pl.Expr():
            return part
        case str():
            return pl.col(part)
        case bool():
            return pl.lit(part)
        case _:
            raise _Untaken(f"selects a {type(part).__name__}")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _captured(selection: _Selection, frame: pl.LazyFrame, *, null_passes: bool) -> Captured | NotCaptured:
    expressions = selection.expressions
    expression = expressions[0] if len(expressions) == 1 else pl.all_horizontal(expressions)
    kind = _kind(expression)
    if isinstance(kind, NotCaptured):
        return kind
    # Resolving the schema finds most mistakes; some, e.g. comparing an Enum with a value that it lacks, take a run.
    try:
        outputs = frame.select(expressions).collect().schema
    except MISFITS as error:
        return NotCaptured(f"does not fit the schema: {_first_line(error)}", broken=True)
    except pl.exceptions.PolarsError as error:
        return NotCaptured(f"cannot be evaluated without rows: {_first_line(error)}")
    for dtype in outputs.dtypes():
        if dtype != pl.Boolean:
            return NotCaptured(f"does not give Booleans but {dtype}")
    return Captured(expression.fill_null(null_passes), kind)


def _kind(expression: pl.Expr) -> RuleKind | NotCaptured:
    # A selector means other columns in group_by than in select: it leaves out the ones that are grouped by.
    if expression.meta.has_multiple_outputs():
        return NotCaptured("selects columns without naming them")
    try:
        if expression.meta.is_scalar():
            return RuleKind.AGGREGATE
        if expression.meta.is_length_preserving():
            return RuleKind.ROW
    except pl.exceptions.PolarsError:
        return NotCaptured("calls a Python function")
    return NotCaptured("gives neither one value nor one a row")
