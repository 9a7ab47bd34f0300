"""Assets made from earlier partitions of their own, by brute force; and what that costs, by counting."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deltaworks as dw
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.planning.chain import carried, follow, reaching_back
from deltaworks.engine.planning.graph import Edge, Needs, build_graph

days = dw.DailyPartitions("2024-01-01", "2024-01-09")
regions = dw.StaticPartitions(["us", "eu", "asia"])
DEFINITIONS = (
    days,
    dw.MultiPartitions({"day": days, "region": regions}),
    dw.MultiPartitions({"region": regions, "day": days}),
)
WINDOWS = st.tuples(st.integers(-9, -1), st.integers(-9, -1), st.booleans()).map(
    lambda drawn: (min(drawn[:2]), max(drawn[:2]), drawn[2])
)


def own_edges(partitions: Partitions, *windows: tuple[int, int, bool]) -> Sequence[Edge]:
    """Return the edges of an asset that reads itself by windows: first and last offset, and what may be missing."""
    one, other = (
        dw.Input(asset="own", mapping=dw.TimeWindowMapping(first, last), allow_missing=allow_missing)
        for first, last, allow_missing in (windows[0], windows[-1])
    )
    columns = list(getattr(partitions, "names", ["day"]))

    @dw.asset(partitions=partitions, partition_by=columns)
    def own(a: Annotated[pl.LazyFrame, one], b: Annotated[pl.LazyFrame, other]) -> pl.LazyFrame: ...  # type: ignore[empty-body]

    return build_graph(dw.Definitions([own]), dt.datetime(2050, 1, 1, tzinfo=dt.UTC)).node("own").upstream


def subset(data: st.DataObject, of: set[int], label: str) -> set[int]:
    return data.draw(st.sets(st.sampled_from(sorted(of))) if of else st.just(set[int]()), label=label)


@settings(deadline=None)
@given(data=st.data())
def test_what_is_found_is_what_a_look_at_every_earlier_partition_finds(data: st.DataObject) -> None:
    partitions = data.draw(st.sampled_from(DEFINITIONS))
    own = own_edges(partitions, *data.draw(st.lists(WINDOWS, min_size=1, max_size=2)))
    size = partitions.size
    earlier = [{u for edge in own for u in edge.correspondence.upstream_of(each, each)} for each in range(size)]
    needed = [
        {u for edge in own if edge.needs is Needs.EACH for u in edge.correspondence.upstream_of(each, each)}
        for each in range(size)
    ]
    everything = set(range(size))
    made, absent = subset(data, everything, "made"), subset(data, everything, "absent")
    stale, wanted = subset(data, made, "stale"), subset(data, everything, "wanted")
    candidates = subset(data, everything - absent, "candidates")

    carried_on, chosen, lacking, reached = set(stale), set[int](), set[int](), set(wanted)
    for ordinal in range(size):
        if ordinal in made and earlier[ordinal] & carried_on:
            carried_on.add(ordinal)
        if ordinal in wanted or (ordinal in candidates and earlier[ordinal] & chosen):
            (lacking if needed[ordinal] & absent - chosen else chosen).add(ordinal)
    for ordinal in reversed(range(size)):
        if ordinal in made and any(ordinal in earlier[each] for each in reached):
            reached.add(ordinal)

    def of(ordinals: set[int]) -> PartitionSet:
        return PartitionSet.of(sorted(ordinals), size)

    assert PartitionSet(carried(of(stale).mask, of(made), own)) == of(carried_on)
    assert follow(of(wanted), of(candidates), of(absent), own) == (of(chosen), of(lacking))
    assert reaching_back(of(wanted), of(made), own) == of(reached)


def calls_in(action: Callable[[], object]) -> int:
    """Count what is called meanwhile; each step of a generator is a call."""
    events: list[str] = []
    sys.setprofile(lambda _frame, event, _of: events.append(event))
    try:
        action()
    finally:
        sys.setprofile(None)
    return sum(event in ("call", "c_call") for event in events)


def carry(size: int, own: Sequence[Edge]) -> object:
    return carried(PartitionSet.of([size - 1], size).mask, PartitionSet.all(size), own)


def follow_all(size: int, own: Sequence[Edge]) -> object:
    return follow(PartitionSet.all(size), PartitionSet.none(size), PartitionSet.all(size), own)


def reach_back(size: int, own: Sequence[Edge]) -> object:
    return reaching_back(PartitionSet.all(size), PartitionSet.of([0], size), own)


@pytest.mark.parametrize("decide", [carry, follow_all, reach_back])
def test_a_window_over_the_whole_past_costs_each_partition_the_same(
    decide: Callable[[int, Sequence[Edge]], object],
) -> None:
    def calls(size: int) -> int:
        hours = dw.HourlyPartitions("2024-01-01", (dt.datetime(2024, 1, 1) + dt.timedelta(hours=size)).isoformat())  # noqa: DTZ001
        own = own_edges(hours, (-size, -1, False))
        return calls_in(lambda: decide(size, own))

    assert calls(600) <= 2.2 * calls(300)
