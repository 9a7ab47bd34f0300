"""AskedRun: a run that conditions asked for, decided on the lake as it is when a process begins it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import replace

from deltaworks.engine.automation.conditions.pending import asked_partitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.attempt import keep_plan, without_made
from deltaworks.engine.execution.decide import Decision, Question, decide_on
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.plan import Only, Plan
from deltaworks.engine.planning.request import Request
from deltaworks.engine.planning.state import AssetState, certain
from deltaworks.engine.planning.status import LakeStatus, Status
from deltaworks.errors import RequestError
from deltaworks.io.ledger import read_run, write_run
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.run_plan import PlannedTable
from deltaworks.io.store import Store
from deltaworks.io.ticks import AskedRun, read_tick

ONLY = frozenset({Only.ALL})
"""What conditions ask for is made whatever its status: the condition has looked at that."""


def find_asked(store: Store, tick: str, run_id: str) -> AskedRun:
    """Return what a tick, written `name/tick`, asked a run for.

    Raises:
        RequestError: no decision of that tick names the run.
        StorageError: the decision is damaged.
    """
    name, _, tick_id = tick.partition("/")
    entry = read_tick(store, name, tick_id)
    requests = () if entry is None else entry.requests
    found = next((each for each in requests if each.run_id == run_id and each.assets), None)
    if found is None:
        raise RequestError(
            f"Tick {tick!r} has not asked for run {run_id!r}; `deltaworks automation ticks` shows what ticks asked for."
        )
    return found


def decide_asked(
    graph: AssetGraph, store: Store, asked: AskedRun, entry: RunEntry, unseen: Collection[AssetKey] = ()
) -> Decision:
    """Plan what a run was asked for, but for what others have made or written since and what its attempts have made.

    What it was to make is kept first, so that an attempt that cannot begin is not tried again on the same grounds.

    Raises:
        RequestError: nothing of what is asked for can be made.
        TableMismatch: see `decide`.
        StorageError: the lake cannot be read or written.
    """
    seen = observe(graph, store)
    wanted = _still_wanted(graph, asked, seen.status)
    if entry.is_first:
        keep_plan(graph, store, entry.run_id, Plan((), (), wanted, ONLY), seen.tables)
    decision = decide_on(graph, Question(Request(wanted), seen), only=ONLY, unseen=unseen)
    return without_made(graph, decision, entry.run_id)


def _still_wanted(graph: AssetGraph, asked: AskedRun, status: LakeStatus) -> dict[AssetKey, PartitionSet]:
    """Return what was asked for, but for what others chose or made fresh since, and the run would not make stale."""
    wanted: dict[AssetKey, PartitionSet] = {}
    for key, chosen in asked_partitions(graph, asked).items():
        moved = PartitionSet.none(chosen.size)
        for edge in graph.nodes[key].upstream:
            if edge.upstream in wanted:
                moved = moved | edge.correspondence.downstream(wanted[edge.upstream])
        made = _changed_since(status[key].state, asked.tables.get(str(key))) & status[key].having(Status.FRESH)
        left = chosen - status[key].having(Status.EXTERNAL) - (made - moved)
        if left:
            wanted[key] = left
    return wanted


def _changed_since(state: AssetState, then: PlannedTable | None) -> PartitionSet:
    """Return the partitions of a table that were changed after it was found; nothing, if it is not said how it was."""
    if then is None:
        return PartitionSet.none(state.partitions.size)
    if then.table_id is not None and then.table_id != state.table_id:
        return PartitionSet(state.exists)
    return PartitionSet(certain(state.columns["version"] > then.version))


def end_unbegun(store: Store, entry: RunEntry, reason: str, now: dt.datetime, *, is_canceled: bool = False) -> None:
    """Say in the ledger that a run ended before it could begin, unless the run has said how it ended.

    Raises:
        StorageError: the lake cannot be written.
    """
    found = read_run(store, entry)
    if found is None or not found.status.is_over:
        status = RunStatus.CANCELED if is_canceled else RunStatus.FAILURE
        write_run(store, replace(entry, status=status, ended_at=now.isoformat(), reason=reason))
