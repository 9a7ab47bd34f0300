"""Strata: a plan cut into parts that one code location each carries out, one after the other or at the same time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.check_nodes import awaited_by_checks
from deltaworks.engine.planning.graph import AssetGraph


@dataclass(frozen=True, slots=True)
class Stratum:
    """Assets of one location that need nothing of a plan but each other and the strata of lower levels."""

    level: int
    location: str
    assets: tuple[AssetKey, ...]
    """Upstreams first."""


def strata(graph: AssetGraph, planned: Iterable[AssetKey]) -> tuple[Stratum, ...]:
    """Cut assets into as few levels as there are changes of location on the longest way through them.

    Args:
        graph: the assets, each of a location.
        planned: those that are made, upstreams first.
    """
    levels: dict[AssetKey, int] = {}
    members: dict[tuple[int, str], list[AssetKey]] = {}
    for key in planned:
        own = location_of(graph, key)
        above = [levels[read] + (location_of(graph, read) != own) for read in _read(graph, key) if read in levels]
        levels[key] = max(above, default=0)
        members.setdefault((levels[key], own), []).append(key)
    found = (Stratum(level, location, tuple(assets)) for (level, location), assets in members.items())
    return tuple(sorted(found, key=lambda each: each.level))


def location_of(graph: AssetGraph, key: AssetKey) -> str:
    """Return which location an asset is of."""
    foreign = graph.every[key].asset.foreign
    assert foreign is not None, "all assets of a workspace are of a location"
    return foreign.location


def _read(graph: AssetGraph, key: AssetKey) -> Iterator[AssetKey]:
    yield from (edge.upstream for edge in graph.nodes[key].upstream if not edge.is_own)
    yield from (edge.upstream for edge in awaited_by_checks(graph, key))
