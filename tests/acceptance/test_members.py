"""Inputs that read one set of partitions for everything: another set makes another result, however old it is."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.planning.causes import status_groups
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.status import Status
from deltaworks.io.store import Store

NOW = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def assets(partitions: Any, mapping: Any = None) -> tuple[dw.Asset[..., Any], dw.Asset[..., Any]]:
    @dw.asset(partitions=partitions, partition_by="key", code_version="1")
    def source(partition: dw.Partition) -> pl.LazyFrame:
        return pl.LazyFrame({"key": [partition.key], "n": [1]})

    @dw.asset(code_version="1")
    def read(source: Annotated[pl.LazyFrame, dw.Input(mapping=mapping)]) -> pl.LazyFrame:
        return source

    return source, read


def status(lake: Path, *defined: dw.Asset[..., Any]) -> tuple[str, tuple[str, ...]]:
    """The status of `read`, and why."""
    graph = build_graph(dw.Definitions(list(defined)), NOW)
    found = observe(graph, Store(lake)).status
    (group,) = status_groups(found[graph.node("read").key], found)
    return Status(group.status).word, group.causes


def keys(*names: str) -> dw.StaticPartitions:
    return dw.StaticPartitions(names)


REGROUPED = ("stale", ("data: it is made from other partitions of source than were read",))


@pytest.mark.parametrize(
    ("before", "after", "mapping"),
    [
        (keys("a", "b"), keys("a"), None),
        (keys("a", "b"), keys("b", "a"), dw.LastPartitionMapping()),
        (dw.DailyPartitions("2023-01-01", "2023-01-05"), dw.DailyPartitions("2023-01-01", "2023-01-03"), None),
        (
            dw.DailyPartitions("2023-01-01", "2023-01-05"),
            dw.DailyPartitions("2023-01-01", "2023-01-03"),
            dw.LastPartitionMapping(),
        ),
    ],
)
def test_another_set_of_old_partitions_makes_it_stale(tmp_path: Path, before: Any, after: Any, mapping: Any) -> None:
    dw.materialize(assets(before, mapping), lake=tmp_path)
    assert status(tmp_path, *assets(before, mapping)) == ("fresh", ())

    assert status(tmp_path, *assets(after, mapping)) == REGROUPED

    dw.materialize(assets(after, mapping), lake=tmp_path)
    assert status(tmp_path, *assets(after, mapping)) == ("fresh", ())
    assert status(tmp_path, *assets(before, mapping)) == REGROUPED


def test_a_partition_that_is_not_there_yet_changes_nothing(tmp_path: Path) -> None:
    few = dw.DailyPartitions("2023-01-01", "2023-01-03")
    more = dw.DailyPartitions("2023-01-01", "2023-01-05")
    for mapping in (dw.AllPartitionsMapping(), dw.LastPartitionMapping()):
        dw.materialize(assets(few, mapping), lake=tmp_path)

        assert status(tmp_path, *assets(more, mapping)) == ("fresh", ())
