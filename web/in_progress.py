"""InProgress: which partitions runs that go on are still to make."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.observe import Observation
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.state import AssetState
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.run_plan import RunPlan, read_run_plan
from deltaworks.io.store import Store


class InProgress:
    """What one process knows of the plans of runs that go on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._plans: dict[tuple[str, int], RunPlan] = {}
        """By run and attempt."""

    def of(self, graph: AssetGraph, observation: Observation, now: dt.datetime) -> Mapping[AssetKey, PartitionSet]:
        """Return what is still to be made of each asset; only assets of which there is anything.

        Raises:
            StorageError: the plan of a run is damaged.
        """
        live = [run for run in observation.runs if not run.status.is_over and run.status_at(now) is RunStatus.RUNNING]
        plans = {(run.run_id, run.attempt): plan for run in live if (plan := self._plan(run)) is not None}
        self._plans = plans
        names = {str(key): key for key in graph.nodes}
        found: dict[AssetKey, PartitionSet] = {}
        for run in live:
            plan = plans.get((run.run_id, run.attempt))
            for name, ranges in () if plan is None else plan.planned.items():
                key = names.get(name)
                if key is not None:
                    left = _left(graph, key, ranges, observation.status[key].state, run)
                    if left:
                        found[key] = found[key] | left if key in found else left
        return found

    def _plan(self, run: RunEntry) -> RunPlan | None:
        known = (run.run_id, run.attempt)
        return self._plans[known] if known in self._plans else read_run_plan(self._store, run.run_id)


def _left(
    graph: AssetGraph, key: AssetKey, ranges: tuple[tuple[str, str], ...], state: AssetState, run: RunEntry
) -> PartitionSet:
    """Return what a run was to make of an asset, without what it has committed and what has failed."""
    partitions = graph.nodes[key].partitions
    ends = [(partitions.ordinal(first), partitions.ordinal(last)) for first, last in ranges]
    known = [(first, last) for first, last in ends if first is not None and last is not None]
    by_run = [version for version, writer in state.writers.items() if writer.run_id == run.run_id]
    made = state.columns["version"].is_in(pl.Series(by_run, dtype=pl.Int64).implode()).fill_null(False)
    keys = [failure.partition or "" for failure in run.failures if failure.asset == str(key)]
    failed = partitions.ordinals(pl.Series(keys, dtype=pl.String)).drop_nulls()
    planned = PartitionSet.of_ranges(known, partitions.size)
    return planned - PartitionSet(made) - PartitionSet.of(failed, partitions.size)
