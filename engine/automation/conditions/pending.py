"""Pending: what ticks of conditions asked for whose runs are not over, whether or not a process has begun them."""

from __future__ import annotations

import datetime as dt

from deltaworks.engine.automation.conditions.spelling import unspell
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.io.condition_notes import NAME
from deltaworks.io.run_lookup import look_up_run_of
from deltaworks.io.store import Store
from deltaworks.io.ticks import AskedRun, TickEntry, open_ids, read_tick


class Pending:
    """What one process knows of the runs that ticks have asked for; one that has ended is read no more."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ended: frozenset[str] = frozenset()
        """Of the ticks that were open at the last look."""

    def partitions(self, graph: AssetGraph, now: dt.datetime) -> dict[AssetKey, PartitionSet]:
        """Return the partitions that open ticks have asked for; only assets that have any.

        A tick is closed when all that it asks for is over, so what nobody looks after any more is asked for anew.

        Raises:
            StorageError: the lake cannot be read.
        """
        found: dict[AssetKey, PartitionSet] = {}
        for asked in self._unfinished(now):
            for key, chosen in asked_partitions(graph, asked).items():
                found[key] = found.get(key, chosen) | chosen
        return found

    def _unfinished(self, now: dt.datetime) -> list[AskedRun]:
        """Return the runs of open ticks that can still be begun or have not ended."""
        entries = [read_tick(self._store, NAME, tick_id) for tick_id in open_ids(self._store, NAME)]
        asked = [(each, entry) for entry in entries if entry is not None for each in entry.requests]  # else it is asked
        ended = {each.run_id for each, entry in asked if self._has_ended(each.run_id, entry, now)}
        self._ended = frozenset(ended)
        return [each for each, _ in asked if each.error is None and each.run_id not in ended]

    def _has_ended(self, run_id: str, entry: TickEntry, now: dt.datetime) -> bool:
        if run_id in self._ended:
            return True
        begun = look_up_run_of(self._store, run_id, started_on(entry), now.date())
        return begun is not None and begun.status.is_over


def started_on(entry: TickEntry) -> dt.date:
    """Return the day on which a tick was asked about."""
    return dt.datetime.fromisoformat(entry.started_at).date()


def asked_partitions(graph: AssetGraph, asked: AskedRun) -> dict[AssetKey, PartitionSet]:
    """Return what a run was asked for, upstreams first, as far as there are such assets and partitions now."""
    found = {
        key: unspell(node.partitions, asked.assets[str(key)])
        for key, node in graph.nodes.items()
        if str(key) in asked.assets and node.asset.kind.is_made
    }
    return {key: chosen for key, chosen in found.items() if chosen}
