"""Peeking: the first rows of a table, at a cost that does not grow with the table."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.opening import open_latest
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.request import request
from deltaworks.engine.workspace.reading import open_asset
from deltaworks.errors import StorageError
from deltaworks.io.log import LiveFile
from deltaworks.io.scan import of_keys, scan_files
from deltaworks.io.store import Store
from deltaworks.io.table import Table

MOST_FILES = 100
"""How many data files are opened."""

MOST_FILE_BYTES = 64_000_000
"""How large these are together; one is opened however large it is."""


@dataclass(frozen=True, slots=True)
class Peek:
    """The first rows of a table, or of a partition."""

    df: pl.DataFrame
    total: int | None
    """How many rows there are; none: there are files that were not opened."""


def peek(graph: AssetGraph, store: Store, key: AssetKey, version: int | None, partition: str, rows: int) -> Peek:
    """Return the first rows of an asset's table, or of one of its partitions; which these are is not defined.

    Cost: the log after the index, or up to `version`; then a bounded number of files.

    Raises:
        UnknownPartition: it has no such partition.
        RequestError: it has no table yet.
        VersionGone: its table has no such version.
        StorageError: a data file is gone.
    """
    node = graph.node(str(key))
    keys: list[str] | None = None
    if partition:
        keys = [node.partitions.key(each) for each in request(graph, [key], [partition]).partitions[key]]
    table = open_latest(store, node.asset)
    if not table.exists or version not in (None, table.version):
        table = open_asset(store, node.asset, version)
    assert table.metadata is not None, "a table that exists has metadata"
    files, is_all = _first_files(table, keys)
    lf = scan_files(table.store, table.name, files, table.schema(), table.metadata.partition_columns, table.version)
    if table.names_keys and keys is not None:
        lf = of_keys(lf, keys)
    try:
        df, count = pl.collect_all([lf.head(rows), lf.select(pl.len())])
    except FileNotFoundError as error:
        raise StorageError(f"A data file is gone ({error}); `deltaworks doctor` names the repair.") from error
    return Peek(df, count.item() if is_all else None)


def _first_files(table: Table, keys: list[str] | None) -> tuple[list[LiveFile], bool]:
    """Return as many files as may be opened, and whether these are all."""
    found: list[LiveFile] = []
    size_bytes = 0
    for file in (file for _, file in table.live_files()) if keys is None else table.files(keys):
        size_bytes += file.size_bytes
        if found and (len(found) == MOST_FILES or size_bytes > MOST_FILE_BYTES):
            return found, False
        found.append(file)
    return found, True
