"""Observe: read a lake's logs and ledger, and compute the status of everything in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.opening import no_table, open_and_keep, open_latest
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.state import lake_state
from deltaworks.engine.planning.status import LakeStatus, lake_status
from deltaworks.errors import StorageError
from deltaworks.io.ledger import read_runs
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from deltaworks.io.together import together


@dataclass(frozen=True, slots=True)
class Observation:
    """A lake as it was read."""

    tables: Mapping[AssetKey, Table]
    """In place of those that cannot be read stand tables of which there is nothing."""
    status: LakeStatus
    faults: Mapping[AssetKey, str]
    """The tables of others that cannot be read, and why; what is not made from them is not concerned."""
    runs: Sequence[RunEntry]
    """What the ledger knows, oldest first."""


def observe(graph: AssetGraph, store: Store) -> Observation:
    """Read every asset's log to its end and compute all statuses. On an absent lake everything is missing.

    Raises:
        LogGap: a commit of one of the lake's own tables is missing or damaged.
    """
    found = together(store, lambda node: _open(store, node), graph.nodes.values())
    opened = dict(zip(graph.nodes, found, strict=True))
    tables = {key: table for key, (table, _) in opened.items()}
    faults = {key: fault for key, (_, fault) in opened.items() if fault is not None}
    runs = read_runs(store)
    return Observation(tables, lake_status(graph, lake_state(graph, tables, runs, faults)), faults, runs)


def _open(store: Store, node: Node) -> tuple[Table, str | None]:
    """Return the table of an asset; of one that others write and that cannot be read, nothing, and why."""
    try:
        return open_and_keep(store, node.asset), None
    except StorageError as error:
        if node.asset.kind is not AssetKind.EXTERNAL:
            raise
        return no_table(store, node.asset), str(error)


def unreadable_tables(graph: AssetGraph, store: Store) -> Iterator[tuple[AssetKey, str]]:
    """Yield the tables of others that are there and cannot be read, each with the reason; nothing is kept of any."""
    for key, node in graph.nodes.items():
        if node.asset.kind is AssetKind.EXTERNAL:
            try:
                open_latest(store, node.asset)
            except StorageError as error:
                yield key, str(error)
