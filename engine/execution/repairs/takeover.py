"""Takeover: make a table that others made the table of an asset."""

from __future__ import annotations

from deltaworks.engine.execution.migration import addable, expected_schema
from deltaworks.engine.execution.opening import refuse_external
from deltaworks.engine.planning.graph import Node
from deltaworks.errors import RequestError
from deltaworks.io.adopt import Change, adopt_table, read_foreign
from deltaworks.io.store import Store
from deltaworks.io.table import Table


def take_over(node: Node, store: Store) -> tuple[Table, tuple[Change, ...]]:
    """Adopt the table that lies where an asset's table belongs; return it and what was changed of its properties.

    What others wrote to it stays theirs: its partitions are external until somebody materializes them.

    Raises:
        RequestError: there is no table, or it stays that of those who write it.
        TableMismatch: it is not what the asset makes; nothing was changed.
        StorageError: it cannot be read or written.
    """
    refuse_external(node.asset, "adopted")
    if not node.asset.kind.is_made:
        raise RequestError(f"{node.key} cannot be adopted: {node.asset.kind.origin}, so its table is made for it.")
    table = read_foreign(store, node.asset.table_name)
    if not table.exists:
        raise RequestError(
            f"There is no Delta table in {store.uri(table.name)}. Move it there, or name its folder below the lake by "
            "@asset(location=...)."
        )
    schema = expected_schema(node, table)
    return table, adopt_table(table, schema, node.partition_columns, node.scheme, addable(node, schema))
