from __future__ import annotations

import datetime as dt
from collections.abc import Sized
from functools import cache
from itertools import pairwise
from typing import Annotated, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deltaworks as dw
from deltaworks.engine.definitions.mappings.correspondence import Relation, Window
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.agenda import Agenda
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.planning.plan import Plan

DAYS = 12
REGIONS = 3
days = dw.DailyPartitions(start="2024-01-01", end="2024-01-13")
both = dw.MultiPartitions({"day": days, "region": dw.StaticPartitions(["us", "eu", "asia"])})


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


@dw.asset(partitions=both)
def sales(raw: pl.LazyFrame) -> pl.LazyFrame:
    return raw


YESTERDAY_ON = dw.MultiMapping({"day": dw.TimeWindowMapping(start_offset=-1), "region": dw.AllPartitionsMapping()})
ALL_DAYS = dw.MultiMapping({"day": dw.AllPartitionsMapping(), "region": dw.IdentityMapping()})
ALL_REGIONS = dw.MultiMapping({"day": dw.IdentityMapping(), "region": dw.AllPartitionsMapping()})


@dw.asset(partitions=both)
def shares(sales: Annotated[pl.LazyFrame, dw.Input(mapping=YESTERDAY_ON)]) -> pl.LazyFrame:
    return sales


@dw.asset(partitions=days, partition_by="day")
def patchy(raw: pl.LazyFrame, shares: Annotated[pl.LazyFrame, dw.Input(allow_missing=True)]) -> pl.LazyFrame:
    return shares


@dw.asset(partitions=both)
def by_region(shares: Annotated[pl.LazyFrame, dw.Input(mapping=ALL_DAYS)], patchy: pl.LazyFrame) -> pl.LazyFrame:
    return shares


PAST = dw.TimeWindowMapping(start_offset=-DAYS, end_offset=-1)


@dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.single_run())
def whole(same: pl.LazyFrame, raw: pl.LazyFrame) -> pl.LazyFrame:
    return same


@dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.single_run())
def so_far(raw: pl.LazyFrame, before: Annotated[pl.LazyFrame, dw.Input(asset="so_far", mapping=PAST)]) -> pl.LazyFrame:
    return before


@dw.asset(partitions=days, partition_by="day")
def gap(
    so_far: Annotated[pl.LazyFrame, dw.Input(mapping=dw.TimeWindowMapping(-DAYS, 0), allow_missing=True)],
    before: Annotated[pl.LazyFrame, dw.Input(asset="gap", mapping=dw.TimeWindowMapping(-5, -3), allow_missing=True)],
) -> pl.LazyFrame:
    return before


SIZES = {
    "raw": DAYS,
    "same": DAYS,
    "week": DAYS,
    "total": 1,
    "sales": DAYS * REGIONS,
    "shares": DAYS * REGIONS,
    "patchy": DAYS,
    "by_region": DAYS * REGIONS,
    "whole": DAYS,
    "so_far": DAYS,
    "gap": DAYS,
}


@cache
def graph() -> AssetGraph:
    assets = [gap, so_far, whole, by_region, patchy, shares, sales, total, week, same, raw]
    return build_graph(dw.Definitions(assets), dt.datetime(2024, 2, 1, tzinfo=dt.UTC))


def needs(asset: str, ordinal: int) -> set[tuple[str, int]]:
    """Spell out the edges above, one by one."""
    day, region = divmod(ordinal, REGIONS)
    match asset:
        case "same":
            return {("raw", ordinal)}
        case "week":
            return {("same", each) for each in range(max(0, ordinal - 2), min(DAYS, ordinal + 2))}
        case "total":
            return {(upstream, each) for upstream in ("week", "raw") for each in range(DAYS)}
        case "sales":
            return {("raw", day)}
        case "shares":
            return {("sales", each) for each in range(max(0, day - 1) * REGIONS, (day + 1) * REGIONS)}
        case "patchy":
            return {("raw", ordinal)} | {("shares", ordinal * REGIONS + each) for each in range(REGIONS)}
        case "by_region":
            return {("patchy", day)} | {("shares", each * REGIONS + region) for each in range(DAYS)}
        case "whole":
            return {("same", ordinal), ("raw", ordinal)}
        case "so_far":
            return {("raw", ordinal)} | {("so_far", each) for each in range(ordinal)}
        case "gap":
            earlier = {("gap", each) for each in range(max(0, ordinal - 5), max(0, ordinal - 2))}
            return earlier | {("so_far", each) for each in range(ordinal + 1)}
        case _:
            return set()


