"""ToldDecisions: what automation decided about partitions of an asset, for somebody who asks why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from deltaworks.engine.automation.conditions.rounds import Rounds, noted_decisions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.io.condition_notes import DecisionNote, read_decisions
from deltaworks.io.store import Store


@dataclass(frozen=True, slots=True)
class ToldDecision:
    """Partitions, and what was decided about them."""

    partitions: PartitionSet
    sentence: str


@dataclass(frozen=True, slots=True)
class ToldDecisions:
    """What was decided about the partitions of an asset that somebody asks about."""

    condition: str
    at: dt.datetime | None
    """When it was decided; none: nobody evaluates the conditions of this lake, so this is what would be decided now."""
    decisions: tuple[ToldDecision, ...]
    unasked: PartitionSet
    """Those that the condition does not ask for."""


def told_decisions(
    graph: AssetGraph, store: Store, key: AssetKey, within: PartitionSet, now: dt.datetime
) -> ToldDecisions | None:
    """Return what was last decided about partitions of an asset; none: it has no condition.

    Raises:
        StorageError: what is kept of the last evaluation is damaged, or the lake cannot be read.
    """
    node, notes = graph.nodes[key], read_decisions(store)
    if node.asset.automation is None:
        return None
    if notes is None:
        decided: Iterable[DecisionNote] = noted_decisions(Rounds(graph, store).tick(now))
    else:
        decided = notes.decisions
    found: list[ToldDecision] = []
    unasked = within
    for each in decided:
        part = within & _partitions(node, each) if each.asset == str(key) else None
        if part:
            found.append(ToldDecision(part, each.sentence))
            unasked = unasked - part
    return ToldDecisions(repr(node.asset.automation), None if notes is None else notes.at, tuple(found), unasked)


def _partitions(node: Node, note: DecisionNote) -> PartitionSet:
    """Return the partitions that a note names, as far as the definition still has them."""
    found = PartitionSet.none(node.partitions.size)
    for first, last in note.ranges:
        if not node.is_partitioned:
            return PartitionSet.all(1)
        found = found | (node.partitions.between(first, last) or PartitionSet.none(found.size))
    return found
