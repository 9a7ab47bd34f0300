"""Plans: what would be made, why, how much that is, and what is left out, as JSON."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from deltaworks.engine.documents.partitions import partitions_json

if TYPE_CHECKING:
    from deltaworks.engine.documents.problems import Problems
    from deltaworks.engine.execution.decide import Decision
    from deltaworks.engine.planning.estimate import Estimate, Estimates
    from deltaworks.engine.planning.graph import AssetGraph
    from deltaworks.engine.planning.plan import Plan
    from deltaworks.engine.planning.request import Request


def plan_json(decision: Decision, graph: AssetGraph, estimates: Estimates, problems: Problems) -> dict[str, Any]:
    """Return a plan, and how much it will come to."""
    decided = decision.plan
    above = dict.fromkeys((*graph.above(decision.asked.request.partitions), *decision.faults))
    troubled = {str(key): told["problem"] for key in above if "problem" in (told := problems.json(key))}
    return {
        "steps": [
            {
                "asset": str(step.asset),
                "partitions": partitions_json(step.partitions, graph.nodes[step.asset].partitions),
                "reasons": list(step.reasons),
                **estimate_json(estimate),
            }
            for step, estimate in zip(decided.steps, estimates.steps, strict=True)
        ],
        "totals": {
            "assets": len(decided.planned),
            "partitions": decided.partition_count,
            **estimate_json(estimates.total),
        },
        "at_least": estimate_json(estimates.at_least),
        "workers": estimates.workers,
        "plan_hash": plan_hash(decided, graph),
        "left_out": left_out_json(decided, graph),
        "migrations": migrations_json(decision),
        "without": without_json(decision.asked.request, graph),
        "never_observed": list(map(str, decision.never_observed)),
        "as_observed": {str(key): version for key, version in decision.as_observed},
        "problems": {**troubled, **{str(key): problem for key, problem in decision.misfits.items()}},
    }


def plan_hash(plan: Plan, graph: AssetGraph) -> str:
    """Return what is the same for plans that make the same partitions, by the same code."""
    made = [
        [str(key), graph.nodes[key].code, partitions_json(part, graph.nodes[key].partitions)["ranges"]]
        for key, part in plan.planned.items()
    ]
    return hashlib.sha256(json.dumps(made).encode()).hexdigest()[:16]


def estimate_json(estimate: Estimate) -> dict[str, Any]:
    """Return an estimate; null is what nobody knows."""
    seconds = estimate.duration_s
    return {
        "rows": estimate.rows,
        "bytes": estimate.size_bytes,
        "duration_s": None if seconds is None else round(seconds, 3),
    }


def without_json(request: Request, graph: AssetGraph) -> list[str]:
    """Return which assets have none of the partitions that were named."""
    return [str(key) for key in request.without(graph)]


def migrations_json(decision: Decision) -> list[dict[str, Any]]:
    """Return which tables have to be migrated first, and how."""
    return [
        {
            "asset": each.asset,
            "version": each.version,
            "changes": [
                {
                    "column": change.column,
                    "change": change.change.value,
                    "expected": change.expected,
                    "found": change.found,
                }
                for change in each.changes
            ],
            "command": each.command,
        }
        for each in decision.migrations
    ]


def left_out_json(plan: Plan, graph: AssetGraph) -> list[dict[str, Any]]:
    """Return what of a request cannot be made, and what would change that."""
    return [
        {
            "asset": str(left.asset),
            "partitions": partitions_json(left.partitions, graph.nodes[left.asset].partitions),
            "upstream": str(left.upstream),
            "reason": left.reason(graph),
            "command": left.command,
        }
        for left in plan.left_out
    ]
