"""Wipe: delete the content of partitions, or of a whole table, in one new commit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.opening import open_latest, refuse_external
from deltaworks.engine.execution.repair import Keys, Repair, carry_out
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.errors import RequestError
from deltaworks.io.create import scheme_change, verify_writable
from deltaworks.io.dtypes import Json
from deltaworks.io.record import Group, Kind
from deltaworks.io.staged import StagedPartition
from deltaworks.io.store import Store
from deltaworks.io.table import Table


def wipe(
    graph: AssetGraph, node: Node, store: Store, keys: Keys, *, command: str, now: Callable[[], dt.datetime]
) -> Repair:
    """Delete the content of some partitions; a rollback brings it back until vacuum removes the files.

    A table of which everything is wiped takes the kind of partitions that its asset has now: with no content, no key of
    it means anything that it should not.

    Args:
        graph: the assets.
        node: the asset.
        store: the lake.
        keys: which partitions; none: the whole table, with what lies beyond the definition.
        command: what started this, for the ledger.
        now: the clock.

    Raises:
        RequestError: there is no table, others write it, or a key is none of its partitions.
        TableMismatch: the table cannot be written by this engine, or keys of its kind of partitions are named.
        StorageError: the lake cannot be written.
    """
    refuse_external(node.asset, "wiped")
    table = open_latest(store, node.asset)
    if not table.exists:
        raise RequestError(
            f"There is no table {table.name!r} in lake {store.uri('')} yet, so there is nothing to wipe."
        )
    asked = keys.resolve(graph, node, table)
    verify_writable(table)
    parts = [StagedPartition(key, {}, 0, ()) for key in asked if table.has_content(key)]
    chosen = {part.key for part in parts}
    unchanged = tuple(key for key in asked if key not in chosen) if keys.are_given else ()

    def describe(changed: Table, left: Sequence[StagedPartition]) -> Json | None:
        wiped = {changed.places.of_key(part.key) for part in left}
        return None if _keeps_content(changed, wiped) else scheme_change(changed, node.scheme)

    if not parts and (keys.are_given or describe(table, parts) is None):
        return Repair(None, unchanged=unchanged)
    is_partitioned = bool(table.metadata and table.metadata.partition_columns)

    def groups_of(left: Sequence[StagedPartition]) -> Iterator[Group]:
        if left:
            yield Group(tuple(part.key for part in left) if is_partitioned else None, (0,) * len(left), source=None)

    entry = begin_entry(command, now(), Kind.WIPE)
    whole = None if keys.are_given else describe
    return replace(carry_out(table, node, parts, groups_of, entry, now, verify_writable, whole), unchanged=unchanged)


def _keeps_content(table: Table, wiped: set[str]) -> bool:
    return any(table.has_content(key) for key in table.partitions()["key"] if key not in wiped)
