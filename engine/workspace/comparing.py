"""Comparing: two assets' tables, or two versions of one, as their names tell."""

from __future__ import annotations

from collections.abc import Sequence

from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.request import request
from deltaworks.engine.workspace.reading import open_asset
from deltaworks.engine.workspace.versions import split_version
from deltaworks.io.compare import Terms
from deltaworks.io.compare_tables import Side, compare_tables
from deltaworks.io.difference import Difference
from deltaworks.io.store import Store


def compare_assets(
    graph: AssetGraph, store: Store, a: str, b: str, terms: Terms, named: Sequence[str] = ()
) -> Difference:
    """Compare what `asset` or `asset@v12` name, or some partitions of it.

    Raises:
        UnknownAsset: there is no such asset.
        UnknownPartition: one of them has no such partition.
        RequestError: there is no table, or the key is none.
        VersionGone: a table has no such version.
        FilesGone: vacuum removed data files that a version needs.
    """
    return compare_tables(_side(graph, store, a, named), _side(graph, store, b, named), terms)


def _side(graph: AssetGraph, store: Store, text: str, named: Sequence[str]) -> Side:
    name, version = split_version(text)
    node = graph.node(name)
    keys = None
    if named:
        keys = [node.partitions.key(each) for each in request(graph, (node.key,), named).partitions[node.key]]
    return Side(open_asset(store, node.asset, version), str(node.key), keys)
