"""Rows: a look at the data of an asset, at any version that is still there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from deltaworks.engine.planning.graph import Node
from deltaworks.engine.workspace.reading import read_asset
from deltaworks.errors import RequestError, StorageError
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
    total: int
    version: int | None
    partition: str
    limit: int
    problem: str | None
    """Why there are no rows to show."""
    command: str
    """What shows the same in a terminal."""


def rows_view(sight: Sight, node: Node, version: int | None, partition: str, limit: int) -> RowsView:
    """Return the first rows of an asset, of a version or a partition if they are given."""
    head = asset_head(sight, node)
    command = _command(node, version, partition)
    try:
        df, total = read_rows(sight, node, version, partition, limit)
    except (RequestError, StorageError) as error:
        return RowsView(head, (), 0, (), 0, version, partition, limit, str(error), command)
    shown = df[:, :MOST_COLUMNS]
    columns = tuple(Column(name, str(dtype), dtype.is_numeric()) for name, dtype in shown.schema.items())
    return RowsView(
        head=head,
        columns=columns,
        more_columns=df.width - shown.width,
        rows=tuple(tuple(map(_text, row)) for row in shown.iter_rows()),
        total=total,
        version=version,
        partition=partition,
        limit=limit,
        problem=None,
        command=command,
    )


def read_rows(sight: Sight, node: Node, version: int | None, partition: str, limit: int) -> tuple[pl.DataFrame, int]:
    """Return the first rows of an asset, and how many it has.

    Raises:
        RequestError: it is a view, or has no such version or partition.
        StorageError: data files are gone.
    """
    project, keys = sight.project, [partition] if partition else None
    if node.key not in project.graph.nodes:
        computes = _command(node, version, partition)
        raise RequestError(f"{node.key} is a view: code of the project computes its rows, as `{computes}` does.")
    lf = read_asset(project.graph, project.store, node.key, version=version, partitions=keys)
    try:
        df, total = pl.collect_all([lf.head(limit), lf.select(pl.len())])
    except FileNotFoundError as error:
        raise StorageError(f"A data file is gone ({error}); `deltaworks doctor` names the repair.") from error
    return df, total.item()


def _text(value: Any) -> str | None:
    """Return a value as it is shown; none: it is null."""
    if value is None:
        return None
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= MOST_BYTES else f"{text[:MOST_BYTES]}\N{HORIZONTAL ELLIPSIS}"


def _command(node: Node, version: int | None, partition: str) -> str:
    at = "" if version is None else f"@v{version}"
    return f"deltaworks show {node.key}{at}{f' --partition {partition}' if partition else ''}"
