"""Migration: what of a table is not as its asset makes it and is changed for the whole table at once, or not at all.

A commit of some partitions adds a column that may be null, since the others read as null there. Everything else would
change what partitions are that nobody has made again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import polars as pl

from deltaworks.engine.planning.graph import Node
from deltaworks.errors import TableMismatch
from deltaworks.io.create import is_cut_so
from deltaworks.io.dtypes import is_wider
from deltaworks.io.log import SCHEME
from deltaworks.io.table import Table
from deltaworks.validation import Declared, declare


class Change(StrEnum):
    """What becomes of a column."""

    ADDED = "added"
    """It is new, and may not be null."""
    WIDENED = "widened"
    """Its dtype becomes one that holds every value of the former."""
    RETYPED = "retyped"
    """Its dtype becomes another one."""
    DROPPED = "dropped"
    """It is not made any more."""
    PARTITIONED = "partitioned"
    """Other columns cut the table; the first of them stands for all."""


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """One column of a table that is not what it is to be."""

    column: str
    change: Change
    expected: str | None
    """What its asset makes; none: no such column."""
    found: str | None
    """What the table has; none: no such column."""
    cuts: bool = False
    """Whether the table is cut by it, so that its values are not in the files."""

    def __str__(self) -> str:
        match self.change:
            case Change.ADDED if self.found is None:
                return f"column {self.column!r} ({self.expected}) is new and not nullable"
            case Change.ADDED:
                return f"column {self.column!r} ({self.expected}) differs from {self.found!r} only by case"
            case Change.DROPPED:
                return f"column {self.column!r} ({self.found}) is not made any more"
            case Change.PARTITIONED:
                return f"it is partitioned by {self.found}, expected {self.expected}"
            case Change.WIDENED | Change.RETYPED:
                return f"column {self.column!r} is {self.found}, expected {self.expected}"


@dataclass(frozen=True, slots=True)
class Migration:
    """What has to be changed of one table before anything is committed to it."""

    asset: str
    version: int
    changes: tuple[ColumnChange, ...]

    @property
    def command(self) -> str:
        """What does it."""
        return f"deltaworks materialize {self.asset} --migrate"

    def __str__(self) -> str:
        told = "; ".join(map(str, self.changes))
        return f"{self.asset}: its table (version {self.version}) is not what the asset makes: {told}"

    @property
    def is_mechanical(self) -> bool:
        """Whether rows can be brought under the new columns as they are: no value has to be found for them."""
        return all(change.change in (Change.WIDENED, Change.DROPPED) and not change.cuts for change in self.changes)

    @property
    def refusal(self) -> TableMismatch:
        """What is raised where it stands in the way."""
        is_new = all(change.change is Change.ADDED and change.found is None for change in self.changes)
        other = "declare what is new nullable, and the next commit adds it" if is_new else "change the asset back"
        return TableMismatch(
            f"{self}. Nothing was written. `{self.command}` makes the whole table anew in one commit; or {other}."
        )


def find_migration(node: Node, table: Table, foreseen: Mapping[str, pl.DataType] | None = None) -> Migration | None:
    """Return what of a table has to be migrated, as far as its asset declares what it makes; none: nothing.

    A table whose partitions are of another kind is none that could be. `foreseen`: what its function will return, if
    that is known.

    Raises:
        TableMismatch: the table cannot be read here.
    """
    if not table.exists or not (is_cut_alike(node, table) or is_cut_so(table, node.partition_columns, node.scheme)):
        return None
    if foreseen is None:
        return migration_to(node, table, expected_schema(node, table))
    declared: Mapping[str, pl.DataType] = {} if node.asset.model is None else declare(node.asset.model).schema()
    return migration_to(node, table, {**foreseen, **declared})


def migration_to(node: Node, table: Table, schema: Mapping[str, pl.DataType]) -> Migration | None:
    """Return what of a table has to be migrated before it has some columns; none: nothing."""
    assert table.metadata is not None, "a table that exists"
    cutting = {*table.metadata.partition_columns, *node.partition_columns}
    changes = tuple(
        replace(change, cuts=change.column in cutting)
        for change in (
            *_partitioned(node, table),
            *_column_changes(schema, table.schema(), addable(node, schema)),
        )
    )
    return Migration(str(node.key), table.version, changes) if changes else None


def expected_schema(node: Node, table: Table) -> dict[str, pl.DataType]:
    """Return the columns that a table should have: those that the model declares, and its own where that is open.

    What the model leaves open is known only when the function has run; it is compared then.
    """
    if node.asset.model is None:
        return dict(table.schema())
    declared = declare(node.asset.model)
    return dict(declared.schema()) | {
        name: dtype
        for name, dtype in table.schema().items()
        if name in node.computed_columns or _leaves_open(declared, name)
    }


def is_open(node: Node, table: Table) -> bool:
    """Tell whether a table has columns that only the function can tell whether they are still made."""
    if node.asset.model is None:
        return True
    known = {*declare(node.asset.model).schema(), *node.computed_columns}
    return any(name not in known for name in table.schema())


def addable(node: Node, schema: Mapping[str, pl.DataType]) -> frozenset[str]:
    """Return which columns a commit may add to a table: those that may be null in rows that have never had them."""
    free = schema.keys() - set(node.partition_columns)
    if node.asset.model is None:
        return frozenset(free)
    declared = declare(node.asset.model)
    own = {column.name: column.nullable for column in declared.columns}
    return frozenset(
        name
        for name in free
        if own.get(name, all(each.nullable for each in declared.pattern_columns if re.fullmatch(each.name, name)))
    )


def _leaves_open(declared: Declared, name: str) -> bool:
    by_name = {column.name: column for column in declared.columns}
    if name in by_name:
        return not by_name[name].required
    return not declared.strict or any(re.fullmatch(pattern, name) for pattern in declared.patterns)


def _partitioned(node: Node, table: Table) -> Iterator[ColumnChange]:
    assert table.metadata is not None, "a table that exists"
    before, after = table.metadata.partition_columns, node.partition_columns
    if before != after and is_cut_alike(node, table):
        expected, found = (", ".join(map(repr, columns)) for columns in (after, before))
        yield ColumnChange(after[0], Change.PARTITIONED, expected, found)


def is_cut_alike(node: Node, table: Table) -> bool:
    """Return whether every key of a table's partitions is one of its asset's, whichever columns cut it."""
    assert table.metadata is not None, "a table that exists"
    is_same_kind = node.scheme is not None and table.metadata.configuration.get(SCHEME) == node.scheme
    return is_same_kind and len(table.metadata.partition_columns) == len(node.partition_columns)


def _column_changes(
    expected: Mapping[str, pl.DataType], found: Mapping[str, pl.DataType], addable: frozenset[str]
) -> Iterator[ColumnChange]:
    twins = {name.lower(): name for name in found}
    for name, dtype in expected.items():
        if name in found and found[name] != dtype:
            change = Change.WIDENED if is_wider(dtype, found[name]) else Change.RETYPED
            yield ColumnChange(name, change, str(dtype), str(found[name]))
        elif name not in found and (name not in addable or name.lower() in twins):
            yield ColumnChange(name, Change.ADDED, str(dtype), twins.get(name.lower()))
    for name in (name for name in found if name not in expected):
        yield ColumnChange(name, Change.DROPPED, None, str(found[name]))


def refusal_of(migrations: Sequence[Migration]) -> TableMismatch:
    """Return what is raised where nothing can be made before some migrations."""
    first, *others = migrations
    if not others:
        return first.refusal
    named = ", ".join(each.asset for each in others)
    return TableMismatch(f"{first.refusal} The same holds for {named}; `deltaworks plan` shows why.")
