"""Conform: bring a frame into the form that its model asks for, before it is judged and written."""

from __future__ import annotations

import polars as pl

from deltaworks.validation.model import declare
from deltaworks.validation.problems import matched_columns


def conform(model: type | None, lf: pl.LazyFrame) -> pl.LazyFrame:
    """Cast the columns that a model wants cast, and put the declared ones first, in the model's order.

    A cast that a value does not survive raises when the frame is collected.

    Raises:
        InvalidContract: as `declare` does.
        PolarsError: the plan of the frame does not resolve.
    """
    if model is None:
        return lf
    declared = declare(model)
    schema = lf.collect_schema()
    dtypes = {column.name: column for column in declared.columns if column.name in schema}
    for pattern in declared.pattern_columns:
        dtypes |= {name: pattern for name in matched_columns(pattern, declared, schema) if name not in dtypes}
    casts = [
        _cast(name, schema[name], column.dtype)
        for name, column in dtypes.items()
        if (column.coerce or declared.coerce) and schema[name] != column.dtype
    ]
    names = [column.name for column in declared.columns if column.name in schema]
    return lf.with_columns(casts).select(*names, *(name for name in schema if name not in names))


def _cast(name: str, found: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    """Return a cast as pandera does it: what is no number becomes one before it becomes a decimal."""
    column = pl.col(name)
    if isinstance(wanted, pl.Decimal) and (found == pl.Boolean or found.is_temporal()):
        column = column.cast(pl.Float64)
    return column.cast(wanted)
