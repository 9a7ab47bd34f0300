"""Wipe: delete the content of partitions, or of a whole table, in one new commit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import polars as pl

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.execution.batch import discard
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.opening import open_latest, refuse_external
from deltaworks.engine.execution.repairs.repair import Keys, Repair, carry_out
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.errors import RequestError
from deltaworks.io.create import scheme_change, verify_writable
from deltaworks.io.dtypes import Json
from deltaworks.io.observation import kind_change, known, stage_observed
from deltaworks.io.parquet import Staging
from deltaworks.io.places import WHOLE
from deltaworks.io.record import Group, Kind
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.scan import KEY_COLUMN
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
    if table.names_keys:
        return _forget(node, table, asked, keys, begin_entry(command, now(), Kind.WIPE), now)
    parts = [StagedPartition(key, {}, 0, ()) for key in asked if table.has_content(key)]
    chosen = {part.key for part in parts}
    unchanged = tuple(key for key in asked if key not in chosen) if keys.are_given else ()

    change = kind_change if node.asset.kind is AssetKind.SOURCE else scheme_change

    def describe(changed: Table, left: Sequence[StagedPartition]) -> Json | None:
        wiped = {changed.places.of_key(part.key) for part in left}
        return None if _keeps_content(changed, wiped) else change(changed, node.scheme)

    if not parts and (keys.are_given or describe(table, parts) is None):
        return Repair(None, unchanged=unchanged)
    is_partitioned = bool(table.metadata and table.metadata.partition_columns)

    def groups_of(left: Sequence[StagedPartition]) -> Iterator[Group]:
        if left:
            yield Group(tuple(part.key for part in left) if is_partitioned else None, (0,) * len(left), source=None)

    entry = begin_entry(command, now(), Kind.WIPE)
    whole = None if keys.are_given else describe
    return replace(carry_out(table, node, parts, groups_of, entry, now, verify_writable, whole), unchanged=unchanged)


def _forget(
    node: Node, table: Table, asked: Sequence[str], keys: Keys, entry: RunEntry, now: Callable[[], dt.datetime]
) -> Repair:
    """Take partitions out of the one file that holds what was observed of all of them."""
    wiped = tuple(key for key in asked if key != WHOLE and table.has_content(key))
    unchanged = tuple(key for key in asked if key not in set(wiped)) if keys.are_given else ()
    if not wiped and (keys.are_given or kind_change(table, node.scheme) is None):
        return Repair(None, unchanged=unchanged)
    rows = known(table, table.schema()).filter(~pl.col(KEY_COLUMN).is_in(wiped))
    staged = stage_observed(rows, Staging(table.store, table.name, entry.run_id, 1))

    def describe(changed: Table, _: Sequence[StagedPartition]) -> Json | None:
        return None if keys.are_given else kind_change(changed, node.scheme)

    def groups_of(left: Sequence[StagedPartition]) -> Iterator[Group]:
        if left and wiped:
            yield Group(wiped, (0,) * len(wiped), source=None)
        if left and node.scheme is None:  # what has no partitions any more is one that is not there
            yield Group(None, (0,), source=None)

    done = carry_out(table, node, [staged], groups_of, entry, now, verify_writable, describe)
    if done.conflicts:
        discard(table, staged)
    return replace(done, changed=(), emptied=() if done.conflicts else wiped, unchanged=unchanged)


def _keeps_content(table: Table, wiped: set[str]) -> bool:
    return any(table.has_content(key) for key in table.partitions()["key"] if key not in wiped)
