"""Checkpoint: a summary of a table's log, so that other readers need not read every commit.

delta-rs writes it. It is made outside the commit path, when enough log has gathered since the last one.
"""

from __future__ import annotations

from deltalake import DeltaTable

from deltaworks.io.log import last_checkpoint
from deltaworks.io.table import Table

DUE_BYTES = 1024 * 1024
"""Readers replay about this much JSON at most; a tenth of a second for delta-rs."""


def checkpoint_if_due(table: Table) -> bool:
    """Write a checkpoint if the commits since the last one hold enough bytes; return whether it did."""
    last = last_checkpoint(table.store, table.name)
    since = sum(writer.size_bytes for version, writer in table.writers.items() if version > last)
    if since < DUE_BYTES:
        return False
    DeltaTable(table.store.uri(table.name)).create_checkpoint()
    return True
