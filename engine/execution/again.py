"""Again: decide anew about a plan that had to wait, on the lake as it is when its turn has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.events import PartitionSkipped
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.swap import Swap
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.plan import Only, Plan, plan
from deltaworks.engine.planning.request import Request
from deltaworks.engine.planning.status import Status
from deltaworks.io.store import Store
from deltaworks.io.table import Table


@dataclass(frozen=True, slots=True)
class Again:
    """What is left of a plan."""

    plan: Plan
    tables: Mapping[AssetKey, Table]
    made_by_others: tuple[PartitionSkipped, ...]
    """What others have made meanwhile, so that it is not planned any more."""
    swap: Swap | None = None
    """What is to be put in the place of its table at once; none: batches are committed."""


DecideAgain: TypeAlias = Callable[[], Again]


def decide_again(graph: AssetGraph, store: Store, before: Plan, then: Mapping[AssetKey, Table]) -> Again:
    """Decide what of a plan is still asked for; nothing else joins it.

    Of partitions that are asked for whatever their status, those go that a run has made meanwhile and that are fresh.

    Args:
        graph: the assets.
        store: the lake.
        before: the plan.
        then: the tables on which it was made.

    Raises:
        RequestError: nothing of it can be made any more.
        StorageError: the lake cannot be read.
    """
    seen = observe(graph, store)
    found = plan(graph, seen.status, Request(before.planned), before.only)
    planned, skipped = dict[AssetKey, PartitionSet](), list[PartitionSkipped]()
    for key, part in before.planned.items():
        left = found.planned.get(key, PartitionSet.none(part.size))
        changed = dict(_changed(graph.nodes[key], seen.tables[key], part, then[key].version))
        if Only.ALL in before.only:
            fresh = seen.status[key].having(Status.FRESH)
            left -= PartitionSet.of([ordinal for ordinal in changed if ordinal in fresh], part.size)
        skipped += [each for ordinal, each in changed.items() if ordinal not in left]
        if left:
            planned[key] = left
    steps = (
        replace(each, partitions=each.partitions & planned[each.asset]) for each in found.steps if each.asset in planned
    )
    left_out = (*before.left_out, *found.left_out)
    decided = replace(
        before,
        steps=tuple(each for each in steps if each.partitions),
        left_out=left_out,
        planned=planned,
        failing=found.failing,
    )
    return Again(decided, seen.tables, tuple(skipped))


def _changed(node: Node, table: Table, part: PartitionSet, since: int) -> Iterator[tuple[int, PartitionSkipped]]:
    """Yield the partitions that were changed after a version, each with who did it."""
    for ordinal in part:
        key = node.partitions.key(ordinal)
        version = table.changed_at(key)
        if version > since:
            yield ordinal, PartitionSkipped(node.key, key, version, str(table.writers[version]))
