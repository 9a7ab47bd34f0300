"""Rows: a look at the data of an asset, at any version that is still there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deltaworks.engine.execution.opening import place_of_table
from deltaworks.engine.planning.graph import Node
from deltaworks.errors import RequestError, StorageError
from deltaworks.web.previews import Previews, show_command
from deltaworks.web.views.asset import AssetHead, asset_head
from deltaworks.web.workspace import Sight

MOST_BYTES = 200
"""Of a text that is shown of a cell."""

MOST_COLUMNS = 200


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is shown."""

    name: str
    dtype: str
    is_number: bool


@dataclass(frozen=True, slots=True)
class RowsView:
    """The first rows of a table."""

    head: AssetHead
    columns: tuple[Column, ...]
    more_columns: int
    rows: tuple[tuple[str | None, ...], ...]
    total: int | None
    """None: nobody knows without opening all files."""
    version: int | None
    partition: str
    limit: int
    problem: str | None
    """Why there are no rows to show."""
    command: str
    """What shows the same in a terminal."""
    code: str | None
    """What reads that version with Polars; none: it is a view, so there is no table."""


def rows_view(
    sight: Sight, node: Node, previews: Previews, version: int | None, partition: str, limit: int
) -> RowsView:
    """Return the first rows of an asset, of a version or a partition if they are given."""
    head = asset_head(sight, node)
    command, code = show_command(node, version, partition), _code(sight, node, version)
    try:
        found = previews.read(sight, node, version, partition, limit)
    except (RequestError, StorageError) as error:
        return RowsView(head, (), 0, (), 0, version, partition, limit, str(error), command, code)
    df = found.df
    shown = df[:, :MOST_COLUMNS]
    columns = tuple(Column(name, str(dtype), dtype.is_numeric()) for name, dtype in shown.schema.items())
    return RowsView(
        head=head,
        columns=columns,
        more_columns=df.width - shown.width,
        rows=tuple(tuple(map(_text, row)) for row in shown.iter_rows()),
        total=found.total,
        version=version,
        partition=partition,
        limit=limit,
        problem=None,
        command=command,
        code=code,
    )


def _code(sight: Sight, node: Node, version: int | None) -> str | None:
    if node.key not in sight.project.graph.nodes:
        return None
    store, table = place_of_table(sight.project.store, node.asset)
    at = "" if version is None else f", version={version}"
    return f'pl.scan_delta("{store.uri(table)}"{at})'


def _text(value: Any) -> str | None:
    """Return a value as it is shown; none: it is null."""
    if value is None:
        return None
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= MOST_BYTES else f"{text[:MOST_BYTES]}\N{HORIZONTAL ELLIPSIS}"
