"""Schema: the columns of an asset as its model says and as its table has them, and how they changed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from deltaworks.engine.execution.opening import open_history
from deltaworks.engine.planning.graph import Node
from deltaworks.io.log import Commit
from deltaworks.validation import DeclaredColumn, declare
from deltaworks.web.views.asset import AssetHead, asset_head
from deltaworks.web.workspace import Sight

LOOKED_AT = 1000
"""How many commits are looked at: each is a file of the log."""


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """A column."""

    name: str
    dtype: str
    """Of the table; of the model, if there is no table."""
    is_partition: bool
    rules: tuple[str, ...]
    """What its model asks of it."""
    told: str
    """What its author says of it."""


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
    changes_since: int
    """The first version whose change is told; 0: all are."""

    @property
    def is_told(self) -> bool:
        """Whether its author says anything of a column."""
        return any(column.told for column in self.columns)


def schema_view(sight: Sight, node: Node) -> SchemaView:
    """Return the columns of an asset, and how they changed."""
    table = sight.observation.tables.get(node.key)
    schema = table.schema() if table is not None and table.exists else pl.Schema()
    model = node.asset.model
    declared = {} if model is None else {column.name: column for column in declare(model).columns}
    dtypes: dict[str, str] = {name: str(column.dtype) for name, column in declared.items()}
    dtypes |= {name: str(dtype) for name, dtype in schema.items()}
    columns = tuple(_row(name, dtype, node, declared.get(name)) for name, dtype in dtypes.items())
    changes, since = _changes(sight, node) if node.key in sight.project.graph.nodes else ([], 0)
    named = None if model is None else model.__name__
    return SchemaView(asset_head(sight, node), named, columns, tuple(changes), since)


def _row(name: str, dtype: str, node: Node, declared: DeclaredColumn | None) -> ColumnRow:
    rules = () if declared is None else tuple(rule for rule, _ in declared.rules())
    told = "" if declared is None else declared.comment or ""
    return ColumnRow(name, dtype, name in node.partition_columns, rules, told)


def _changes(sight: Sight, node: Node) -> tuple[list[Change], int]:
    """Return what each of the last commits changed of the columns, newest first, and the first version looked at."""
    found: list[Change] = []
    later: tuple[Commit, pl.Schema] | None = None
    version = 0
    for number, commit in enumerate(open_history(sight.project.store, node.asset)):
        if number == LOOKED_AT:
            return found, version  # of the change before this one nobody knows what it changed
        version = commit.version
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
    return found, 0


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
