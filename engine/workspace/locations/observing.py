"""Observing: sources of several code locations are observed, those of each in its own process."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.resolution import DynamicKeys
from deltaworks.engine.execution.events import EventSink
from deltaworks.engine.execution.look import Observed
from deltaworks.engine.execution.sources import Observations
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.strata import location_of
from deltaworks.engine.workspace.locations.handing import surroundings
from deltaworks.engine.workspace.locations.parts import EventTold
from deltaworks.engine.workspace.locations.workspace import Workspace
from deltaworks.errors import DefinitionError
from deltaworks.io.store import Store


def observe_across(
    workspace: Workspace,
    graph: AssetGraph,
    store: Store,
    sources: Sequence[AssetKey],
    *,
    command: str,
    now: dt.datetime,
    keys: DynamicKeys | None,
    tell: EventSink,
    is_repeated: bool,
) -> Observations:
    """Observe sources, those of each location in its own process.

    A location that cannot do it fails its sources and none of the others.
    """
    found = Observations()
    for location in dict.fromkeys(location_of(graph, key) for key in sources):
        own = [key for key in sources if location_of(graph, key) == location]
        told = {
            "around": surroundings(graph, location, own, now, keys),
            "store": store,
            "sources": tuple(own),
            "command": command,
            "is_repeated": is_repeated,
        }
        seen = _observed(workspace, location, told, own, _passing_on(tell))
        found = Observations((*found.sources, *seen.sources), seen.entry or found.entry)
    return found


def _observed(
    workspace: Workspace,
    location: str,
    told: Mapping[str, Any],
    own: Sequence[AssetKey],
    hear: Callable[[object], None],
) -> Observations:
    try:
        seen: Observations = workspace.location(location).process().ask("observe", told, hear)
    except DefinitionError as error:
        return Observations(tuple(Observed(key, error=str(error)) for key in own))
    return seen


def _passing_on(tell: EventSink) -> Callable[[object], None]:
    def hear(told: object) -> None:
        if isinstance(told, EventTold):
            tell(told.event)

    return hear
