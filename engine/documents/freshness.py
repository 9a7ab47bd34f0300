"""Freshness as JSON: how far an asset lags, what it may, and what is not included yet."""

from __future__ import annotations

from typing import Any

from deltaworks.engine.documents.instants import instant_json
from deltaworks.engine.documents.partitions import partitions_json
from deltaworks.engine.planning.freshness import Freshness
from deltaworks.engine.planning.freshness_text import freshness_text
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.lacking import Lacking


def freshness_json(found: Freshness, graph: AssetGraph) -> dict[str, Any]:
    """Return how fresh an asset is as JSON."""
    policy, node = found.policy, graph.nodes[found.asset]
    return {
        "verdict": found.verdict.value,
        "lag_s": found.lag.total_seconds(),
        "policy": str(policy),
        "target_lag_s": policy.target_lag.total_seconds(),
        "cron": None if policy.ticks is None else str(policy.ticks.cron),
        "timezone": None if policy.ticks is None else policy.ticks.timezone,
        "derived_from": None if found.derived_from is None else str(found.derived_from),
        "partitions": partitions_json(found.measured, node.partitions),
        "since": instant_json(found.since),
        "due_at": instant_json(found.due_at),
        "reason": found.reason,
        "sentence": freshness_text(found, graph),
        "lacking": None if found.lacking is None else _lacking_json(found.lacking, graph),
    }


def _lacking_json(lacking: Lacking, graph: AssetGraph) -> dict[str, Any]:
    return {
        "asset": str(lacking.root),
        "version": lacking.version,
        "at": instant_json(lacking.at),
        "partitions": partitions_json(lacking.partitions, graph.nodes[lacking.root].partitions),
        "writer": lacking.writer,
        "way": [{"asset": str(asset), "version": version} for asset, version in lacking.way],
    }
