"""Lineage: what an asset or a column is made of, and what is made of it, as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deltaworks.engine.definitions.keys import AssetKey
    from deltaworks.engine.planning.graph import AssetGraph
    from deltaworks.engine.planning.lineage import Lineage
    from deltaworks.engine.planning.lineage_expressions import Source


def lineage_json(asset: AssetKey, found: Lineage, graph: AssetGraph) -> dict[str, Any]:
    """Return the assets above and below one, and what its columns are made of and feed, one step away."""
    reads, readers = neighbours(graph)
    return {
        "asset": str(asset),
        "column": None,
        "upstream": [_entry((key, None), None, distance) for key, distance in walk(asset, reads).items()],
        "downstream": [_entry((key, None), None, distance) for key, distance in walk(asset, readers).items()],
        "columns": [column_json((asset, name), found, is_near=True) for name in found.assets[asset]],
    }


def neighbours(graph: AssetGraph) -> tuple[Callable[[AssetKey], list[AssetKey]], Callable[[AssetKey], list[AssetKey]]]:
    """Return what tells the assets that one reads, and those that read it."""
    reads = {key: [edge.upstream for edge in node.reads] for key, node in graph.every.items()}
    readers: dict[AssetKey, list[AssetKey]] = {key: [] for key in reads}
    for key, read in reads.items():
        for each in read:
            if each != key:
                readers[each].append(key)
    return reads.__getitem__, readers.__getitem__


def walk(start: AssetKey, step: Callable[[AssetKey], Iterable[AssetKey]]) -> Mapping[AssetKey, int]:
    """Return the assets that an asset leads to, nearest first, with how far each is."""
    found: dict[AssetKey, int] = {start: 0}
    for key in (waiting := [start]):
        for each in step(key):
            if each not in found:
                found[each] = found[key] + 1
                waiting.append(each)
    return {key: distance for key, distance in found.items() if distance}


def column_json(column: Source, found: Lineage, *, is_near: bool = False) -> dict[str, Any]:
    """Return the columns above and below a column; `is_near`: those one step away alone."""
    if is_near:
        above = [_entry(each, influence, 1) for each, influence in found.of(column).sources]
        below = [_entry(each, influence, 1) for each, influence in found.readers.get(column, {}).items()]
    else:
        above = [_entry(each.column, each.influence, each.distance) for each in found.upstream(column)]
        below = [_entry(each.column, each.influence, each.distance) for each in found.downstream(column)]
    return {
        "asset": str(column[0]),
        "column": column[1],
        "opaque": found.of(column).is_opaque,
        "upstream": above,
        "downstream": below,
    }


def _entry(column: tuple[AssetKey, str | None], influence: str | None, distance: int) -> dict[str, Any]:
    return {"asset": str(column[0]), "column": column[1], "kind": influence, "distance": distance}
