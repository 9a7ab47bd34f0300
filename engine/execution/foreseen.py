"""Foreseen: the columns that functions will return where no model says so, found out before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.migration import is_open
from deltaworks.engine.planning.empty_call import declared_schema, rehearsed
from deltaworks.engine.planning.fingerprint import is_rehearsable
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.errors import TableMismatch
from deltaworks.io.table import Table


def foreseen(
    graph: AssetGraph, tables: Mapping[AssetKey, Table], keys: Iterable[AssetKey]
) -> Mapping[AssetKey, pl.Schema]:
    """Return the columns that some assets will make, given upstreams first, as far as that is certain.

    It is where a function takes nothing but lazy frames and computes none of them: its columns hang on theirs alone.
    Cost: a call on empty frames for each asset whose table has columns that no model speaks for.

    Raises:
        TableMismatch: a table cannot be read here.
    """
    found: dict[AssetKey, pl.Schema] = {}
    for key in keys:
        node, table = graph.nodes[key], tables[key]
        if not table.exists or not is_open(node, table) or not _is_certain(node):
            continue
        offered = {edge.upstream: _offered(graph, tables, edge.upstream, found) for edge in node.upstream}
        schemas = {upstream: schema for upstream, schema in offered.items() if schema is not None}
        lf = rehearsed(node, schemas, lazily=True)
        schema = None if lf is None else _schema(lf)
        if schema is not None:
            there = table.schema()
            computed = {name: there[name] for name in node.computed_columns if name in there}
            found[key] = pl.Schema({**schema, **computed})
    return found


def _is_certain(node: Node) -> bool:
    """Tell whether every call of a function returns the same columns."""
    return is_rehearsable(node) and all(each.asset.signature.partition is None for each in (node, *node.views.values()))


def _offered(
    graph: AssetGraph, tables: Mapping[AssetKey, Table], key: AssetKey, found: Mapping[AssetKey, pl.Schema]
) -> pl.Schema | None:
    """Return the columns that readers of an asset will get; none: nobody knows them."""
    node = graph.nodes[key]
    there = _there(tables[key])
    columns = there | dict(declared_schema(node) or {}) if key not in found else dict(found[key])
    shown = {name: dtype for name, dtype in columns.items() if name not in node.computed_columns}
    return pl.Schema(shown) if shown else None


def _there(table: Table) -> dict[str, pl.DataType]:
    try:
        return dict(table.schema()) if table.exists else {}
    except TableMismatch:
        return {}  # the run tells who reads it


def _schema(lf: pl.LazyFrame) -> pl.Schema | None:
    try:
        return lf.collect_schema()
    except pl.exceptions.PolarsError:
        return None  # the run tells what is wrong with it
