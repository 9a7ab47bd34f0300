"""Freshness for people: which assets are late, and what they do not include yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from deltaworks.cli.output import Cell

if TYPE_CHECKING:
    from deltaworks.engine.definitions.keys import AssetKey
    from deltaworks.engine.planning.freshness import Freshness
    from deltaworks.engine.planning.graph import AssetGraph

_TONES = {"on time": "good", "late": "bad", "unknown": "stale"}


def freshness_lines(found: Mapping[AssetKey, Freshness], graph: AssetGraph) -> Iterator[Cell]:
    """Yield a line for each asset that has a policy."""
    # Imported here: --help must not load Polars.
    from deltaworks.engine.planning.freshness_text import freshness_text

    for each in found.values():
        named = graph.nodes[each.asset].spelled(each.measured.ranges())
        yield Cell(f"{named} is {freshness_text(each, graph)}", _TONES[each.verdict])
