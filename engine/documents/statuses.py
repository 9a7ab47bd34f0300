"""Statuses: which partitions of assets are fresh, stale, missing and external, as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.documents.partitions import ranges_json
from deltaworks.engine.documents.problems import Problems
from deltaworks.engine.planning.causes import StatusRange
from deltaworks.engine.planning.status import AssetStatus, Status

SHOWN_BEYOND = 5
"""How many partitions beyond a definition are named."""


def status_json(
    found: AssetStatus, within: PartitionSet, problems: Problems, ranges: Iterable[StatusRange] | None = None
) -> dict[str, Any]:
    """Return how many partitions have each status, and with `ranges` which ones, and why."""
    document: dict[str, Any] = {
        "asset": str(found.node.key),
        "version": found.state.version,
        "partitions": {**status_numbers(found, within), "undefined": found.state.undefined},
        **problems.json(found.node.key),
    }
    if ranges is not None:
        document["ranges"] = [_range_json(found, each) for each in ranges]
        if found.state.undefined:
            document["undefined"] = {"count": found.state.undefined, "some": found.state.some_beyond(SHOWN_BEYOND)}
    return document


def status_numbers(found: AssetStatus, within: PartitionSet) -> dict[str, int]:
    """Return how many of some partitions there are in all, with each status, and failed, which lies over these."""
    counts = {each.word: len(found.having(each) & within) for each in Status}
    return {"total": len(within), **counts, "failed": len(found.state.failed & within)}


def _range_json(found: AssetStatus, each: StatusRange) -> dict[str, Any]:
    return {
        "status": each.status.word,
        "partitions": ranges_json([(each.first, each.last)], found.node.partitions),
        "causes": list(each.causes),
    }
