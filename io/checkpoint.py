"""Checkpoint: a summary of a table's log, so that other readers need not read every commit.

delta-rs writes it. It is made outside the commit path, when enough log has gathered since the last one.
"""

from __future__ import annotations

from deltalake import DeltaTable

from deltaworks.errors import StorageError
from deltaworks.io.log import commit_path, last_checkpoint
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
    try:
        DeltaTable(table.store.uri(table.name)).create_checkpoint()
    except Exception as error:  # delta-rs raises bare ones too
        reason = " ".join(str(error).split())
        raise StorageError(f"cannot write a checkpoint of {table.store.uri(table.name)}: {reason}") from error
    return True


def checkpoint_is_due(table: Table) -> bool:
    """Return whether the commits since the last checkpoint hold enough bytes for a new one.

    A table whose properties let old commits be deleted gets none: delta-rs deletes them, and the records in them, when
    it has written a checkpoint.
    """
    versions = range(last_checkpoint(table.store, table.name) + 1, table.version + 1)
    since = sum(table.store.size_bytes(commit_path(table.name, version)) or 0 for version in versions)
    return since >= DUE_BYTES and _keeps_commits(table)


def _keeps_commits(table: Table) -> bool:
    if table.metadata is None:
        return False
    return table.metadata.configuration.get("delta.enableExpiredLogCleanup", "true").lower() == "false"
