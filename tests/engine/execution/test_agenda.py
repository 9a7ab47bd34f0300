from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

import deltaworks as dw
from deltaworks.engine.definitions.partition_set import PartitionSet
from deltaworks.engine.execution.agenda import Agenda
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.planning.plan import Plan

DAYS = 12
days = dw.DailyPartitions(start="2024-01-01", end="2024-01-13")


@dw.asset(partitions=days, partition_by="day")
def raw(partition: dw.Partition) -> pl.LazyFrame:
    raise NotImplementedError


@dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.ranges(max_partitions=4))
def same(raw: pl.LazyFrame) -> pl.LazyFrame:
    return raw


@dw.asset(partitions=days, partition_by="day")
def week(
    same: Annotated[pl.LazyFrame, dw.Input(mapping=dw.TimeWindowMapping(start_offset=-2, end_offset=1))],
) -> pl.LazyFrame:
    return same


@dw.asset()
def total(week: pl.LazyFrame, raw: pl.LazyFrame) -> pl.LazyFrame:
    return week


def graph() -> AssetGraph:
    return build_graph(dw.Definitions([total, week, same, raw]), dt.datetime(2024, 2, 1, tzinfo=dt.UTC))


def needs(asset: str, ordinal: int) -> set[tuple[str, int]]:
    """Spell out the edges above, one by one."""
    match asset:
        case "same":
            return {("raw", ordinal)}
        case "week":
            return {("same", each) for each in range(max(0, ordinal - 2), min(DAYS, ordinal + 2))}
        case "total":
            return {(upstream, each) for upstream in ("week", "raw") for each in range(DAYS)}
        case _:
            return set()


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_everything_planned_is_made_after_its_upstreams_or_blocked_by_a_failed_one(data: st.DataObject) -> None:
    sizes = {"raw": DAYS, "same": DAYS, "week": DAYS, "total": 1}
    planned = {
        name: data.draw(st.sets(st.integers(0, size - 1), min_size=size // 2), label=name)
        for name, size in sizes.items()
    }
    failing = data.draw(st.sets(st.sampled_from([(n, o) for n, part in planned.items() for o in sorted(part)])))
    agenda = Agenda(graph(), plan_of(planned))
    made: set[tuple[str, int]] = set()
    failed: set[tuple[str, int]] = set()
    blocked: set[tuple[str, int]] = set()

    while (taken := agenda.take()) is not None:
        key, first, last = taken
        assert last - first < (4 if str(key) == "same" else 1)
        for ordinal in range(first, last + 1):
            item = (str(key), ordinal)
            wanted = {need for need in needs(*item) if need[1] in planned[need[0]]}
            assert wanted <= made, f"{item} came before {wanted - made}"
            if item in failing:
                failed.add(item)
                blocked |= {(str(each.asset), each.ordinal) for each in agenda.failed(key, ordinal)}
            else:
                made.add(item)
                agenda.committed(key, ordinal)

    everything = {(name, ordinal) for name, part in planned.items() for ordinal in part}
    assert made | failed | blocked == everything
    assert len(made) + len(failed) + len(blocked) == len(everything)
    for item in blocked:
        assert needs(*item) & (failed | blocked), f"{item} is blocked by nothing"


def plan_of(planned: dict[str, set[int]]) -> Plan:
    nodes = graph().nodes
    sets: dict[Any, PartitionSet] = {
        key: PartitionSet.of(sorted(planned[str(key)]), node.partitions.size) for key, node in nodes.items()
    }
    return Plan((), (), {key: part for key, part in sets.items() if part})


def test_a_call_does_not_reach_beyond_one_stretch() -> None:
    both = dw.MultiPartitions({"day": days, "region": dw.StaticPartitions(["us", "eu", "asia"])})

    @dw.asset(partitions=both, backfill=dw.BackfillPolicy.ranges(max_partitions=100))
    def sales() -> pl.LazyFrame: ...  # type: ignore[empty-body]

    graph = build_graph(dw.Definitions([sales]), dt.datetime(2024, 2, 1, tzinfo=dt.UTC))
    agenda = Agenda(graph, Plan((), (), {sales.key: PartitionSet.of([1, 2, 3, 4, 5, 7], both.size)}))

    taken = [agenda.take() for _ in range(4)]

    assert taken == [(sales.key, 1, 2), (sales.key, 3, 5), (sales.key, 7, 7), None]
