"""Freshness of a lake as it was observed: the state and the past of its tables put together for planning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.observe import Observation
from deltaworks.engine.execution.past import LakePast
from deltaworks.engine.planning.freshness import Freshness, freshness
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.io.store import Store


def lake_freshness(
    graph: AssetGraph,
    store: Store,
    observation: Observation,
    now: dt.datetime,
    assets: Iterable[AssetKey] | None = None,
) -> dict[AssetKey, Freshness]:
    """Return how fresh the assets of a lake are that have a policy, or take one from what is made from them.

    Cost: nothing is read for what includes everything; else the commits from what was read to the first that is not
    included.

    Raises:
        StorageError: a commit cannot be read.
    """
    state = {key: found.state for key, found in observation.status.items()}
    return freshness(graph, state, LakePast(graph, store, observation.tables), now, assets)
