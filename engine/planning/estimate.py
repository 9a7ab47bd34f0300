"""Estimate: how much a plan will come to, judged by what is there and by how long earlier runs took; never guessed.

A partition that is there is expected to come out as large as it is; one that is not, as large as the others of its
table are on average. Where there is nothing to judge by, the answer is that it is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.plan import Plan
from deltaworks.io.run_entry import RunEntry

_RUNS = 5
"""How many of the latest runs of an asset tell how long a partition of it takes."""


@dataclass(frozen=True)
class AssetHistory:
    """What earlier runs tell about one asset."""

    rows: pl.Series
    """By ordinal; null where it is not known."""
    sizes_bytes: pl.Series
    """By ordinal, how large its files are; null where there are none."""
    partition_s: float | None
    """How long a call takes for each partition that it makes, on average; none: it was not measured yet."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How much some partitions will come to; none: there is nothing to judge by."""

    rows: int | None
    size_bytes: int | None
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class Estimates:
    """How much a plan will come to."""

    steps: tuple[Estimate, ...]
    """Of the plan's steps, in their order."""
    workers: int
    """How many calls go on at a time."""

    @property
    def total(self) -> Estimate:
        """All steps together; what is not known of one of them is not known of all."""
        return Estimate(
            None if any(each.rows is None for each in self.steps) else self.at_least.rows,
            None if any(each.size_bytes is None for each in self.steps) else self.at_least.size_bytes,
            None if any(each.duration_s is None for each in self.steps) else self.at_least.duration_s,
        )

    @property
    def at_least(self) -> Estimate:
        """Those steps together of which it is known."""
        return Estimate(
            sum(each.rows or 0 for each in self.steps),
            sum(each.size_bytes or 0 for each in self.steps),
            sum(each.duration_s or 0.0 for each in self.steps),
        )


def estimate(plan: Plan, histories: Mapping[AssetKey, AssetHistory], workers: int) -> Estimates:
    """Return how much a plan will come to.

    Args:
        plan: what is to be made.
        histories: of the assets that it makes.
        workers: how many calls go on at a time; as many as there are partitions, if these are fewer.
    """
    found: list[Estimate] = []
    for step in plan.steps:
        history, count = histories[step.asset], len(step.partitions)
        duration_s = None if history.partition_s is None else history.partition_s * count / min(workers, count)
        rows, size_bytes = _expected(history.rows, step.partitions), _expected(history.sizes_bytes, step.partitions)
        found.append(Estimate(rows, size_bytes, duration_s))
    return Estimates(tuple(found), workers)


def partition_s(runs: Sequence[RunEntry], key: AssetKey) -> float | None:
    """Return how long calls of an asset's function took for each partition, in its latest runs; none: nobody knows.

    Args:
        runs: what the ledger knows, oldest first.
        key: the asset.
    """
    taken_s, made, counted = 0.0, 0, 0
    for run in reversed(runs):
        for each in run.steps:
            if each.asset == str(key) and each.calls and each.materialized:
                taken_s, made, counted = taken_s + each.calls_s, made + each.materialized, counted + 1
        if counted >= _RUNS:
            break
    return taken_s / made if made else None


def _expected(known: pl.Series, partitions: PartitionSet) -> int | None:
    """Return what some partitions come to: those that are known what they are, the others the mean of all known."""
    chosen = known.filter(partitions.mask)
    mean = known.mean()
    if not isinstance(mean, float):
        return None
    return round(int(chosen.sum()) + chosen.null_count() * mean)
