"""ZOrder: rows put in an order in which rows that are near each other in several columns lie near each other.

Each column's values are replaced by their ranks, scaled to as many bits as fit, and the bits of all columns are taken
in turns (Morton's order): ranks make it indifferent to how the values are spread, and need no dtype of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

_BITS = 62
"""Of an Int64, without its sign."""

_MOST_COLUMNS = 8
"""With more of them rows are in hardly any order by each."""

_PLACE = "\0place"


def z_ordered(df: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Return the rows in z-order by some columns, nulls first; rows that are alike in them keep their order."""
    bits = _BITS // max(len(columns), 2)  # the product of a rank and the scale must fit too
    ranks = df.select(pl.col(column).rank("dense").fill_null(0).cast(pl.Int64) for column in columns)
    scaled = ranks.select(pl.all() * (1 << bits) // (pl.all().max() + 1))
    place = pl.sum_horizontal(
        pl.col(column) // (1 << bit) % 2 * (1 << (bit * len(columns) + len(columns) - 1 - turn))
        for bit in range(bits)
        for turn, column in enumerate(columns)
    )
    return df.with_columns(scaled.select(place.alias(_PLACE))).sort(_PLACE, maintain_order=True).drop(_PLACE)


def z_order_problem(
    columns: Sequence[str], schema: Mapping[str, pl.DataType], partition_columns: Sequence[str]
) -> str | None:
    """Say why rows cannot be z-ordered by some columns, or none if they can."""
    known = [name for name, dtype in schema.items() if name not in partition_columns and not dtype.is_nested()]
    for column in columns:
        if column in partition_columns:
            return f"{column!r} is a partition column, which is the same in all rows of a partition"
        if column not in schema:
            return f"there is no column {column!r}; there are {', '.join(known)}"
        if column not in known:
            return f"column {column!r} is {schema[column]}, which has no order; there are {', '.join(known)}"
    if len(columns) > _MOST_COLUMNS:
        return f"{len(columns)} columns are too many; name {_MOST_COLUMNS} at most"
    return None
