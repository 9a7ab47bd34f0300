"""Attempts: what runs that have ended were to make and did not, as long as nothing of what it is made from changes.

A run keeps which versions it found and by what code it was to make things. So whether to try again is told by the logs,
and no clock and no counter decides: what failed is tried again when a commit or an edit makes another attempt of it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence

import polars as pl

from deltaworks.engine.automation.conditions.sight import Tried
from deltaworks.engine.automation.conditions.spelling import Spelled, unspell
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import AssetGraph, Edge, Node
from deltaworks.engine.planning.state import AssetState, certain
from deltaworks.engine.planning.status import LakeStatus
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.run_plan import KEPT_FOR, RunPlan, read_run_plan
from deltaworks.io.store import Store

MOST_LOST = 3
"""How many runs in a row may be lost over the same partitions; a machine may go down, and a partition may fell it."""


class Attempts:
    """What one process knows of the runs that came to nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._plans: dict[tuple[str, int], RunPlan | None] = {}
        """By run and attempt."""
        self._tried: Mapping[AssetKey, tuple[Tried, ...]] = {}
        self._known: tuple[Sequence[RunEntry], LakeStatus] | None = None

    def tried(
        self, graph: AssetGraph, status: LakeStatus, runs: Sequence[RunEntry], now: dt.datetime
    ) -> Mapping[AssetKey, tuple[Tried, ...]]:
        """Return what would come to nothing once more; the same objects as before where nothing has changed.

        Raises:
            StorageError: the plan of a run is damaged.
        """
        if self._known is not None and self._known[0] is runs and _is_same(self._known[1], status):
            return self._tried
        ended = [(run, run.status_at(now)) for run in reversed(runs) if _may_tell(run, now)]
        plans = {(run.run_id, run.attempt): self._plan(run) for run, found in ended if _left_something(run, found)}
        tried: dict[AssetKey, tuple[Tried, ...]] = {}
        for key, node in graph.nodes.items() if any(plans.values()) else ():
            told = tuple(self._of_asset(node, status, ended, plans))
            was = self._tried.get(key, ())
            if told:
                tried[key] = was if _is_equal(told, was) else told
        self._plans, self._tried = plans, tried
        is_over = all(found.is_over for run, found in ended if not run.status.is_over)
        self._known = (runs, status) if is_over else None  # a run that is silent may be lost without a word
        return tried

    def _plan(self, run: RunEntry) -> RunPlan | None:
        known = (run.run_id, run.attempt)
        return self._plans[known] if known in self._plans else read_run_plan(self._store, run.run_id)

    def _of_asset(
        self,
        node: Node,
        status: LakeStatus,
        ended: Iterable[tuple[RunEntry, RunStatus]],
        plans: Mapping[tuple[str, int], RunPlan | None],
    ) -> Iterator[Tried]:
        """Yield what is left of an asset, for each run that left something; each partition once.

        What has changed since one of them has changed since all that found older versions. So thousands of runs that
        failed on the same partitions cost no more than one.
        """
        name, told = str(node.key), PartitionSet.none(node.partitions.size)
        lost = pl.Series([0], dtype=pl.Int64).new_from_index(0, told.size)
        tables = (name, *(str(edge.upstream) for edge in node.upstream))
        done = dict[Spelled, RunPlan]()
        for run, found in ended:
            plan = plans.get((run.run_id, run.attempt))
            ranges = () if plan is None else plan.planned.get(name, ())
            if plan is None or not ranges or plan.code.get(name, node.code) != node.code:
                continue
            if ranges in done and _found_older(plan, done[ranges], tables):
                continue
            left = _unchanged(node, status, run, plan, unspell(node.partitions, ranges) - told)
            if found is not RunStatus.LOST or not left:
                done.setdefault(ranges, plan)
            if found is RunStatus.LOST:
                lost = lost + left.mask.cast(pl.Int64)
                left = left & PartitionSet(lost >= MOST_LOST)
            told = told | left
            yield from (Tried(part, reason, _began(run)) for part, reason in _reasons(node, run, found, left) if part)


def _found_older(plan: RunPlan, other: RunPlan, tables: Iterable[str]) -> bool:
    """Return whether a run found no table at a later version than another one; no clock is asked which was first."""
    pairs = ((plan.tables.get(table), other.tables.get(table)) for table in tables)
    return all(
        one is None or (two is not None and one.table_id in (None, two.table_id) and one.version <= two.version)
        for one, two in pairs
    )


def _may_tell(run: RunEntry, now: dt.datetime) -> bool:
    return now - _began(run) < KEPT_FOR


def _began(run: RunEntry) -> dt.datetime:
    return dt.datetime.fromisoformat(run.attempt_started_at or run.started_at)


def _left_something(run: RunEntry, found: RunStatus) -> bool:
    return found.is_over and (found is not RunStatus.SUCCESS or bool(run.skipped))


def _reasons(node: Node, run: RunEntry, found: RunStatus, left: PartitionSet) -> Iterator[tuple[PartitionSet, str]]:
    if not left:
        return
    if found is RunStatus.LOST:
        yield left, f"the last {MOST_LOST} runs that were to make it were lost, the first of them {run.run_id}"
        return
    if found is RunStatus.CANCELED:
        yield left, f"run {run.run_id} was canceled"
        return
    keys = [failure.partition or "" for failure in run.failures if failure.asset == str(node.key)]
    failed = PartitionSet.of(node.partitions.ordinals(pl.Series(keys, dtype=pl.String)).drop_nulls(), left.size)
    yield left & failed, f"it failed in run {run.run_id}"
    yield left - failed, f"run {run.run_id} ended without making it"


def _unchanged(node: Node, status: LakeStatus, run: RunEntry, plan: RunPlan, planned: PartitionSet) -> PartitionSet:
    """Return those of some partitions that nobody has made since a run began, nor changed what they are made from."""
    state, own = status[node.key].state, plan.tables.get(str(node.key))
    if not planned or own is None or (own.table_id is not None and own.table_id != state.table_id):
        return PartitionSet.none(planned.size)
    left = planned - PartitionSet(certain(state.columns["version"] > own.version))
    for edge in node.upstream:
        if left and not edge.is_own:
            left = left - _changed(edge, status[edge.upstream].state, run, plan)
    return left


def _changed(edge: Edge, upstream: AssetState, run: RunEntry, plan: RunPlan) -> PartitionSet:
    """Return what is made from upstream partitions that others than the run itself have changed since it began."""
    then = plan.tables.get(str(edge.upstream))
    if then is None or (then.table_id is not None and then.table_id != upstream.table_id):
        return PartitionSet.all(edge.correspondence.downstream_size)
    versions = upstream.columns["version"]
    by_run = [version for version, writer in upstream.writers.items() if writer.run_id == run.run_id]
    if by_run:
        versions = versions.set(versions.is_in(pl.Series(by_run, dtype=pl.Int64).implode()), None)
    return PartitionSet(certain(edge.correspondence.latest(versions) > then.version))


def _is_same(one: LakeStatus, other: LakeStatus) -> bool:
    return one.keys() == other.keys() and all(found is other[key] for key, found in one.items())


def _is_equal(one: Sequence[Tried], other: Sequence[Tried]) -> bool:
    if [(each.reason, each.at) for each in one] != [(each.reason, each.at) for each in other]:
        return False
    return all(this.partitions == that.partitions for this, that in zip(one, other, strict=True))
