"""Reading: a table's rows as a lazy frame, at any version that is still there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from deltaworks.engine.definitions.asset import Asset, AssetKind
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.opening import open_version
from deltaworks.engine.execution.viewing import view_rows
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.request import known_keys, request
from deltaworks.errors import RequestError
from deltaworks.io.rejects import current_rejects, scan_rejects
from deltaworks.io.scan import refuse_removed_files, scan_table
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from deltaworks.validation import REJECTED_BY


def read_asset(
    graph: AssetGraph,
    store: Store,
    name: str | AssetKey,
    *,
    version: int | None = None,
    partitions: Sequence[str] | None = None,
) -> pl.LazyFrame:
    """Return the rows of an asset's table, or of some of its partitions.

    Columns: those of the table's schema, partition columns included. Row order is not defined.

    Raises:
        UnknownAsset: there is no such asset.
        UnknownPartition: it has no such partition.
        RequestError: it has no table yet.
        VersionGone: its table has no such version.
        FilesGone: vacuum removed data files that the version needs.
    """
    node = graph.node(str(name))
    if partitions is not None:
        asked = request(graph, [node.key], partitions).partitions[node.key]
        partitions = [node.partitions.key(ordinal) for ordinal in asked]
    return rows_of(open_asset(store, node.asset, version), version=version, partitions=partitions)


def read_view(
    definitions: Definitions,
    graph: AssetGraph,
    store: Store,
    view: Node,
    *,
    version: int | None = None,
    partitions: Sequence[str] | None = None,
    environ: Mapping[str, str],
) -> pl.LazyFrame:
    """Return the rows of a view, or of some of its partitions, computed from the latest versions of its tables.

    Raises:
        UnknownPartition: it has no such partition.
        RequestError: a version is asked for, it has no partitions, or there is no table that it is made from.
        RunError: the function of a view raised, or did not return a frame.
        ValidationFailed: the columns of a view are not those that its model declares.
    """
    if version is not None:
        raise RequestError(f"{view.key} is a view: it is computed when it is read, so it has no version {version}.")
    ordinals: Sequence[int] = range(view.partitions.size)
    if partitions is not None:
        if not view.partitions.dimensions:
            raise RequestError(f"View {view.key} has no partitions: leave out the partition keys.")
        keys = known_keys(view.key, view.partitions, partitions)
        ordinals = view.partitions.ordinals(pl.Series(keys, dtype=pl.String)).to_list()
    return view_rows(definitions, graph, store, view, ordinals, environ)


def read_table(
    store: Store, folder: str, *, version: int | None = None, partitions: Sequence[str] | None = None
) -> pl.LazyFrame:
    """Return the rows of the table in a folder of the lake, or of some of its partitions.

    Raises:
        RequestError: there is no table.
        VersionGone: it has no such version.
        FilesGone: vacuum removed data files that the version needs.
    """
    return rows_of(open_table(store, folder, version), version=version, partitions=partitions)


def rows_of(table: Table, *, version: int | None = None, partitions: Sequence[str] | None = None) -> pl.LazyFrame:
    """Return the rows of a table that was read for them, or of some of its partitions.

    Raises:
        FilesGone: vacuum removed data files that the version needs.
    """
    if version is not None:
        refuse_removed_files(table, partitions, "`deltaworks history` tells which versions came after it")
    return scan_table(table, partitions)


def read_rejects(
    graph: AssetGraph,
    store: Store,
    name: str | AssetKey,
    *,
    version: int | None = None,
    partitions: Sequence[str] | None = None,
) -> pl.LazyFrame:
    """Return the rows that rules left out of an asset's present partitions, or of those at a version.

    Columns: those of the table when they were left out, and `_rejected_by`, the names of the rules that a row breaks.

    Raises:
        UnknownAsset: there is no such asset.
        UnknownPartition: it has no such partition.
        RequestError: it has no table yet.
        VersionGone: its table has no such version.
    """
    node = graph.node(str(name))
    if partitions is not None:
        asked = request(graph, [node.key], partitions).partitions[node.key]
        partitions = [node.partitions.key(ordinal) for ordinal in asked]
    table = open_asset(store, node.asset, version)
    rejected = sorted(current_rejects(table, partitions), key=lambda each: each.key)
    files = [scan_rejects(store, each.file) for each in rejected]
    if not files:
        return pl.LazyFrame(schema={**table.schema(), REJECTED_BY: pl.List(pl.String)})
    return pl.concat(files, how="diagonal_relaxed")


def open_asset(store: Store, asset: Asset[..., Any], version: int | None = None) -> Table:
    """Read the log of an asset's table.

    Raises:
        RequestError: there is no table.
        VersionGone: it has no such version.
    """
    if asset.kind is not AssetKind.EXTERNAL:
        return open_table(store, asset.table_name, version)
    table = open_version(store, asset, version)
    if not table.exists:
        raise RequestError(f"There is no Delta table at {asset.location} yet; others write it.")
    return table


def open_table(store: Store, folder: str, version: int | None = None) -> Table:
    """Read the log of the table in a folder of the lake.

    Raises:
        RequestError: there is no table.
        VersionGone: it has no such version.
    """
    table = Table.read(store, folder, version)
    if not table.exists:
        raise RequestError(f"There is no table {folder!r} in lake {store.uri('')} yet; `deltaworks backfill` makes it.")
    return table
