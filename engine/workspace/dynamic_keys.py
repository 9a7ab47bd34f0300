"""Dynamic keys: which keys the dynamic partitions of a project have in a lake now."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import polars as pl

from deltaworks.engine.definitions.asset import Asset, AssetKind
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.partitions.key_partitions import DynamicPartitions
from deltaworks.engine.definitions.partitions.partition_columns import PartitionColumn
from deltaworks.engine.definitions.partitions.resolution import DynamicKeys, dynamic_dimensions
from deltaworks.engine.execution.opening import open_latest
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.errors import StorageError
from deltaworks.io.partition_keys import key_problem, read_keys
from deltaworks.io.partition_values import NULL_KEY, split_key
from deltaworks.io.store import Store
from deltaworks.io.table_state import Origin
from deltaworks.validation import declare

_log = logging.getLogger("deltaworks")


def read_dynamic_keys(definitions: Definitions, store: Store) -> DynamicKeys:
    """Read the keys of all dynamic partitions; of an absent lake there are none.

    Raises:
        StorageError: what the lake holds of them is damaged; a table of others that is holds nothing up.
    """
    assets = {asset.key: asset for asset in definitions.assets}
    keys: dict[DynamicPartitions, tuple[str, ...]] = {}
    for partitioned in (*definitions.assets, *definitions.jobs.values()):
        for dynamic in dynamic_dimensions(partitioned.partitions):
            if dynamic in keys:
                continue
            if dynamic.name is not None:
                keys[dynamic] = read_keys(store, dynamic.name)
            elif dynamic.upstream in assets:  # else the graph refuses it
                keys[dynamic] = _followed(definitions, store, assets[dynamic.upstream], dynamic)
    return keys


def key_refusal(graph: AssetGraph, dynamic: DynamicPartitions, keys: Sequence[str]) -> str | None:
    """Say which key no column of its dtype can have, in any of the assets that share the keys."""
    for node in graph.nodes.values():
        if node.asset.kind is AssetKind.SOURCE:
            continue  # its keys are texts
        for column, dimension in zip(node.asset.partition_columns, node.partitions.dimensions, strict=True):
            if not isinstance(dimension, DynamicPartitions) or dimension.without_keys() != dynamic:
                continue
            dtype = _dtype(node.asset, column)
            problem = None if dtype is None else dimension.with_keys(keys).column_problem(dtype)
            if problem:
                return f"Partition column {column.name!r} of asset {str(node.key)!r} {problem}. Nothing was added."
    return None


def _dtype(asset: Asset[..., Any], column: PartitionColumn) -> pl.DataType | None:
    """Return the dtype of a partition column; none: only the function's result tells it."""
    if asset.model is None:
        return None
    return column.dtype({each.name: each.dtype for each in declare(asset.model).columns})


def _followed(
    definitions: Definitions, store: Store, upstream: Asset[..., Any], dynamic: DynamicPartitions
) -> tuple[str, ...]:
    """Return the values of the column that is followed; of what cannot be read, those for which anything was made."""
    try:
        return _values(store, upstream, dynamic.column)
    except StorageError:
        if upstream.kind is not AssetKind.EXTERNAL:
            raise
    # What is wrong with a table of others is told by whatever reads the lake; nothing is made by these keys meanwhile.
    made = {
        key
        for asset in definitions.assets
        if asset.kind.is_made
        for column, dimension in zip(asset.partition_columns, asset.partitions.dimensions, strict=True)
        if dimension == dynamic
        for key in _values(store, asset, column.name)
    }
    return tuple(sorted(made))


def _values(store: Store, upstream: Asset[..., Any], column: str | None) -> tuple[str, ...]:
    """Return the values that a partition column has in the partitions of a table; null is no key."""
    table = open_latest(store, upstream)
    columns = () if table.metadata is None else table.metadata.partition_columns
    if column not in columns:
        return ()
    keys: list[str] = table.partitions().filter(pl.col("origin") != int(Origin.GONE))["key"].to_list()
    place = columns.index(column)
    values = set(keys) if len(columns) == 1 else {split_key(key)[place] for key in keys}
    odd = {value: problem for value in values - {NULL_KEY} if (problem := key_problem(value))}
    for problem in odd.values():
        _log.warning("table %s, column %s: %s; it is left out", table.store.uri(table.name), column, problem)
    return tuple(sorted(values - {NULL_KEY} - odd.keys()))
