"""Check pins: at which versions the checks of a call read what they compare its partitions with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from deltaworks.engine.definitions.asset_check import When
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.cuts import cuts
from deltaworks.engine.execution.pin import Members, pin
from deltaworks.engine.execution.task import CheckRead, ChecksRead, PinnedInput
from deltaworks.engine.planning.check_nodes import CheckNode
from deltaworks.engine.planning.empty_call import declared_schema
from deltaworks.engine.planning.graph import AssetGraph, Edge, Node
from deltaworks.io.table import Table

CONTENT = ""
"""Under which path, that of no argument, a check after the commit finds what it judges."""


def check_pins(
    graph: AssetGraph,
    tables: Mapping[AssetKey, Table],
    node: Node,
    ordinals: Iterable[int],
    when: When,
    read: Members | None = None,
) -> dict[int, ChecksRead]:
    """Pin what the checks of some partitions read, each partition by itself, but for what is staged with it.

    Other assets are read at their versions when the run began, or at the run's last commit to them; so is what a
    partition holds until its commit: if somebody else changes that, the commit does not replace it.

    Args:
        graph: the assets.
        tables: their tables.
        node: the judged asset.
        ordinals: its partitions.
        when: which of its checks.
        read: see `pin`.

    Raises:
        TableMismatch: a table cannot be read.
    """
    checks = [each for each in node.checks if each.check.when is when]
    if not checks:
        return {}
    known: Members = {} if read is None else read
    shared: dict[tuple[AssetKey, str], PinnedInput] = {}

    def content(ordinal: int) -> dict[str, PinnedInput]:
        return {CONTENT: _content_pin(node, tables[node.key], ordinal)} if when is When.AFTER else {}

    def pinned(edge: Edge, ordinal: int) -> PinnedInput:
        if not edge.correspondence.joins_all:
            return read_at(edge, ordinal)
        place = edge.downstream, edge.argument.argument
        if place not in shared:
            shared[place] = read_at(edge, ordinal)
        return shared[place]

    def read_at(edge: Edge, ordinal: int) -> PinnedInput:
        found = pin(graph, tables[edge.upstream], edge, ordinal, ordinal, known)
        if found.schema is None and edge.upstream != node.key:  # it is compared with a table that is not there yet
            return replace(found, schema=declared_schema(graph.nodes[edge.upstream]))
        return found

    return {
        ordinal: {
            each.check.name: CheckRead(
                {edge.argument.argument: pinned(edge, ordinal) for edge in _read_by(each)} | content(ordinal),
                cuts(graph, tables, each.node, range(ordinal, ordinal + 1)),
            )
            for each in checks
        }
        for ordinal in ordinals
    }


def _content_pin(node: Node, table: Table, ordinal: int) -> PinnedInput:
    return PinnedInput(
        asset=node.key,
        table=table.name,
        table_id=table.table_id,
        version=table.version,
        files=tuple(table.files([node.partitions.key(ordinal)])),
        schema=table.schema(),
        partition_columns=node.partition_columns,
        computed_columns=node.computed_columns,
    )


def _read_by(check: CheckNode) -> Iterator[Edge]:
    """Yield what is pinned before a call: of the table itself all but the earlier partitions that may be staged too."""
    yield from check.committed
    yield from check.others
    if not check.goes_by_order:
        yield from check.earlier
