"""Columns: which columns of a table its code makes otherwise than the code that made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.empty_call import rehearsed
from deltaworks.engine.planning.explain import Explanation
from deltaworks.engine.planning.fingerprint import changed_columns, fingerprints, is_rehearsable, partition_texts
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.io.log import recorded_in
from deltaworks.io.table import Table


def columns_changed(
    graph: AssetGraph, tables: Mapping[AssetKey, Table], explanations: Iterable[Explanation]
) -> Mapping[AssetKey, tuple[str, ...]]:
    """Return the columns that changed with the code, by asset, as far as plans tell, upstreams included.

    Cost: for each asset whose code changed one call on empty frames, and one commit of its table read.
    """
    found: dict[AssetKey, tuple[str, ...]] = {}
    waiting = list(explanations)
    while waiting:
        each = waiting.pop()
        waiting += each.upstream
        if each.code is None or each.asset in found:
            continue
        node, table = graph.nodes[each.asset], tables[each.asset]
        made = next(((made.versions[1], made.code) for made in each.made if made.code != each.code.version), None)
        before = None if made is None else _recorded(table, *made)
        now = None if before is None else _now(graph, node, tables)
        if before is not None and now is not None:
            found[each.asset] = changed_columns(before, now)
    return found


def _recorded(table: Table, version: int, code: str | None) -> Mapping[str, str] | None:
    """Return the fingerprints that a commit recorded for what it made with some code."""
    record = recorded_in(table.store, table.name, version, table.places)
    groups = () if record is None else record.groups
    return next((group.columns for group in groups if group.source == code and group.columns), None)


def _now(graph: AssetGraph, node: Node, tables: Mapping[AssetKey, Table]) -> Mapping[str, str] | None:
    if not is_rehearsable(node):
        return None
    schemas: dict[AssetKey, pl.Schema] = {}
    for edge in node.upstream:
        table = tables[edge.upstream]
        if table.exists:
            computed = graph.nodes[edge.upstream].computed_columns
            shown = ((name, dtype) for name, dtype in table.schema().items() if name not in computed)
            schemas[edge.upstream] = pl.Schema(shown)
    lf = rehearsed(node, schemas)
    return None if lf is None else fingerprints(lf, partition_texts(node, 0, 0))
