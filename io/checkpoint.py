"""Checkpoint: a summary of a table's log, so that other readers need not read every commit.

delta-rs writes it. It is made outside the commit path, when enough log has gathered since the last one.
"""

from __future__ import annotations

import json

import polars as pl
from deltalake import DeltaTable

from deltaworks.errors import StorageError, TableMismatch
from deltaworks.io.dtypes import Json, from_delta_schema
from deltaworks.io.failpoints import Step, hit
from deltaworks.io.log import commit_path, last_checkpoint
from deltaworks.io.stores.reason import reason
from deltaworks.io.table import Table

DUE_BYTES = 1024 * 1024
"""Readers replay about this much JSON at most; a tenth of a second for delta-rs."""


def checkpoint_if_due(table: Table) -> bool:
    """Write a checkpoint if one is due; return whether it did.

    Raises:
        StorageError: it cannot be written; no table's content depends on it.
    """
    if not checkpoint_is_due(table):
        return False
    hit(Step.CHECKPOINT)
    try:
        DeltaTable(table.store.uri(table.name), storage_options=table.store.delta_options).create_checkpoint()
    except Exception as error:  # delta-rs raises bare ones too
        raise StorageError(f"cannot write a checkpoint of {table.store.uri(table.name)}: {reason(error)}") from error
    hit(Step.CHECKPOINTED)
    return True


def checkpoint_is_due(table: Table) -> bool:
    """Return whether there is enough since the last checkpoint for a new one: bytes of commits, or other columns.

    Some readers refuse a log whose commits name different columns; of a checkpoint they read only the last ones.
    A table whose properties let old commits be deleted gets none: delta-rs deletes them, and the records in them, when
    it has written a checkpoint.
    """
    before = last_checkpoint(table.store, table.name)
    versions = range(before + 1, table.version + 1)
    if not versions or not _keeps_commits(table):
        return False
    return _commit_bytes(table, versions) >= DUE_BYTES or _has_other_columns(table, before)


def _commit_bytes(table: Table, versions: range) -> int:
    """Return how large commits are together; in an object store one listing tells it of all."""
    store, paths = table.store, [commit_path(table.name, version) for version in versions]
    if store.is_local:
        return sum(store.size_bytes(path) or 0 for path in paths)
    folder, _, first = paths[0].rpartition("/")
    asked = set(paths)
    return sum(file.size_bytes for file in store.files_from(folder, first) if file.path in asked)


def _has_other_columns(table: Table, checkpoint: int) -> bool:
    """Return whether the columns are not those of the last checkpoint, or where there is none of the first commit.

    Cost: one column of the checkpoint, or the first commit, is read.
    """
    before = _first_schema(table) if checkpoint < 0 else _checkpoint_schema(table, checkpoint)
    try:
        return before is not None and from_delta_schema(before) != table.schema()
    except (ValueError, TableMismatch):
        return False  # columns that cannot be read here were not changed here


def _first_schema(table: Table) -> str | None:
    content = table.store.read(commit_path(table.name, 0)) or b""
    actions: list[Json] = [json.loads(line) for line in content.splitlines() if b'"metaData"' in line]
    return next((action["metaData"]["schemaString"] for action in actions if "metaData" in action), None)


def _checkpoint_schema(table: Table, version: int) -> str | None:
    """Return the columns that a checkpoint names; none: it is in several files, as others write some, or damaged."""
    path = f"{table.name}/_delta_log/{version:020d}.checkpoint.parquet"
    lf = pl.scan_parquet(table.store.uri(path), storage_options=table.store.polars_options)
    try:
        found = lf.select(pl.col("metaData").struct.field("schemaString").drop_nulls()).collect()
    except (OSError, pl.exceptions.PolarsError):
        return None
    schema: str | None = found.item() if found.height == 1 else None
    return schema


def _keeps_commits(table: Table) -> bool:
    if table.metadata is None:
        return False
    return table.metadata.configuration.get("delta.enableExpiredLogCleanup", "true").lower() == "false"
