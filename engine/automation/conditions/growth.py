"""Growth: partitions of time that have no end come as time passes, without anybody writing anything."""

from __future__ import annotations

import datetime as dt

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.engine.planning.graph import AssetGraph


def open_dimensions(definitions: Definitions) -> tuple[TimePartitions, ...]:
    """Return the definitions of time without an end that assets are partitioned by."""
    found = (each for asset in definitions.assets for each in asset.partitions.dimensions)
    return tuple(dict.fromkeys(each for each in found if isinstance(each, TimePartitions) and each.end_us is None))


def has_grown(graph: AssetGraph, now: dt.datetime) -> bool:
    """Return whether there are partitions now that there were not when a graph was built."""
    known = {
        id(written): (written, closed)
        for node in graph.nodes.values()
        for written, closed in zip(node.asset.partitions.dimensions, node.partitions.dimensions, strict=True)
        if isinstance(written, TimePartitions) and written.end_us is None
    }
    return any(
        isinstance(closed, TimePartitions) and written.until(now).end_us != closed.end_us
        for written, closed in known.values()
    )
