"""Model source: the columns of an asset as the source of a pandera model, to begin a contract with."""

from __future__ import annotations

import polars as pl

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.execution.opening import open_version
from deltaworks.engine.planning import contracts
from deltaworks.engine.planning.empty_call import declared_schema
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.errors import RequestError, UnknownAsset
from deltaworks.io.store import Store
from deltaworks.validation import declare
from deltaworks.validation import model_source as written


def model_source(graph: AssetGraph, store: Store, name: str) -> str:
    """Return the source of a model of an asset's rows.

    Its columns are those that the function returns on empty frames; else those of the table, if there is one; else
    those that its model has already. All may be null but those that it is partitioned by, or that its model says
    never are.

    Raises:
        UnknownAsset: there is no such asset.
        RequestError: nothing says its columns, or pandera cannot declare one.
        StorageError: its table cannot be read.
    """
    node = next((node for key, node in graph.every.items() if str(key) == name), None)
    if node is None:
        raise UnknownAsset(name, map(str, graph.every))
    declared = () if node.asset.model is None else declare(node.asset.model).columns
    never_null = {*node.partition_columns, *(column.name for column in declared if not column.nullable)}
    try:
        return written(name, _schema(graph, node, store), never_null)
    except ValueError as error:
        raise RequestError(f"{name}: {error}; give it another dtype.") from error


def _schema(graph: AssetGraph, node: Node, store: Store) -> pl.Schema:
    findings = contracts.check_contracts(graph)
    if node.key in findings.results:
        return findings.results[node.key]
    if node.asset.kind is not AssetKind.VIEW:
        table = open_version(store, node.asset)
        if table.exists:
            computed = node.computed_columns
            return pl.Schema({column: dtype for column, dtype in table.schema().items() if column not in computed})
    declared = declared_schema(node)
    if declared is None:
        left = findings.left.get(node.key)
        cause = f"its function {left}" if left else "its function cannot be rehearsed"
        raise RequestError(
            f"The columns of {node.key} are not known: {cause}, and it has no table yet. Make it, then ask again."
        )
    return declared
