"""Upkeep: keep the folders of tables small and quick to read, without changing what any table says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.planning.graph import Node
from deltaworks.errors import StorageError
from deltaworks.io.checkpoint import checkpoint_if_due, checkpoint_is_due
from deltaworks.io.claim import claimed
from deltaworks.io.index import load_table
from deltaworks.io.ledger import read_runs
from deltaworks.io.store import Store, StoredFile, is_temporary
from deltaworks.io.sweep import ENGINE_FOLDER, Runs, find_candidates, leftovers

CLAIM = "maintain"
"""Held by whoever deletes files or brings deleted ones back."""


@dataclass(frozen=True, slots=True)
class TableUpkeep:
    """What was done, or would be, for one table."""

    node: Node | None
    """None: the engine's own folder."""
    removed: tuple[StoredFile, ...] = ()
    checkpoint: bool = False
    """Whether a checkpoint was due."""
    problem: str | None = None
    """Why nothing, or not all of it, could be done."""


@dataclass(frozen=True, slots=True)
class UpkeepReport:
    """What was done in a lake, or would be."""

    tables: tuple[TableUpkeep, ...]
    taken_over_from: str | None = None
    """Who died while doing the same and left the claim behind."""


def maintain(store: Store, nodes: Sequence[Node], older_than: dt.timedelta) -> UpkeepReport:
    """Delete the leftovers of some assets' tables and write the checkpoints that are due.

    Args:
        store: the lake.
        nodes: the assets.
        older_than: the age of leftovers; a run must commit what it staged within that time, or stage it again.

    Raises:
        ClaimHeld: somebody else is at it.
        StorageError: the lake cannot be written, or an entry of the ledger cannot be read.
    """
    if not store.exists(""):
        return UpkeepReport(tuple(TableUpkeep(node) for node in nodes))
    with claimed(store, CLAIM, "deltaworks maintain") as claim:
        found = _find(store, nodes, older_than, claim.claimed_at)
        return UpkeepReport(tuple(_tidied(store, each) for each in found), claim.taken_over_from)


def find_upkeep(store: Store, nodes: Sequence[Node], older_than: dt.timedelta, now: dt.datetime) -> UpkeepReport:
    """Return what `maintain` would do if the store's clock said `now`; nothing is written.

    Raises:
        StorageError: the lake or an entry of its ledger cannot be read.
    """
    return UpkeepReport(tuple(_find(store, nodes, older_than, now)))


def _find(store: Store, nodes: Sequence[Node], older_than: dt.timedelta, now: dt.datetime) -> list[TableUpkeep]:
    nodes = [node for node in nodes if node.asset.kind is not AssetKind.EXTERNAL]  # those who write them keep them
    # Files first, then the ledger, then the logs: whatever is committed meanwhile is seen in time.
    before = now - older_than
    candidates = [find_candidates(store, node.asset.table_name, before) for node in nodes]
    own = [file for file in store.files(ENGINE_FOLDER) if file.modified_at < before and is_temporary(file.name)]
    runs = Runs.of(read_runs(store), now)
    found = [_find_one(store, node, files, runs) for node, files in zip(nodes, candidates, strict=True)]
    return [*found, TableUpkeep(None, tuple(own))] if own else found


def _find_one(store: Store, node: Node, candidates: Sequence[StoredFile], runs: Runs) -> TableUpkeep:
    try:
        table = load_table(store, node.asset.table_name)
        return TableUpkeep(node, tuple(leftovers(store, table.name, candidates, runs)), checkpoint_is_due(table))
    except StorageError as error:
        return TableUpkeep(node, problem=str(error))


def _tidied(store: Store, found: TableUpkeep) -> TableUpkeep:
    """Do what was found to be due."""
    deleted: list[StoredFile] = []
    try:
        for file in found.removed:
            store.delete(file.path)
            deleted.append(file)
        if found.node is not None and found.checkpoint:
            checkpoint_if_due(load_table(store, found.node.asset.table_name))
    except StorageError as error:
        return TableUpkeep(found.node, tuple(deleted), problem=str(error))
    return found
