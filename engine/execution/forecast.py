"""Forecast: read what earlier runs tell about the assets of a plan, and estimate by that how much it will come to."""

from __future__ import annotations

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.decide import Decision
from deltaworks.engine.planning.estimate import AssetHistory, Estimates, estimate, partition_s
from deltaworks.engine.planning.state import ordinals_of
from deltaworks.engine.planning.status import AssetStatus
from deltaworks.io.table import Table


def forecast(decision: Decision, workers: int) -> Estimates:
    """Return how much a plan will come to when so many calls go on at a time.

    Cost: it sums up the sizes of the files of those tables that the plan writes to.
    """
    seen = decision.asked.observation
    histories: dict[AssetKey, AssetHistory] = {}
    for key in decision.plan.planned:
        found = seen.status[key]
        rows = found.state.columns["rows"].cast(pl.Int64)
        histories[key] = AssetHistory(rows, _sizes_bytes(found, seen.tables[key]), partition_s(seen.runs, key))
    return estimate(decision.plan, histories, workers)


def _sizes_bytes(found: AssetStatus, table: Table) -> pl.Series:
    """Return how large the files of each partition are, by ordinal; null where nothing is known."""
    rows = found.state.columns["rows"]
    sizes = table.sizes()
    ordinals = ordinals_of(found.node, table, sizes["key"])
    is_own = ordinals.is_not_null()
    empty = pl.Series([None], dtype=pl.Int64).new_from_index(0, rows.len()).set(rows == 0, 0)
    return empty.scatter(ordinals.filter(is_own), sizes["size_bytes"].filter(is_own))
