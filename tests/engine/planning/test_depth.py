"""Chains of thousands of tables are decided on, explained and selected from like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.causes import status_groups, status_ranges
from deltaworks.engine.planning.explain import DEEPEST, explain
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.selection import select
from deltaworks.engine.planning.status import LakeStatus

LEVELS = 2_000
LAST = AssetKey(f"t{LEVELS - 1}")


@pytest.fixture(scope="module")
def graph(lake_of: Callable[..., Any], table_of: Callable[..., Any]) -> AssetGraph:
    """Return tables that are each made from the one before."""
    made = (table_of(f"t{level}", **{f"t{level - 1}": None}) for level in range(1, LEVELS))
    return lake_of(table_of("t0"), *made).graph


@pytest.fixture(scope="module")
def status(graph: AssetGraph, lake_of: Callable[..., Any], table_of: Callable[..., Any]) -> LakeStatus:
    """Return the status when the first table was made by other code than now: all are like the second."""
    lake = lake_of(table_of("t0"), table_of("t1", t0=None))
    lake.make("t0", code="override:old")
    lake.make("t1")
    first, second = lake.status().values()
    (given,) = second.inputs
    rest = list(graph.nodes.values())[1:]
    alike = (replace(second, node=node, inputs=(replace(given, edge=node.upstream[0]),)) for node in rest)
    return {first.node.key: first, **{each.node.key: each for each in alike}}


def test_the_root_of_staleness_is_told_however_far_it_is(status: LakeStatus) -> None:
    cause = f"upstream: t{LEVELS - 2} is stale, since code: t0 changed since it was made"

    (last,) = status_ranges(status[LAST], status)

    assert last.causes == (cause,)
    assert [each.causes for each in status_groups(status[LAST], status)] == [(cause,)]


def test_an_explanation_ends_at_a_depth_and_says_where_to_ask_on(status: LakeStatus) -> None:
    (each,) = explain(status, LAST, PartitionSet.all(1))
    way = [each]
    while way[-1].upstream:
        way += way[-1].upstream

    assert [str(each.asset) for each in way] == [f"t{LEVELS - 1 - level}" for level in range(DEEPEST + 1)]
    assert [each.deeper for each in way if each.deeper] == [(AssetKey(f"t{LEVELS - 2 - DEEPEST}"),)]
    assert way[-1].causes == (f"upstream: t{LEVELS - 2 - DEEPEST} is stale, since code: t0 changed since it was made",)


def test_levels_are_walked(graph: AssetGraph) -> None:
    assert len(select(graph, [f"+{LAST}"])) == LEVELS
    assert len(select(graph, ["t0+1500"])) == 1501
