"""Fit: whether tables that are there take what their assets make and give what their readers rely on.

As far as that is known before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.migration import find_migration, is_cut_alike
from deltaworks.engine.planning.check_nodes import readers_of
from deltaworks.engine.planning.graph import AssetGraph, Edge, Node
from deltaworks.errors import TableMismatch
from deltaworks.io.create import verify_partitions, verify_writable
from deltaworks.io.table import Table
from deltaworks.validation import declare


def verify_fit(node: Node, table: Table) -> None:
    """Compare a table with what its asset declares; a commit may add to it what it lacks.

    Raises:
        TableMismatch: it needs a migration first, or it asks of its writers what this engine does not do.
    """
    if not table.exists:
        return
    verify_form(node, table)
    migration = find_migration(node, table)
    if migration is not None:
        raise migration.refusal
    verify_writable(table)


def verify_form(node: Node, table: Table) -> None:
    """Make sure that keys of an asset's partitions mean the same to its table, or will, once other columns cut it.

    Raises:
        TableMismatch: its partitions are of another kind.
    """
    if table.exists and not is_cut_alike(node, table):
        verify_partitions(table, node.partition_columns, node.scheme)


def misfit(graph: AssetGraph, node: Node, tables: Mapping[AssetKey, Table]) -> str | None:
    """Return why an asset or a check of it cannot rely on the tables of others that it reads; none: it can."""
    try:
        for reader in readers_of(node):
            verify_upstreams(graph, reader, tables)
    except TableMismatch as error:
        return str(error)
    return None


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
                f"{_who_relies(upstream.model, node, edge)}. Nothing is made from it. Change the model, or ask those "
                "who write the table."
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
