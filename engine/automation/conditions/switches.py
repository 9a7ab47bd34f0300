"""Switches of conditions: all conditions of a lake are started and stopped together, and those of an asset alone."""

from __future__ import annotations

from urllib.parse import quote

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.io.condition_notes import NAME
from deltaworks.io.store import Store
from deltaworks.io.switches import read_switches


def switch_name(key: AssetKey) -> str:
    """Return the name of the switch of an asset's condition; no schedule and no sensor has the same."""
    return f"{NAME}={quote(str(key), safe='')}"


def stopped(store: Store, graph: AssetGraph) -> frozenset[AssetKey]:
    """Return the assets whose own conditions somebody has stopped.

    Raises:
        StorageError: a switch is damaged.
    """
    off = {name for name, is_on in read_switches(store).items() if not is_on}
    return frozenset(key for key in graph.nodes if switch_name(key) in off) if off else frozenset()


def are_on(store: Store) -> bool:
    """Return whether daemons act on the conditions of a lake.

    Raises:
        StorageError: a switch is damaged.
    """
    return read_switches(store).get(NAME, True)
