"""Pinned task: a call of an asset's function, with the versions that it and its checks read."""

from __future__ import annotations

from collections.abc import Mapping

from deltaworks.engine.definitions.asset_check import When
from deltaworks.engine.definitions.asset_config import config_hash
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.check_pins import check_pins
from deltaworks.engine.execution.cuts import cuts
from deltaworks.engine.execution.pin import Members, pin
from deltaworks.engine.execution.sizes import is_small_call
from deltaworks.engine.execution.task import Task
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.io.dtypes import Json
from deltaworks.io.table import Table


def pinned_task(
    graph: AssetGraph,
    tables: Mapping[AssetKey, Table],
    key: AssetKey,
    first: int,
    last: int,
    *,
    read: Members,
    run_id: str,
    number: int,
    config: Json | None = None,
) -> Task:
    """Return the task that makes partitions of an asset from what the tables hold now.

    Args:
        graph: the assets.
        tables: their tables.
        key: the asset.
        first: the first of its partitions.
        last: the last.
        read: see `pin`.
        run_id: the run.
        number: of the task, unique in the run.
        config: what its function is given; none: it takes none.

    Raises:
        TableMismatch: a table cannot be read.
    """
    node = graph.nodes[key]
    inputs = {
        edge.argument.argument: pin(graph, tables[edge.upstream], edge, first, last, read) for edge in node.upstream
    }
    return Task(
        run_id,
        number,
        key,
        first,
        last,
        inputs,
        is_small=first == last and is_small_call(tables[key], key, inputs),
        cuts=cuts(graph, tables, node, range(first, last + 1)),
        keys=(node.partitions.key(first), node.partitions.key(last)),
        code=node.code,
        checks=check_pins(graph, tables, node, range(first, last + 1), When.BEFORE, read),
        config_hash=None if config is None else config_hash(config),
    )
