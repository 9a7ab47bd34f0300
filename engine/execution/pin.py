"""Pin: at which version one call reads its upstreams, and which of its partitions lack something there."""

from __future__ import annotations

from collections.abc import Mapping

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.agenda import Blocked
from deltaworks.engine.execution.task import PinnedInput
from deltaworks.engine.planning.graph import AssetGraph, Edge
from deltaworks.io.table import Table


def lacking(
    graph: AssetGraph, tables: Mapping[AssetKey, Table], key: AssetKey, first: int, last: int
) -> dict[int, Blocked]:
    """Return which of consecutive partitions lack an upstream partition, by ordinal.

    A plan leaves out what lacks one, but until a call begins others may delete what it needs; read then, it would look
    like a partition without rows.
    """
    found: dict[int, Blocked] = {}
    for edge in graph.nodes[key].upstream:
        for ordinal in range(first, last + 1):
            absent = _absent(graph, tables[edge.upstream], edge, ordinal)
            if absent is not None:
                found[ordinal] = Blocked(key, ordinal, edge.upstream, absent)
    return found


def pin(graph: AssetGraph, table: Table, edge: Edge, first: int, last: int) -> PinnedInput:
    """Pin an upstream for consecutive partitions at its version when the run began, or at the run's last commit to it.

    Raises:
        TableMismatch: the table cannot be read.
    """
    partitions = graph.nodes[edge.upstream].partitions
    keys = (partitions.key(ordinal) for ordinal in edge.correspondence.upstream_of(first, last))
    return PinnedInput(
        asset=edge.upstream,
        table=table.name,
        table_id=table.table_id,
        version=table.version,
        files=tuple(table.files(keys)),
        schema=table.schema() if table.exists else None,
        partition_columns=() if table.metadata is None else table.metadata.partition_columns,
        computed_columns=graph.nodes[edge.upstream].computed_columns,
    )


def _absent(graph: AssetGraph, table: Table, edge: Edge, ordinal: int) -> int | None:
    """Return an upstream partition that is not there and without which a partition cannot be made, if there is one.

    An input that reads whatever partitions exist needs none in particular, but it needs one.
    """
    partitions = graph.nodes[edge.upstream].partitions
    mapped = edge.correspondence.upstream_of(ordinal, ordinal)

    def is_there(each: int) -> bool:
        return table.has_content(partitions.key(each))

    if edge.argument.allow_missing or (not edge.needs_each and any(map(is_there, mapped))):
        return None
    return next((each for each in mapped if not is_there(each)), None)
