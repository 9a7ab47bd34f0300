from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

import deltaworks as dw
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.agenda import Agenda
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.planning.plan import Plan

DAYS = 10
OUTPUTS = ("a", "b", "c")
days = dw.DailyPartitions(start="2024-01-01", end="2024-01-11")


@dw.asset(partitions=days, partition_by="day")
def raw(partition: dw.Partition) -> pl.LazyFrame:
    raise NotImplementedError


@dw.multi_asset(
    outs={name: dw.AssetSpec() for name in OUTPUTS},
    partitions=days,
    partition_by="day",
    backfill=dw.BackfillPolicy.ranges(max_partitions=4),
)
def all_three(raw: pl.LazyFrame) -> Mapping[str, pl.LazyFrame]:
    raise NotImplementedError


@dw.asset(partitions=days, partition_by="day")
def last(b: pl.LazyFrame) -> pl.LazyFrame:
    return b


@cache
def graph() -> AssetGraph:
    return build_graph(dw.Definitions([last, all_three, raw]), dt.datetime(2024, 2, 1, tzinfo=dt.UTC))


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_one_call_makes_all_that_is_planned_of_its_partitions_and_each_of_them_once(data: st.DataObject) -> None:
    names = ("raw", *OUTPUTS, "last")
    planned = {name: data.draw(st.sets(st.integers(0, DAYS - 1), min_size=1), label=name) for name in names}
    lost = data.draw(st.sets(st.sampled_from(sorted(planned["raw"]))), label="lost")
    sets: dict[Any, PartitionSet] = {key: PartitionSet.of(sorted(planned[str(key)]), DAYS) for key in graph().nodes}
    agenda = Agenda(graph(), Plan((), (), sets))
    made: list[tuple[str, int]] = []

    while (taken := agenda.take()) is not None:
        key, first, final = taken
        made_together = {str(key), *map(str, agenda.along(*taken))}
        for ordinal in range(first, final + 1):
            if str(key) in OUTPUTS:
                assert made_together == {name for name in OUTPUTS if ordinal in planned[name]}
            made += [(name, ordinal) for name in made_together]
            if str(key) == "raw" and ordinal in lost:
                list(agenda.failed(key, ordinal))
                continue
            for each in graph().nodes:
                if str(each) in made_together:
                    agenda.committed(each, ordinal)

    assert len(made) == len(set(made))
    blocked = {(name, each) for name in OUTPUTS for each in lost & planned[name]}
    blocked |= {("last", each) for each in lost & planned["b"]}
    assert set(made) == {(name, each) for name, part in planned.items() for each in part} - blocked
    assert not agenda.is_unsettled
