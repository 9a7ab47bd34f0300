"""Columns: whether Delta can hold those that a model declares, and whether it has those that partitions need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from deltaworks.engine.definitions.partitions.partition_columns import PartitionColumn
from deltaworks.engine.definitions.partitions.protocols import Dimension, Partitions
from deltaworks.io.dtypes import delta_problem
from deltaworks.validation.model import Declared


def stored_problem(model: Declared) -> str | None:
    """Return why Delta would not give a column back as it was; none if it gives them all."""
    for column in model.columns:
        problem = delta_problem(column.dtype)
        if problem:
            return f"column {column.name!r} of model {model.name} {problem}"
    return None


def partition_columns_problem(
    model: Declared, columns: Sequence[PartitionColumn], partitions: Partitions
) -> str | None:
    """Return why a table of a model cannot be partitioned by some columns; none if it can."""
    if model.patterns:
        return None  # which columns there are is known when the function has run
    schema = {column.name: column.dtype for column in model.columns if column.required}
    problems = (
        _problem(column, dimension, schema, model.name)
        for column, dimension in zip(columns, partitions.dimensions, strict=True)
    )
    return next(filter(None, problems), None)


def _problem(
    column: PartitionColumn, dimension: Dimension, schema: Mapping[str, pl.DataType], model: str
) -> str | None:
    if column.expression is not None and column.name in schema:
        return f"partition_by makes a column {column.name!r}, which model {model} has already; rename it by .alias(...)"
    try:
        dtype = column.dtype(schema)
    except pl.exceptions.PolarsError as error:
        return f"partition_by={column.expression} cannot be computed from model {model}: {error}"
    if dtype is None:
        lacks = (
            column.name
            if column.expression is None
            else next(name for name in column.expression.meta.root_names() if name not in schema)
        )
        return (
            f"model {model} has no required column {lacks!r}, which partition_by names; "
            f"its columns are {', '.join(schema)}"
        )
    problem = delta_problem(dtype) or dimension.column_problem(dtype)
    return f"partition column {column.name!r} {problem}" if problem else None
