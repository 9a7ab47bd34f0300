"""Diagnosis: what is wrong with the lake of a project, table by table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.lost_pins import find_lost_pins
from deltaworks.engine.execution.migration import find_migration
from deltaworks.engine.execution.opening import external_of, open_latest
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.errors import StorageError, TableMismatch
from deltaworks.io.damage import Inspection, data_damage, inspect
from deltaworks.io.diagnose import (
    Problem,
    Subject,
    claim_problems,
    ledger_problems,
    log_problems,
    lost_pin,
    own_problems,
    table_problems,
)
from deltaworks.io.index import drop_index, save_index
from deltaworks.io.ledger import read_runs
from deltaworks.io.memory import memory_problem
from deltaworks.io.places import WHOLE
from deltaworks.io.store import Store
from deltaworks.io.sweep import Runs
from deltaworks.io.table import Table
from deltaworks.io.together import together


def diagnose(graph: AssetGraph, store: Store, now: dt.datetime) -> Iterator[Problem]:
    """Yield everything that is wrong with a lake, upstream tables first; nothing is written.

    Cost: reads every commit and checkpoint, and looks for every live data file.
    """
    yield from ledger_problems(store)
    yield from claim_problems(store, now)
    yield from own_problems(store, now)
    runs = _runs(store, now)
    inspections: dict[AssetKey, Inspection] = {}
    for key, found in zip(graph.nodes, together(store, partial(_look, store), graph.nodes.values()), strict=True):
        if isinstance(found, Inspection):
            inspections[key] = found
        else:
            yield from found
    read_at = _read_at(inspections)

    def look_into(key: AssetKey) -> Sequence[Problem]:
        latest = read_at.get(inspections[key].table.table_id or "", -1)
        return list(_problems_of(graph.nodes[key], inspections[key], latest, runs, now))

    yield from chain.from_iterable(together(store, look_into, inspections))
    readable = {key: inspection.table for key, inspection in inspections.items() if inspection.is_readable}
    for lost in find_lost_pins(graph, readable):
        yield lost_pin(str(lost.asset), str(lost.upstream), lost.keys, lost.versions, lost.paths)


def _look(store: Store, node: Node) -> Inspection | Sequence[Problem]:
    """Look through a table's log; return what is wrong with one that is not ours, or cannot be looked through."""
    if node.asset.kind is AssetKind.EXTERNAL:
        return list(_external_problems(node, store))
    try:
        return inspect(store, node.asset.table_name)
    except StorageError as error:
        return [_unreadable(node, error)]


def _problems_of(node: Node, inspection: Inspection, read_at: int, runs: Runs, now: dt.datetime) -> Iterator[Problem]:
    """Yield what is wrong with a table; `read_at`: the latest version of it that a record of another one names."""
    is_defined = partial(_is_defined, node, inspection.table)
    subject = Subject(str(node.key), inspection, is_defined, read_at, is_made=node.asset.kind.is_written)
    yield from log_problems(subject)
    if inspection.is_readable:
        try:
            yield from _migration_problems(node, inspection.table)
            yield from table_problems(subject, runs, now)
        except StorageError as error:
            yield _unreadable(node, error)


def rebuild_indexes(graph: AssetGraph, store: Store) -> None:
    """Make every table's index anew from its log; that of a table whose log is damaged is only deleted.

    Raises:
        StorageError: the lake cannot be written.
    """
    for node in graph.nodes.values():
        if node.asset.kind is AssetKind.EXTERNAL:
            continue  # what is kept of it is a record, and its log may not tell it any more
        drop_index(store, node.asset.table_name)
        inspection = inspect(store, node.asset.table_name)
        if inspection.is_readable:
            save_index(Table.read(store, node.asset.table_name))


def _external_problems(node: Node, store: Store) -> Iterator[Problem]:
    """Yield why a table that others write cannot be read, or not as well as it could be."""
    asset, whose = str(node.key), f"ask those who write {node.asset.location}"
    try:
        forgotten = memory_problem(external_of(store, node.asset))
        if forgotten is not None:
            message = f"{forgotten}, so what its log does not tell any more counts as changed"
            yield Problem("damaged_memory", asset, message, "restore that file from a backup, or delete it")
        table = open_latest(store, node.asset)
        if table.exists:
            table.schema()
        damaged = list(data_damage(table))
    except StorageError as error:
        yield Problem("unreadable", asset, str(error), whose)
        return
    if damaged:
        _, path, what = damaged[0]
        more = f", and {len(damaged) - 1} more are damaged" if len(damaged) > 1 else ""
        yield Problem("missing_files", asset, f"data file {path} {what}{more}", whose)


def _migration_problems(node: Node, table: Table) -> Iterator[Problem]:
    """Yield what of a table is not what its asset declares and is changed for the whole table only."""
    if not node.asset.kind.is_made:
        return
    try:
        migration = find_migration(node, table)
    except TableMismatch as error:
        yield Problem("unreadable", str(node.key), str(error), "have whoever wrote it write it in another way")
        return
    if migration is not None:
        message = f"it is not what its asset makes: {'; '.join(map(str, migration.changes))}"
        yield Problem("needs_migration", str(node.key), message, f"`{migration.command}`, or change the asset back")


def _is_defined(node: Node, table: Table, key: str) -> bool:
    return node.partitions.ordinal(key) is not None or (table.names_keys and key == WHOLE)


def _runs(store: Store, now: dt.datetime) -> Runs:
    try:
        return Runs.of(read_runs(store), now)
    except StorageError:
        return Runs.of([], now)  # told already


def _read_at(inspections: Mapping[AssetKey, Inspection]) -> dict[str, int]:
    """Return the latest version of each table, by its id, that a record says was read."""
    latest: dict[str, int] = {}
    for inspection in inspections.values():
        for made in inspection.table.materializations:
            for table_id, pin in made.inputs.items():
                latest[table_id] = max(latest.get(table_id, -1), pin.version)
    return latest


def _unreadable(node: Node, error: StorageError) -> Problem:
    return Problem("unreadable", str(node.key), str(error), "mend the disk or its permissions, and ask again")