def may_fail(asset: str, upstream: tuple[str, int]) -> bool:
    """Tell which of the edges above allow for what is missing."""
    return (asset, upstream[0]) in {("patchy", "shares"), ("gap", "so_far"), ("gap", "gap")}


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_everything_planned_is_made_after_its_upstreams_or_blocked_by_a_failed_one(data: st.DataObject) -> None:
    planned = {
        name: data.draw(st.sets(st.integers(0, size - 1), min_size=size // 2), label=name)
        for name, size in SIZES.items()
    }
    failing = data.draw(st.sets(st.sampled_from([(n, o) for n, part in planned.items() for o in sorted(part)])))
    agenda = Agenda(graph(), plan_of(planned))
    made: set[tuple[str, int]] = set()
    failed: set[tuple[str, int]] = set()
    blocked: set[tuple[str, int]] = set()
    single_runs: list[tuple[int, int]] = []

    while (taken := agenda.take()) is not None:
        key, first, last = taken
        assert last - first < {"same": 4, "whole": DAYS}.get(str(key), 1)
        if str(key) == "whole":
            single_runs.append((first, last))
        for ordinal in range(first, last + 1):
            item = (str(key), ordinal)
            wanted = {need for need in needs(*item) if need[1] in planned[need[0]]} - made
            early = {need for need in wanted if not may_fail(item[0], need) or need not in failed | blocked}
            assert not early, f"{item} came before {early}"
            if item in failing:
                failed.add(item)
                blocked |= {(str(each.asset), each.ordinal) for each in agenda.failed(key, ordinal)}
            else:
                made.add(item)
                agenda.committed(key, ordinal)

    everything = {(name, ordinal) for name, part in planned.items() for ordinal in part}
    assert made | failed | blocked == everything
    assert len(made) + len(failed) + len(blocked) == len(everything)
    assert not agenda.is_unsettled
    assert all(before[1] + 1 < after[0] for before, after in pairwise(single_runs)), "stretches are made whole"
    for item in blocked:
        lost = needs(*item) & (failed | blocked)
        assert any(not may_fail(item[0], need) for need in lost), f"{item} is blocked by nothing"


def plan_of(planned: dict[str, set[int]]) -> Plan:
    nodes = graph().nodes
    sets: dict[Any, PartitionSet] = {
        key: PartitionSet.of(sorted(planned[str(key)]), node.partitions.size) for key, node in nodes.items()
    }
    return Plan((), (), {key: part for key, part in sets.items() if part})


def test_a_call_does_not_reach_beyond_one_stretch() -> None:
    @dw.asset(partitions=both, backfill=dw.BackfillPolicy.ranges(max_partitions=100))
    def wide() -> pl.LazyFrame: ...  # type: ignore[empty-body]

    graph = build_graph(dw.Definitions([wide]), dt.datetime(2024, 2, 1, tzinfo=dt.UTC))
    agenda = Agenda(graph, Plan((), (), {wide.key: PartitionSet.of([1, 2, 3, 4, 5, 7], both.size)}))

    taken = [agenda.take() for _ in range(4)]

    assert taken == [(wide.key, 1, 2), (wide.key, 3, 5), (wide.key, 7, 7), None]


def test_what_is_called_again_is_called_for_exactly_the_same_partitions_and_first() -> None:
    agenda = Agenda(graph(), plan_of({name: set(range(4)) if name == "raw" else set[int]() for name in SIZES}))
    key, first, _ = agenda.take() or pytest.fail("nothing is ready")
    agenda.take()

    agenda.call_again([key], first, first + 1)
    agenda.call_again([key], 7, 7)

    taken = [agenda.take() for _ in range(5)]
    assert taken == [(key, 0, 1), (key, 7, 7), (key, 2, 2), (key, 3, 3), None]
    assert not agenda.has_ready


def test_the_size_of_a_call_is_asked_for_when_it_is_taken() -> None:
    @dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.auto(target_bytes=100))
    def sized() -> pl.LazyFrame: ...  # type: ignore[empty-body]

    known = [(0, 0), (20, 1), (90, 3), (1000, 6), (1000, 7)]
    graph = build_graph(dw.Definitions([sized]), dt.datetime(2024, 2, 1, tzinfo=dt.UTC))
    agenda = Agenda(graph, Plan((), (), {sized.key: PartitionSet.all(DAYS)}), lambda _: known.pop(0))

    taken = [agenda.take() for _ in range(4)]

    assert taken == [(sized.key, 0, 0), (sized.key, 1, 4), (sized.key, 5, 7), (sized.key, 8, 8)]


@pytest.mark.parametrize("mapping", [ALL_REGIONS, ALL_DAYS])
@pytest.mark.parametrize("fails", [False, True])
def test_what_waits_for_the_same_partitions_is_released_once(
    mapping: dw.MultiMapping, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    square = dw.MultiPartitions({"day": days, "region": dw.StaticPartitions([f"r{each}" for each in range(DAYS)])})

    @dw.asset(partitions=square)
    def parts() -> pl.LazyFrame: ...  # type: ignore[empty-body]

    @dw.asset(partitions=square)
    def sums(parts: Annotated[pl.LazyFrame, dw.Input(mapping=mapping)]) -> pl.LazyFrame: ...  # type: ignore[empty-body]

    everything = PartitionSet.all(square.size)
    graph = build_graph(dw.Definitions([parts, sums]), dt.datetime(2024, 2, 1, tzinfo=dt.UTC))
    agenda = Agenda(graph, Plan((), (), {parts.key: everything, sums.key: everything}))
    reached: list[int] = []
    downstream_of = Relation.downstream_of

    def counted(self: Relation, ordinal: int) -> Sized:
        found = downstream_of(self, ordinal)
        reached.append(len(found))
        return found

    monkeypatch.setattr(Relation, "downstream_of", counted)
    while (taken := agenda.take()) is not None:
        key, ordinal, _ = taken
        if fails and key == parts.key:
            list(agenda.failed(key, ordinal))
        else:
            agenda.committed(key, ordinal)

    assert not agenda.is_unsettled
    assert sum(reached) == square.size, "each partition is looked at once, not once for each that it is made from"


@pytest.mark.parametrize("fails_at", [None, 0, DAYS // 2])
def test_a_partition_that_reads_the_whole_past_watches_one_of_it(
    fails_at: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dw.asset(partitions=days, partition_by="day")
    def so_far(before: Annotated[pl.LazyFrame, dw.Input(asset="so_far", mapping=PAST)]) -> pl.LazyFrame: ...  # type: ignore[empty-body]

    graph = build_graph(dw.Definitions([so_far]), dt.datetime(2024, 2, 1, tzinfo=dt.UTC))
    agenda = Agenda(graph, Plan((), (), {so_far.key: PartitionSet.all(DAYS)}))
    looks: list[int] = []
    upstream_of = Window.upstream_of

    def counted(self: Window, first: int, last: int) -> range:
        looks.append(first)
        return upstream_of(self, first, last)

    monkeypatch.setattr(Window, "upstream_of", counted)
    made: list[int] = []
    blocked: list[int] = []
    while (taken := agenda.take()) is not None:
        key, ordinal, _ = taken
        if ordinal == fails_at:
            blocked = [each.ordinal for each in agenda.failed(key, ordinal)]
        else:
            made.append(ordinal)
            agenda.committed(key, ordinal)

    last = DAYS if fails_at is None else fails_at
    assert made == list(range(last))
    assert blocked == list(range(last + 1, DAYS))
    assert not agenda.is_unsettled
    assert len(looks) <= DAYS, "each is looked at when the one before it is made, not for each that it reads"
