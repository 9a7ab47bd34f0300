"""Needs: which earlier versions of tables something still needs, so that their data files stay.

A version is needed if the present content of any partition of any table in the lake was made from it: `rerun --verify`
reads it again. A run that is at work reads what was there when it began.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.errors import StorageError
from deltaworks.io.index import load_table
from deltaworks.io.store import Store
from deltaworks.io.sweep import Runs
from deltaworks.io.table import Table
from deltaworks.io.vacuum import Kept, pinned_versions, shared_files

_PLANNING = dt.timedelta(minutes=1)
"""How long before its entry in the ledger a run may have looked at the tables."""


@dataclass(frozen=True)
class Needs:
    """What the tables of a lake need of each other."""

    pinned: Mapping[str, list[int]]
    """Versions, ascending, by the id of the table."""
    shared: frozenset[str]
    """Data files that tables name in full, below the lake's root."""
    oldest_start: dt.datetime | None
    """Of the runs that are at work."""
    unknown: Mapping[AssetKey, str] = field(default_factory=dict[AssetKey, str])
    """The upstreams of tables that cannot be read, and why."""
    unknown_of_all: str | None = None
    """Why a table of the lake that none of the project's assets makes cannot be read; none: all of them can."""

    def unknown_of(self, key: AssetKey) -> str | None:
        """Say why nobody can tell what was made from a table; none: it is known."""
        return self.unknown.get(key, self.unknown_of_all)

    def kept(self, table: Table, removed_since: dt.datetime) -> Kept:
        """Return what a table keeps, if it would keep what was removed since an instant anyway."""
        starts = () if self.oldest_start is None else (self.oldest_start - _PLANNING,)
        return Kept(self.pinned.get(table.table_id or "", []), min((removed_since, *starts)), self.shared)


def find_needs(graph: AssetGraph, store: Store, runs: Runs) -> Needs:
    """Look through all tables of a lake, those of other projects too.

    Cost: the index of each table, or its log, and one look into each folder above a table.
    """
    theirs = {node.asset.location for node in graph.nodes.values() if node.asset.kind is AssetKind.EXTERNAL}
    makers = {node.asset.table_name: node for node in graph.nodes.values() if node.asset.kind.is_written}
    tables: list[Table] = []
    unknown: dict[AssetKey, str] = {}
    unknown_of_all: str | None = None
    for name in store.folders_with("_delta_log"):
        if store.uri(name) in theirs:
            continue  # it is made from nothing of this lake
        try:
            tables.append(load_table(store, name))
        except StorageError as error:
            if name in makers:
                unknown |= {edge.upstream: str(error) for edge in makers[name].upstream}
            else:
                unknown_of_all = str(error)
    return Needs(pinned_versions(tables), shared_files(store, tables), runs.oldest_start, unknown, unknown_of_all)
