"""Pending: what ticks of conditions asked for whose runs are not over, whether or not a process has begun them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from deltaworks.engine.automation.conditions.spelling import unspell
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.io.condition_notes import NAME
from deltaworks.io.run_lookup import look_up_run_of
from deltaworks.io.store import Store
from deltaworks.io.ticks import AskedRun, TickEntry, open_ids, read_tick


def pending(graph: AssetGraph, store: Store, now: dt.datetime) -> dict[AssetKey, PartitionSet]:
    """Return the partitions that open ticks have asked for; only assets that have any.

    A tick is closed when all that it asks for is over, so what nobody looks after any more is asked for anew.

    Raises:
        StorageError: the lake cannot be read.
    """
    found: dict[AssetKey, PartitionSet] = {}
    for asked in unfinished(store, now):
        for key, chosen in asked_partitions(graph, asked).items():
            found[key] = found.get(key, chosen) | chosen
    return found


def unfinished(store: Store, now: dt.datetime) -> Iterator[AskedRun]:
    """Yield the runs of open ticks that can still be begun or have not ended.

    Raises:
        StorageError: the lake cannot be read.
    """
    for tick_id in open_ids(store, NAME):
        entry = read_tick(store, NAME, tick_id)
        if entry is None:
            continue  # it is being asked
        for asked in entry.requests:
            begun = look_up_run_of(store, asked.run_id, started_on(entry), now.date())
            if asked.error is None and (begun is None or not begun.status.is_over):
                yield asked


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
