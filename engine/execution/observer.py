"""Observer: observes a lake again and again; reads only what was written since, and computes only what that moves."""

from __future__ import annotations

import time
from typing import NamedTuple

import polars as pl

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.observe import Observation
from deltaworks.engine.execution.opening import log_folder, no_table, open_and_keep, open_latest
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.state import lake_state
from deltaworks.engine.planning.status import LakeStatus, lake_status
from deltaworks.errors import StorageError
from deltaworks.io.index import save_index_if_due
from deltaworks.io.known_runs import KnownRuns
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from deltaworks.io.together import together

_STEP_NS = 2_000_000_000
"""Clocks of file systems go in steps: a folder that has just changed may change once more and look the same."""

FAR_TABLE_S = 0.5
"""How often, times the number of tables, a patient observer of an object store reads all logs."""

FAR_LEAST_S = 30.0
"""And how often at most."""

_KEPT_KEYS = 8
"""With how many tables another one's keys are compared."""


class _Look(NamedTuple):
    """A log as it was when it was last read."""

    stamp: str | None
    """Of its folder, in which every commit is a file; none: it cannot be told without reading."""
    is_certain: bool
    """Whether the same stamp means that nothing was committed since."""


class Observer:
    """What one process knows of a lake."""

    def __init__(self, graph: AssetGraph, store: Store) -> None:
        self.graph, self._store = graph, store
        self.runs: list[RunEntry] = []
        """The ledger's, as of the last observation."""
        self._known_runs = KnownRuns(store)
        self._tables: dict[AssetKey, Table] = {}
        self._looks: dict[AssetKey, _Look] = {}
        self._faults: dict[AssetKey, str] = {}
        self._keys: list[pl.Series] = []
        """Those of the tables that were read last, which the next ones may have too."""
        self._status: LakeStatus | None = None
        self._looked_s: float | None = None
        """When all logs were looked at; none: not yet, or not all of the assets that there are now."""

    def follow(self, graph: AssetGraph) -> None:
        """Go on with the assets as they are now: there are other partitions, or other code."""
        if graph is not self.graph:
            kept = {key for key, node in graph.nodes.items() if _is_same_table(node, self.graph.nodes.get(key))}
            self._tables = {key: table for key, table in self._tables.items() if key in kept}
            self._looks = {key: look for key, look in self._looks.items() if key in kept}
            self.graph, self._status, self._looked_s = graph, None, None

    def observe(self, *, patient: bool = False) -> Observation:
        """Read what was committed since, and compute what that moves; what it does not move is the same object.

        Args:
            patient: whether what others have committed to an object store may be seen later than what runs have. Then
                the logs are looked at when the ledger says something new, and else every half minute, or half a second
                for each table if that is more.

        Cost: a look at the folder of each log, and at each run of the ledger that is not folded.

        Raises:
            LogGap: a commit of one of the lake's own tables is missing or damaged.
        """
        runs = self._known_runs.read() if patient and self._may_wait() else None
        if runs is None or runs is not self.runs:
            self._look_at_all()
            self.runs = self._known_runs.read()
        before = None if self._status is None else {key: found.state for key, found in self._status.items()}
        state = lake_state(self.graph, self._tables, self.runs, self._faults, before)
        self._status = lake_status(self.graph, state, self._status)
        return Observation(dict(self._tables), self._status, dict(self._faults), self.runs)

    def _may_wait(self) -> bool:
        """Return whether the logs are in an object store, and were looked at not long ago."""
        if self._looked_s is None or self._store.is_local:
            return False
        return time.monotonic() < self._looked_s + max(FAR_LEAST_S, FAR_TABLE_S * len(self.graph.nodes))

    def _look_at_all(self) -> None:
        looked_s = time.monotonic()
        looks = together(self._store, lambda item: self._look_at(*item), self.graph.nodes.items())
        for key, is_read in zip(self.graph.nodes, looks, strict=True):
            if is_read:
                self._tables[key].narrow()
                self._share_keys(self._tables[key].partitions())
        self._looked_s = looked_s

    def _look_at(self, key: AssetKey, node: Node) -> bool:
        """Read a table unless nothing can have been committed; return whether it was read. Others go on meanwhile."""
        store, folder = log_folder(self._store, node.asset)
        stamp = store.folder_stamp(folder)
        known = self._looks.get(key)
        if known is not None and known.is_certain and known.stamp == stamp:
            return False
        changed_at = store.modified_at(folder) if stamp else None
        is_certain = changed_at is None or time.time_ns() - int(changed_at.timestamp() * 1e9) > _STEP_NS
        self._read(key, node)
        self._looks[key] = _Look(stamp, stamp is not None and is_certain and key not in self._faults)
        return True

    def _read(self, key: AssetKey, node: Node) -> None:
        table = self._tables.get(key)
        self._faults.pop(key, None)
        try:
            if table is None or not table.exists or node.asset.kind is AssetKind.EXTERNAL or not table.is_same():
                self._tables[key] = open_and_keep(self._store, node.asset)
            elif table.tail() and save_index_if_due(table):
                self._tables[key] = open_latest(self._store, node.asset)
        except StorageError as error:
            if node.asset.kind is not AssetKind.EXTERNAL:
                raise
            self._tables[key], self._faults[key] = no_table(self._store, node.asset), str(error)

    def _share_keys(self, partitions: pl.DataFrame) -> None:
        """Let a table hold its keys in common with one that has the same: they are half of what it takes in memory."""
        keys = partitions["key"]
        same = next((each for each in self._keys if each.len() == keys.len() and each.equals(keys)), None)
        if same is None:
            self._keys = [keys, *self._keys][:_KEPT_KEYS]
        elif not keys.is_empty():
            partitions.replace_column(partitions.get_column_index("key"), same)


def _is_same_table(node: Node, before: Node | None) -> bool:
    if before is None or (node.asset.kind is AssetKind.EXTERNAL) != (before.asset.kind is AssetKind.EXTERNAL):
        return False
    return (node.asset.location, node.partition_columns) == (before.asset.location, before.partition_columns)
