"""Fit: whether tables that are there take what their assets make and give what their readers rely on.

As far as that is known before anything runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import polars as pl

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph, Edge, Node
from deltaworks.errors import TableMismatch
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


def verify_upstreams(graph: AssetGraph, node: Node, tables: Mapping[AssetKey, Table]) -> None:
    """Compare the tables of others that an asset reads with their models, or where they have none with its own.

    Raises:
        TableMismatch: a column is missing or has another dtype, or the table cannot be read here.
    """
    for edge in node.upstream:
        upstream, table = graph.nodes[edge.upstream].asset, tables[edge.upstream]
        if upstream.kind is not AssetKind.EXTERNAL or not table.exists:
            continue
        differences = list(_differences(upstream.model or edge.argument.frame.model, table.schema()))
        if differences:
            raise TableMismatch(
                f"external table {upstream.location} (version {table.version}): {'; '.join(differences)}, as "
                f"{_who_relies(upstream.model, node, edge)}. Nothing was written. Change the model, or ask those who "
                "write the table."
            )


def _differences(model: type | None, found: Mapping[str, pl.DataType]) -> Iterator[str]:
    for column in () if model is None else declare(model).columns:
        if column.name in found and found[column.name] != column.dtype:
            yield f"column {column.name!r} is {found[column.name]}, expected {column.dtype}"
        elif column.name not in found and column.required:
            yield f"column {column.name!r} is missing, expected {column.dtype}"


def _who_relies(model: type | None, node: Node, edge: Edge) -> str:
    if model is not None:
        return f"model {model.__name__} of {edge.upstream} says"
    assert edge.argument.frame.model is not None, "something was compared"
    return f"{node.key} ({node.asset.where}) reads it by model {edge.argument.frame.model.__name__}"


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
