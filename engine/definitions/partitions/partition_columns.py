"""PartitionColumn: a column of a table whose values cut it into partitions, and where its values come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

from deltaworks.engine.definitions.partitions.multi_partitions import MultiPartitions
from deltaworks.engine.definitions.partitions.protocols import Dimension, Partitions
from deltaworks.errors import InvalidDefinition
from deltaworks.io.dtypes import delta_problem

OneColumn: TypeAlias = str | pl.Expr
PartitionBy: TypeAlias = OneColumn | Sequence[OneColumn] | Mapping[str, OneColumn]
"""What an author may write: a column or an expression; for several dimensions one for each, in order or by name."""


_SUFFIXES = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "cron": "tick"}
"""What a computed partition column is called by, after the column that it is made of, by the kind of partitions."""


@dataclass(frozen=True, eq=False, slots=True)
class PartitionColumn:
    """A partition column."""

    name: str
    expression: pl.Expr | None
    """What its values are computed by, over the function's result; none: the result has the column."""

    def dtype(self, schema: Mapping[str, pl.DataType]) -> pl.DataType | None:
        """Return the column's dtype in a result with this schema; none: the result lacks what it is made of.

        Raises:
            PolarsError: the expression does not fit the columns.
        """
        if self.expression is None:
            return schema.get(self.name)
        if any(name not in schema for name in self.expression.meta.root_names()):
            return None
        computed = pl.LazyFrame(schema=schema).select(self.expression.alias(self.name))
        return computed.collect_schema()[self.name]


def read_partition_by(declared: PartitionBy | None, partitions: Partitions) -> tuple[PartitionColumn, ...]:
    """Return the partition columns that an author declares for a definition, one for each of its dimensions.

    Raises:
        InvalidDefinition: they are not as many as the dimensions, or one cannot be a column's name.
    """
    dimensions = partitions.dimensions
    names = partitions.names if isinstance(partitions, MultiPartitions) else ("",) * len(dimensions)
    if not dimensions:
        if declared is not None:
            raise InvalidDefinition(f"partition_by={declared!r} is given, but no partitions")
        return ()
    columns = tuple(
        _column(each, dimension) for each, dimension in zip(_in_order(declared, names), dimensions, strict=True)
    )
    repeated = {column.name for column in columns if [each.name for each in columns].count(column.name) > 1}
    if repeated:
        raise InvalidDefinition(
            f"partition_by names column {min(repeated)!r} for several dimensions; each needs its own"
        )
    return columns


def _in_order(declared: PartitionBy | None, names: Sequence[str]) -> Sequence[OneColumn]:
    """Return what is declared for each dimension; several dimensions are columns of their own names by default."""
    match declared:
        case None if len(names) > 1:
            return names
        case None:
            raise InvalidDefinition(
                "partitions are given, but not partition_by, the column of the result that holds the key"
            )
        case str() | pl.Expr():
            found: Sequence[OneColumn] = [declared]
        case Mapping():
            unknown = [name for name in declared if name not in names]
            if unknown:
                raise InvalidDefinition(
                    f"partition_by names the dimension {unknown[0]!r}; "
                    + (
                        f"there are {', '.join(names)}"
                        if len(names) > 1
                        else "a single one needs no name, only a column"
                    )
                )
            return [declared.get(name, name) for name in names]
        case Sequence():
            found = declared
        case _:
            raise InvalidDefinition(f"partition_by must be a column or a Polars expression, not {declared!r}")
    if len(found) != len(names):
        raise InvalidDefinition(
            f"partition_by has {_counted(len(found), 'column')}, but the partitions have "
            f"{_counted(len(names), 'dimension')}; give one for each"
        )
    return found


def _column(declared: object, dimension: Dimension) -> PartitionColumn:
    match declared:
        case str() if declared:
            return PartitionColumn(declared, None)
        case pl.Expr():
            return _computed(declared, dimension)
        case _:
            raise InvalidDefinition(f"partition_by must be a column or a Polars expression, not {declared!r}")


def _computed(expression: pl.Expr, dimension: Dimension) -> PartitionColumn:
    if expression.meta.has_multiple_outputs():
        raise InvalidDefinition(f"partition_by={expression} is several columns; write one expression for one column")
    name = expression.meta.output_name()
    if name not in expression.meta.root_names():
        return PartitionColumn(name, expression)
    if expression.meta.is_column():
        return PartitionColumn(name, None)
    # The column that it is made of stays as it is, so this one needs a name of its own.
    suffix = _SUFFIXES.get(dimension.scheme.split()[0], "key")
    return PartitionColumn(f"{name}_{suffix}", expression)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def partition_column_problem(
    column: PartitionColumn, dimension: Dimension, schema: Mapping[str, pl.DataType], model: str
) -> str | None:
    """Say why a column cannot cut a table whose model has these columns; none: it can."""
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
