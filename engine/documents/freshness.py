"""Freshness as JSON and in sentences: how far an asset lags, what it may, and what is not included yet."""

from __future__ import annotations

from typing import Any

from deltaworks.engine.definitions.freshness import length_text
from deltaworks.engine.documents.instants import instant_json, instant_text
from deltaworks.engine.documents.partitions import partitions_json
from deltaworks.engine.planning.freshness import Freshness, Verdict
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.lacking import Lacking, ends_of


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


def freshness_text(found: Freshness, graph: AssetGraph) -> str:
    """Say how far an asset lags and why, in a sentence without its end."""
    match found.verdict:
        case Verdict.UNKNOWN:
            return f"as fresh as nobody can tell: {found.reason}"
        case Verdict.LATE:
            told = f"late, {length_text(found.lag)} behind ({_asked(found)})"
        case Verdict.ON_TIME:
            behind = f", {length_text(found.lag)} behind" if found.lag else ""
            told = f"on time{behind} ({_asked(found)})"
    cause = cause_text(found, graph)
    return told if cause is None else f"{told}: {cause}"


def cause_text(found: Freshness, graph: AssetGraph) -> str | None:
    """Say what is not included; none: everything is."""
    if found.since is None:
        return None
    if found.lacking is None:
        node, since = graph.nodes[found.asset], f"since {instant_text(found.since)} UTC"
        window = next((each for end, each in ends_of(node.partitions, found.measured) if end == found.since), None)
        if window is None:
            return f"nothing has been committed to it {since}"
        return f"{node.spelled(window.ranges())} is over {since} and not there"
    lacking = found.lacking
    what = graph.nodes[lacking.root].spelled(lacking.partitions.ranges())
    by = f" by {lacking.writer}" if lacking.writer else ""
    return (
        f"{what}, committed as version {lacking.version} at {instant_text(lacking.at)} UTC{by}, is not included"
        f"{_way_text(lacking)}"
    )


def _asked(found: Freshness) -> str:
    return str(found.policy) if found.derived_from is None else f"{found.policy}, as {found.derived_from} asks"


def _way_text(lacking: Lacking) -> str:
    """Say which versions were read on the way, so that it can be seen where the commit has got stuck."""
    steps: list[str] = []
    for (reader, _), (read, version) in zip(lacking.way, lacking.way[1:], strict=False):
        steps.append(f"{reader} has read {f'version {version}' if version >= 0 else 'nothing'} of {read}")
    return f": {', '.join(steps)}" if steps else ""


def _lacking_json(lacking: Lacking, graph: AssetGraph) -> dict[str, Any]:
    return {
        "asset": str(lacking.root),
        "version": lacking.version,
        "at": instant_json(lacking.at),
        "partitions": partitions_json(lacking.partitions, graph.nodes[lacking.root].partitions),
        "writer": lacking.writer,
        "way": [{"asset": str(asset), "version": version} for asset, version in lacking.way],
    }
