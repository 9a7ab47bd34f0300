"""Fit: whether a table that is there can take what its asset makes, as far as that is known before anything runs."""

from __future__ import annotations

import re

import polars as pl

from deltaworks.engine.planning.graph import Node
from deltaworks.io.create import verify_table
from deltaworks.io.table import Table
from deltaworks.validation import Declared, declare


def verify_fit(node: Node, table: Table) -> None:
    """Compare a table with what its asset declares.

    Raises:
        TableMismatch: its columns, dtypes or partition columns differ, or it asks of its writers what this engine does
            not do.
    """
    if table.exists:
        verify_table(table, expected_schema(node, table), node.partition_columns, node.scheme)


def expected_schema(node: Node, table: Table) -> dict[str, pl.DataType]:
    """Return the columns that a table should have: those that the model declares, and its own where that is open.

    What the model leaves open is known only when the function has run; it is compared then.
    """
    if node.asset.model is None:
        return dict(table.schema())
    declared = declare(node.asset.model)
    return dict(declared.schema()) | {
        name: dtype
        for name, dtype in table.schema().items()
        if name in node.computed_columns or _leaves_open(declared, name)
    }


def _leaves_open(declared: Declared, name: str) -> bool:
    by_name = {column.name: column for column in declared.columns}
    if name in by_name:
        return not by_name[name].required
    return not declared.strict or any(re.fullmatch(pattern, name) for pattern in declared.patterns)
