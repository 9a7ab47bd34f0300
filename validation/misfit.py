"""Misfit: what raises on the columns of a schema, whatever rows there are.

A frame without rows tells most of it. Polars leaves out some of what there is to compute where there are no rows: the
branches of a `when`, what is computed group by group. There a row without values tells the rest. As no real row may
look like it, only what is said of dtypes counts there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import polars as pl

from deltaworks.validation.capture import MISFITS
from deltaworks.validation.residual import ResidualCheck, raised
from deltaworks.validation.rules import Rule

_OF_DTYPES = re.compile(
    r"invalid series dtype: expected .*, got `(?!.*\bnull\b)"
    r"|operation not supported for dtype `(?!.*\bnull\b)"
    r"|expected (date|datetime|time)( or \w+)?, got (?!.*\bnull\b)"
    r"|cannot compare (string with numeric type|'date/datetime/time' to a string value)"
    r"|SchemaMismatch\(ErrString\(\"invalid dtype: expected (?!.*\bnull\b)",
    re.IGNORECASE,
)
"""What Polars says of dtypes. That one is null may come of the row itself: Python makes columns of nothing of it."""

_OF_ANSWERS = re.compile(
    r"has no attribute 'collect_schema'|output type of check_fn not recognized|^\| on \w+ and Boolean is not supported"
)
"""What comes of handing pandera something else than it takes from the function of a check."""


def is_about_dtypes(error: BaseException) -> bool:
    """Tell whether an error would be the same with other values in the rows."""
    is_of_polars = isinstance(error, pl.exceptions.PolarsError | pl.exceptions.PanicException)
    return is_of_polars and _OF_DTYPES.search(str(error).partition("\n")[0]) is not None


def row_of_nulls(schema: pl.Schema) -> pl.DataFrame:
    """Return a row without values; a list in it has one element, so that what is computed of elements is, too."""
    return pl.DataFrame([pl.Series(name, [_null(dtype)], dtype) for name, dtype in schema.items()])


def unfit_rules(rules: Sequence[Rule], schema: pl.Schema) -> Iterator[tuple[Rule, str]]:
    """Yield the rules that no rows of a schema can keep, each with the reason why, a clause."""
    df = row_of_nulls(schema)
    if _error(rules, df) is None:
        return
    for rule in rules:
        error = _error([rule], df)
        if error is not None and is_about_dtypes(error):
            yield rule, raised(error)


def unfit_check(check: ResidualCheck, schema: pl.Schema) -> str | None:
    """Return why no rows of a schema can keep a check that does not compile, as a clause; none: they may.

    Cost: what the author's function takes for no rows and for one.
    """
    if check.broken:
        return f"it {check.reason}"
    error = _error(check, pl.DataFrame(schema=schema))
    if error is None:
        error = _error(check, row_of_nulls(schema))
        return raised(error) if error is not None and is_about_dtypes(error) else None
    if _OF_ANSWERS.search(str(error)):
        return f"its function has to give back a LazyFrame of Booleans, or a bool ({raised(error)})"
    is_misfit = isinstance(error, MISFITS) and "`null`" not in str(error)
    return raised(error) if is_misfit or is_about_dtypes(error) else None


def _error(
    judging: Sequence[Rule] | ResidualCheck, df: pl.DataFrame
) -> Exception | pl.exceptions.PanicException | None:
    """Return what is raised when some rows are judged."""
    try:
        if isinstance(judging, ResidualCheck):
            judging.evaluate(df)
        else:
            df.select(rule.failures() for rule in judging)
    except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001 - an author's function may raise anything
        return error
    return None


def _null(dtype: pl.DataType) -> object:
    match dtype:
        case pl.List():
            return [_null(pl.Series(dtype=dtype.inner).dtype)]
        case pl.Array():
            return [None] * dtype.shape[0]
        case pl.Struct():
            return {each.name: _null(pl.Series(dtype=each.dtype).dtype) for each in dtype.fields}
        case _:
            return None
