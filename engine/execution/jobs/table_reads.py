"""TableReads: the tables that ops of a job read, each at one version for the whole run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import polars as pl

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.ops.sources import Path
from deltaworks.engine.execution.opening import open_latest, open_version
from deltaworks.engine.execution.viewing import view_rows
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.step_graph import StepNode
from deltaworks.errors import RequestError
from deltaworks.io.scan import refuse_removed_files, scan_table
from deltaworks.io.store import Store
from deltaworks.io.table import Table

Read: TypeAlias = Callable[[], pl.LazyFrame]


@dataclass(frozen=True, slots=True)
class TableReads:
    """What ops read of tables."""

    reads: Mapping[Path, Mapping[str, Read]]
    """By op and input."""
    versions: Mapping[str, int]
    """By asset: the version that is read."""


def pin_tables(
    nodes: Iterable[StepNode],
    definitions: Definitions,
    graph: AssetGraph,
    store: Store,
    *,
    partition: str | None,
    versions: Mapping[str, int],
    environ: Mapping[str, str],
) -> TableReads:
    """Look up all tables that ops read, before any of them runs; views are computed when they are read.

    An op of a job that runs for a partition reads that partition of a table which has one of the same key, and all of
    other tables.

    Args:
        nodes: the ops.
        definitions: the resources of views.
        graph: all assets.
        store: the lake.
        partition: the key that the job runs for.
        versions: which version is to be read, where an earlier run has read one.
        environ: where resources of views find their `EnvVar`s.

    Raises:
        RequestError: there is no such table yet.
        VersionGone: it has no such version any more.
        FilesGone: vacuum removed data files that the version needs.
    """
    tables: dict[AssetKey, Table] = {}
    reads: dict[Path, dict[str, Read]] = {}
    for node in nodes:
        for port in node.op.signature.inputs:
            if port.asset is None:
                continue
            read = graph.node(str(port.asset))
            keys = _keys(read, partition)
            if read.asset.kind is AssetKind.VIEW:
                ordinals = range(read.partitions.size) if keys is None else _ordinals(read, keys)
                call: Read = partial(view_rows, definitions, graph, store, read, ordinals, environ)
            else:
                if read.key not in tables:
                    tables[read.key] = _opened(store, read, versions.get(str(read.key)))
                call = partial(scan_table, tables[read.key], keys)
            reads.setdefault(node.path, {})[port.name] = call
    return TableReads(reads, {str(key): table.version for key, table in tables.items()})


def _opened(store: Store, node: Node, version: int | None) -> Table:
    if version is None:
        table = open_latest(store, node.asset)
    else:
        table = open_version(store, node.asset, version)
        refuse_removed_files(table, None, "start the job anew to read the latest version")
    if not table.exists:
        raise RequestError(f"There is no table {node.key} in lake {store.uri('')} yet; `deltaworks backfill` makes it.")
    return table


def _keys(node: Node, partition: str | None) -> list[str] | None:
    if partition is None or not node.is_partitioned or node.partitions.ordinal(partition) is None:
        return None
    return [partition]


def _ordinals(node: Node, keys: list[str]) -> list[int]:
    found = (node.partitions.ordinal(key) for key in keys)
    return [ordinal for ordinal in found if ordinal is not None]
