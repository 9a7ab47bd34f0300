"""SharedCalls: which assets are made together, by one call of the function that has all of them as outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph


def shared_calls(graph: AssetGraph, planned: Iterable[AssetKey]) -> Mapping[AssetKey, tuple[AssetKey, ...]]:
    """Return for each planned asset the other planned ones of the same call; those that have none are not in it."""
    by_call: dict[int, list[AssetKey]] = {}
    for key in planned:
        shared = graph.nodes[key].asset.shared
        if shared is not None:
            by_call.setdefault(id(shared), []).append(key)
    return {
        key: tuple(other for other in keys if other != key)
        for keys in by_call.values()
        for key in keys
        if len(keys) > 1
    }
