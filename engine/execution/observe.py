"""Observe: read a lake's logs and ledger, and compute the status of everything in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.opening import open_and_keep
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.state import lake_state
from deltaworks.engine.planning.status import LakeStatus, lake_status
from deltaworks.io.ledger import read_runs
from deltaworks.io.store import Store
from deltaworks.io.table import Table


@dataclass(frozen=True, slots=True)
class Observation:
    """A lake as it was read."""

    tables: Mapping[AssetKey, Table]
    status: LakeStatus


def observe(graph: AssetGraph, store: Store) -> Observation:
    """Read every asset's log to its end and compute all statuses. On an absent lake everything is missing.

    Raises:
        LogGap: a commit is missing or damaged.
        TableMismatch: others write a table, and it is not partitioned as its asset says.
    """
    tables = {key: open_and_keep(store, node.asset) for key, node in graph.nodes.items()}
    return Observation(tables, lake_status(graph, lake_state(graph, tables, read_runs(store))))
