"""Memory: what the evaluation of conditions hands on to the next one.

It is small: up to which version each table was seen, what was asked for last, and what `since` and `newly_true`
remember. Nothing of `missing` or `stale` is in it, so a daemon that lost it asks for the same partitions again, as far
as they are not made yet. As a text it names partitions by their keys, since definitions change between two daemons.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deltaworks.engine.automation.conditions.spelling import spell, unspell
from deltaworks.engine.definitions.automation.condition import AutomationCondition
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.errors import StorageError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a table was seen."""

    table_id: str | None
    version: int
    """-1: there was no table."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Partitions of an asset, as its definition was."""

    asset: AssetKey
    partitions: Partitions
    chosen: PartitionSet

    def on(self, node: Node) -> PartitionSet:
        """Return the same partitions of the definition as it is; none, if that means something else now."""
        before, after = self.partitions, node.partitions
        if before is after or (before.size == after.size and before == after):
            return self.chosen
        if not self.chosen or before.scheme != after.scheme:
            return PartitionSet.none(after.size)
        return PartitionSet.of(after.ordinals(before.keys(self.chosen.mask.arg_true())).drop_nulls(), after.size)

    def to_json(self) -> list[Any]:
        """Return the asset and the partitions by their keys."""
        return [str(self.asset), spell(self.partitions, self.chosen)]

    @classmethod
    def from_json(cls, document: list[Any], nodes: Mapping[str, Node]) -> Kept | None:
        """Read partitions, as far as the definition has them; none: there is no such asset any more."""
        name, written = document
        if name not in nodes:
            return None
        partitions = nodes[name].partitions
        return cls(nodes[name].key, partitions, unspell(partitions, written))


@dataclass(frozen=True, slots=True)
class AssetMemory:
    """What is remembered of one asset's condition."""

    condition: str
    """What it meant; what is remembered of another condition is forgotten."""
    requested: Kept
    """What the last evaluation asked for."""
    truths: Mapping[str, Kept]
    """By the place of a condition inside of it: what it was true of, of the asset or of one of its upstreams."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of all conditions."""

    at: dt.datetime | None = None
    """When they were last evaluated; none: they never were."""
    seen: Mapping[AssetKey, Seen] = field(default_factory=dict[AssetKey, Seen])
    assets: Mapping[AssetKey, AssetMemory] = field(default_factory=dict[AssetKey, AssetMemory])

    def of(self, node: Node, condition: AutomationCondition) -> AssetMemory | None:
        """Return what is remembered of an asset's condition; none: it is a new one, or another than it was."""
        found = self.assets.get(node.key)
        return None if found is None or found.condition != described(condition) else found

    def to_text(self) -> str:
        """Return the memory as JSON, but for when it is of."""
        document = {
            "format": FORMAT,
            "seen": {str(key): [seen.table_id, seen.version] for key, seen in self.seen.items()},
            "assets": {
                str(key): {
                    "condition": each.condition,
                    "requested": each.requested.to_json(),
                    "truths": {place: true.to_json() for place, true in each.truths.items()},
                }
                for key, each in self.assets.items()
            },
        }
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str, graph: AssetGraph, at: dt.datetime | None) -> Memory:
        """Read a memory of some time for the assets that there are now; what it says of others is forgotten.

        Raises:
            StorageError: it is damaged.
        """
        try:
            document = json.loads(text)
            nodes = {str(key): node for key, node in graph.nodes.items()}
            assets = {nodes[name].key: _read(each, nodes) for name, each in document["assets"].items() if name in nodes}
            seen = {nodes[name].key: Seen(*each) for name, each in document["seen"].items() if name in nodes}
            return cls(at, seen, assets)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StorageError(
                f"the memory of automation conditions is damaged ({type(error).__name__}: {error}); delete it: they "
                "begin anew, and what is missing or stale is found in the logs"
            ) from error


def described(condition: AutomationCondition) -> str:
    """Return all that a condition means in words, whatever name it goes by."""
    inside = ", ".join(map(described, condition.parts))
    more = "" if condition.ticks is None else f"{condition.ticks.cron} {condition.ticks.timezone}"
    more += "" if condition.lookback is None else f"{condition.lookback.total_seconds():g} s"
    return f"{condition.operator}({more}{inside})"


def _read(document: Any, nodes: Mapping[str, Node]) -> AssetMemory:
    requested = Kept.from_json(document["requested"], nodes)
    assert requested is not None, "it is the asset's own"
    truths = {place: Kept.from_json(each, nodes) for place, each in document["truths"].items()}
    known = {place: kept for place, kept in truths.items() if kept is not None}
    return AssetMemory(document["condition"], requested, known)
