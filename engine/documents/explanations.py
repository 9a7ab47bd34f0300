"""Explanations: the chain of causes of a status, and what automation decided about it, as JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from deltaworks.engine.documents.instants import instant_json
from deltaworks.engine.documents.partitions import partitions_json
from deltaworks.engine.documents.problems import Problems

if TYPE_CHECKING:
    from deltaworks.engine.automation.conditions.told import ToldDecisions
    from deltaworks.engine.definitions.keys import AssetKey
    from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
    from deltaworks.engine.execution.observe import Observation
    from deltaworks.engine.planning.explain import Explanation
    from deltaworks.engine.planning.freshness import Freshness
    from deltaworks.engine.planning.graph import AssetGraph, Node
    from deltaworks.io.store import Store

    ColumnsChanged: TypeAlias = Mapping[AssetKey, tuple[str, ...]]


@dataclass(frozen=True)
class Why:
    """Why partitions of an asset are as they are."""

    asset: AssetKey
    explanations: tuple[Explanation, ...]
    columns: ColumnsChanged
    """By asset, which columns a change of code has changed, where that is known."""
    problems: Problems
    automation: ToldDecisions | None
    """None: nothing makes it by itself."""
    sources: tuple[AssetKey, ...]
    """What it reads that has no log of its own."""
    freshness: Mapping[AssetKey, Freshness]
    """How far it lags behind what its data comes from; empty: nothing is promised of it."""

    def json(self, graph: AssetGraph) -> dict[str, Any]:
        """Return it as a document."""
        # Imported here: --help must not load Polars.
        from deltaworks.engine.documents.freshness import freshness_json

        above = {str(each): self.problems.json(each) for each in graph.above((self.asset,)) if each != self.asset}
        return {
            "asset": str(self.asset),
            "explanations": [explanation_json(each, graph, self.columns) for each in self.explanations],
            "problem": self.problems.json(self.asset).get("problem"),
            "problems_above": {name: found["problem"] for name, found in above.items() if "problem" in found},
            "sources_read": list(map(str, self.sources)),
            "freshness": freshness_json(self.freshness[self.asset], graph) if self.asset in self.freshness else None,
            "automation": None
            if self.automation is None
            else automation_json(self.automation, graph.nodes[self.asset]),
        }


def find_why(
    graph: AssetGraph, store: Store, observation: Observation, key: AssetKey, within: PartitionSet, now: dt.datetime
) -> Why:
    """Find out why partitions of an asset are as they are.

    Cost: for each asset whose code changed one call on empty frames, and one commit of its table read.

    Raises:
        StorageError: the lake cannot be read.
    """
    # Imported here: --help must not load Polars and pandera.
    from deltaworks.engine.automation.conditions.told import told_decisions
    from deltaworks.engine.execution.columns import columns_changed
    from deltaworks.engine.execution.freshness import lake_freshness
    from deltaworks.engine.planning.explain import explain

    explanations = explain(observation.status, key, within, observation.runs)
    return Why(
        asset=key,
        explanations=explanations,
        columns=columns_changed(graph, observation.tables, explanations),
        problems=Problems.of(observation, graph),
        automation=told_decisions(graph, store, key, within, now),
        sources=tuple(graph.sources_read_by(graph.nodes[key])),
        freshness=lake_freshness(graph, store, observation, now, (key,)),
    )


def explanation_json(each: Explanation, graph: AssetGraph, columns: ColumnsChanged) -> dict[str, Any]:
    """Return why partitions have their status, with all that lies above.

    `columns`: by asset, which columns a change of code has changed, where that is known.
    """
    code, changed = each.code, columns.get(each.asset)
    return {
        "asset": str(each.asset),
        "partitions": partitions_json(each.partitions, graph.nodes[each.asset].partitions),
        "status": each.status.word,
        "causes": list(each.causes),
        "code": None
        if code is None
        else {
            "now": code.version,
            "file": code.where.file,
            "line": code.where.line,
            "columns": None if changed is None else list(changed),
        },
        "made": [
            {
                "run_id": made.run_id,
                "versions": list(made.versions),
                "partitions": made.partitions,
                "inputs": {asset: list(versions) for asset, versions in made.inputs.items()},
                "code": made.code,
            }
            for made in each.made
        ],
        "failed": [
            {"run_id": attempt.run_id, "partition": attempt.partition or None, "error": attempt.error}
            for attempt in each.attempts
        ],
        "upstream": [explanation_json(upstream, graph, columns) for upstream in each.upstream],
        "explained_above": [str(key) for key in each.above],
        "goes_on_at": [str(key) for key in each.deeper],
    }


def automation_json(told: ToldDecisions, node: Node) -> dict[str, Any]:
    """Return what a condition decided about partitions of an asset."""
    return {
        "condition": told.condition,
        "at": instant_json(told.at),
        "decisions": [
            {"partitions": partitions_json(each.partitions, node.partitions), "sentence": each.sentence}
            for each in told.decisions
        ],
        "unasked": partitions_json(told.unasked, node.partitions),
    }
