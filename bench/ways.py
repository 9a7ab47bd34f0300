"""Ways: what those that are compared are called in rows, tables and charts."""

from __future__ import annotations

ENGINE, RANGES = "deltaworks, one partition a call", "deltaworks, in ranges"
UNSYNCED = "deltaworks, in ranges, durable = false"
LOOP, SCRIPT = "plain loop, one commit a partition", "plain script, one commit a table"
OURS = "deltaworks"

SQLMESH = "SQLMesh"
SQLMESH_PLAN, SQLMESH_DAYS = "SQLMesh on DuckDB, one batch", "SQLMesh on DuckDB, a day a batch"
DAGSTER_RANGE, DAGSTER_DAYS = "Dagster in process, one run", "Dagster in process, a run a day"
DAGSTER_LIBRARY = "Dagster in process, one run, dagster-deltalake"
DAGSTER = "Dagster"

WAITING = "deltaworks, with a process waiting"
DELTA_RS = "delta-rs compare-and-swap"
SWAP_LOOP = "plain loop, compare-and-swap"
POLARS_STEP = "Polars alone"
POLARS_SINK = "Polars' partitioned sink"
STAR, PLAIN_STAR = "deltaworks, months in ranges", "plain script, all in memory"
IN_TURN = "its requests, one after the other"
DASK_TASK, TINY_TASK = "Dask's own no-op", "a task of deltaworks"


def is_ours(way: str) -> bool:
    """Return whether a way is this engine's."""
    return way.startswith(OURS)
