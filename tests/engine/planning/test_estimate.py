"""How much a plan will come to, judged by what is there and by earlier runs."""

from __future__ import annotations

import polars as pl
import pytest

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.estimate import AssetHistory, Estimate, estimate, partition_s
from deltaworks.engine.planning.plan import Plan, Step
from deltaworks.io.asset_outcome import AssetOutcome
from deltaworks.io.run_entry import RunEntry, RunStatus

A, B = AssetKey("a"), AssetKey("b")


def known(*values: int | None) -> pl.Series:
    return pl.Series(values, dtype=pl.Int64)


def step(key: AssetKey, *ordinals: int, size: int = 4) -> Step:
    return Step(key, PartitionSet.of(ordinals, size), ("requested",))


def plan_of(*steps: Step) -> Plan:
    return Plan(steps, (), {each.asset: each.partitions for each in steps})


def run(*steps: AssetOutcome) -> RunEntry:
    return RunEntry("r", RunStatus.SUCCESS, "backfill", "2024-01-01T00:00:00+00:00", steps=steps)


def test_what_is_there_counts_as_it_is_and_what_is_not_as_the_others_on_average() -> None:
    history = AssetHistory(known(10, 20, 60, None), known(100, None, 500, None), None)

    there = estimate(plan_of(step(A, 0, 1)), {A: history}, 2)
    half = estimate(plan_of(step(A, 2, 3)), {A: history}, 2)

    assert there.total == Estimate(30, 100 + 300, None)
    assert half.total == Estimate(60 + 30, 500 + 300, None)


def test_a_table_of_no_rows_is_known_to_have_none() -> None:
    found = estimate(
        plan_of(step(A, 1, 2)), {A: AssetHistory(known(0, None, None, None), known(0, None, None, None), 0.0)}, 1
    )

    assert found.total == Estimate(0, 0, 0.0)


def test_a_step_of_which_nothing_is_known_leaves_the_total_unknown_and_the_rest_at_least() -> None:
    histories = {
        A: AssetHistory(known(5, None, None, None), known(50, None, None, None), 2.0),
        B: AssetHistory(known(None, None, None, None), known(None, None, None, None), None),
    }

    found = estimate(plan_of(step(A, 0, 1), step(B, 0)), histories, 2)

    assert found.steps == (Estimate(10, 100, 2.0), Estimate(None, None, None))
    assert found.total == Estimate(None, None, None)
    assert found.at_least == Estimate(10, 100, 2.0)


@pytest.mark.parametrize(("workers", "expected_s"), [(1, 9.0), (2, 4.5), (3, 3.0), (8, 3.0)])
def test_calls_share_the_workers_but_a_partition_has_only_one(workers: int, expected_s: float) -> None:
    history = AssetHistory(known(1, 1, 1, 1), known(1, 1, 1, 1), 3.0)

    assert estimate(plan_of(step(A, 0, 1, 2)), {A: history}, workers).total.duration_s == expected_s


def test_the_latest_runs_that_made_something_tell_how_long_a_partition_takes() -> None:
    long_ago = [run(AssetOutcome("a", 1, 1, calls=1, calls_s=1000.0))]
    lately = [run(AssetOutcome("b", 9, 9, calls=9, calls_s=90.0), AssetOutcome("a", 2, 2, calls=1, calls_s=4.0))] * 5
    in_vain = [run(AssetOutcome("a", 3, 0, 3)), run(AssetOutcome("a", 3, 3)), run(AssetOutcome("a", 1, calls=1))]

    assert partition_s([*long_ago, *lately, *in_vain], A) == 2.0
    assert partition_s(lately, B) == 10.0
    assert partition_s(in_vain, A) is None, "failed, of an older engine that did not measure, made by others meanwhile"
