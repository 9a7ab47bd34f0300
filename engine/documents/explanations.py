"""Explanations: the chain of causes of a status, and what automation decided about it, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from deltaworks.engine.documents.instants import instant_json
from deltaworks.engine.documents.partitions import partitions_json

if TYPE_CHECKING:
    from deltaworks.engine.automation.conditions.told import ToldDecisions
    from deltaworks.engine.definitions.keys import AssetKey
    from deltaworks.engine.planning.explain import Explanation
    from deltaworks.engine.planning.graph import AssetGraph, Node

    ColumnsChanged: TypeAlias = Mapping[AssetKey, tuple[str, ...]]


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
