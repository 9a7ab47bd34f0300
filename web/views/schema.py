"""Schema: the columns of an asset as its model says and as its table has them, and how they changed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from deltaworks.engine.execution.opening import open_history
from deltaworks.engine.planning.graph import Node
from deltaworks.io.log import Commit
from deltaworks.web.views.asset import AssetHead, asset_head
from deltaworks.web.workspace import Sight


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """A column."""

    name: str
    dtype: str
    """Of the table; of the model, if there is no table."""
    is_partition: bool
    rules: tuple[str, ...]
    """What its model asks of it."""


@dataclass(frozen=True, slots=True)
class Change:
    """A version that gave the table other columns."""

    version: int
    at: dt.datetime | None
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SchemaView:
    """The columns of an asset."""

    head: AssetHead
    model: str | None
    columns: tuple[ColumnRow, ...]
    changes: tuple[Change, ...]


def schema_view(sight: Sight, node: Node) -> SchemaView:
    """Return the columns of an asset, and how they changed."""
    table = sight.observation.tables.get(node.key)
    schema = table.schema() if table is not None and table.exists else pl.Schema()
    columns = tuple(ColumnRow(name, str(dtype), name in node.partition_columns, ()) for name, dtype in schema.items())
    model = node.asset.model
    changes = _changes(sight, node) if node.key in sight.project.graph.nodes else []
    return SchemaView(asset_head(sight, node), None if model is None else model.__name__, columns, tuple(changes))


def _changes(sight: Sight, node: Node) -> list[Change]:
    """Return what each commit changed of the columns, newest first."""
    found: list[Change] = []
    later: tuple[Commit, pl.Schema] | None = None
    for commit in open_history(sight.project.store, node.asset):
        if commit.metadata is None:
            continue
        try:
            schema = commit.metadata.schema()
        except ValueError:
            continue  # of a type that cannot be read here, so there is nothing to compare
        if later is not None:
            found += _change(*later, schema)
        later = commit, schema
    if later is not None:
        found += _change(*later, pl.Schema())
    return found


def _change(commit: Commit, schema: pl.Schema, before: pl.Schema) -> list[Change]:
    lines = [f"{name} {dtype}" for name, dtype in schema.items() if name not in before]
    lines = [f"added: {', '.join(lines)}"] if lines else []
    lines += [f"removed: {name}" for name in before if name not in schema]
    lines += [
        f"{name}: {before[name]} became {dtype}"
        for name, dtype in schema.items()
        if name in before and before[name] != dtype
    ]
    at = dt.datetime.fromtimestamp(commit.timestamp_ms / 1000, dt.UTC) if commit.timestamp_ms else None
    return [Change(commit.version, at, tuple(lines))] if lines else []
