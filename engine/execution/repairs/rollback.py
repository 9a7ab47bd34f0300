"""Rollback: give partitions of a table the content that they had at an earlier version, in one new commit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.migration import addable
from deltaworks.engine.execution.opening import open_latest, refuse_external
from deltaworks.engine.execution.repairs.repair import Keys, Repair, carry_out
from deltaworks.engine.execution.repairs.upkeep import CLAIM
from deltaworks.engine.execution.table_scope import TableScope
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.errors import RequestError, VersionGone
from deltaworks.io.claim import claimed
from deltaworks.io.create import verify_writable
from deltaworks.io.dtypes import Json
from deltaworks.io.record import Kind
from deltaworks.io.restore import RestoredPartition, find_restored, refuse_other_columns, restored_groups
from deltaworks.io.scan import refuse_removed_files
from deltaworks.io.store import Store
from deltaworks.io.table import Table


def roll_back(
    graph: AssetGraph,
    node: Node,
    store: Store,
    version: int,
    keys: Keys,
    *,
    command: str,
    now: Callable[[], dt.datetime],
) -> Repair:
    """Make some partitions what they were at a version; those that were not there then are emptied.

    Their status is external from then on: somebody chose this content, so no backfill makes it again. The record keeps
    the code and the inputs of the change that had made it. Their rules were judged when it was made; those that are
    judged over the whole table are judged again, and partitions that do not go together with what it holds now are
    left as they are.

    Args:
        graph: the assets.
        node: the asset.
        store: the lake.
        version: the earlier version.
        keys: which partitions; none: every one that the table has or had.
        command: what started this, for the ledger.
        now: the clock.

    Raises:
        RequestError: there is no table, others write it, it is a source's, or a key is none of its partitions.
        VersionGone: the table has no such version.
        FilesGone: vacuum removed data files that are needed; nothing was written.
        TableMismatch: the table's columns have changed since, or it cannot be written by this engine.
        ClaimHeld: somebody is deleting files, or bringing others back.
        StorageError: the lake cannot be written.
    """
    if graph.is_source(node.key):
        raise RequestError(
            f"{node.key} is observed, so it is what it is now; what was there at version {version} cannot be brought "
            f"back here. `deltaworks history {node.key}` shows what was observed."
        )
    refuse_external(node.asset, "rolled back")
    table = open_latest(store, node.asset)
    if not table.exists:
        raise RequestError(
            f"There is no table {table.name!r} in lake {store.uri('')} yet, so there is nothing to undo."
        )
    if version > table.version:
        raise VersionGone(table.name, version, table.version)
    with claimed(store, CLAIM, f"deltaworks rollback {node.key}"):
        table.tail()
        return _roll_back(graph, node, table, Table.read(store, table.name, version), keys, command, now)


def _roll_back(
    graph: AssetGraph,
    node: Node,
    table: Table,
    then: Table,
    keys: Keys,
    command: str,
    now: Callable[[], dt.datetime],
) -> Repair:
    asked = keys.resolve(graph, node, table, then)
    _verify(node, then, table)
    parts = find_restored(table, then, asked)
    chosen = {part.key for part in parts}
    unchanged = tuple(key for key in asked if key not in chosen)
    if not parts:
        return Repair(None, unchanged=unchanged)
    way_out = "nothing was written; roll back to a later version, or only other partitions by --partition"
    refuse_removed_files(then, chosen, way_out)
    entry = begin_entry(command, now(), Kind.ROLLBACK)
    is_partitioned = bool(table.metadata and table.metadata.partition_columns)
    scope = TableScope(node, table.schema())

    def checks_of(parts: Sequence[RestoredPartition]) -> Mapping[str, Json]:
        found = [(part.key, result) for part in parts for result in scope.warned.get(part.key, ())]
        return {"not_passed": [{**result.to_json(), "partition": key or None} for key, result in found]}

    done = carry_out(
        table,
        node,
        parts,
        partial(restored_groups, is_partitioned=is_partitioned),
        entry,
        now,
        partial(_verify, node, then),
        checks_of=checks_of,
        scope=scope,
    )
    return replace(done, unchanged=unchanged)


def _verify(node: Node, then: Table, table: Table) -> None:
    refuse_other_columns(table, then, addable(node, table.schema()))
    verify_writable(table)
