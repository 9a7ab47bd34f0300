"""Adopt: prepare a table that others have made, so that its commits can be the record from now on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties

from deltaworks.errors import LogGap, StorageError, TableMismatch
from deltaworks.io.create import PROPERTIES, verify_table
from deltaworks.io.log import SCHEME, commit_path
from deltaworks.io.store import Store
from deltaworks.io.stores.reason import reason
from deltaworks.io.table import Table


@dataclass(frozen=True, slots=True)
class Change:
    """A property of a table that was changed."""

    name: str
    before: str | None
    """None: it was not set."""
    after: str


def read_foreign(store: Store, name: str) -> Table:
    """Read a table that others may have made.

    Raises:
        TableMismatch: its first commits were deleted, so nobody can tell what it is made of.
        LogGap: a commit is missing or damaged.
    """
    try:
        return Table.read(store, name)
    except LogGap as error:
        if error.version > 0 or not error.problem.startswith("is absent"):
            raise
        raise TableMismatch(
            f"table {store.uri(name)}: its first commits were deleted, as a log retention does, so they cannot be the "
            "record. Nothing was changed. Write its rows to a new table and adopt that one."
        ) from error


def adopt_table(
    table: Table,
    schema: Mapping[str, pl.DataType],
    partition_columns: Sequence[str],
    scheme: str | None = None,
    addable: Collection[str] = (),
) -> tuple[Change, ...]:
    """Set the properties of a table of ours, in one metadata commit; return what it changed, perhaps nothing.

    They keep the table's records, and say its kind of partitions (`scheme`, if known). It may lack the columns in
    `addable`: the next commit adds them.

    Raises:
        TableMismatch: it is not what its asset makes; nothing was changed.
        StorageError: the table cannot be written, or somebody else changed it at the same time.
    """
    verify_table(table, schema, partition_columns, addable=addable)
    assert table.metadata is not None, "a table that was verified exists"
    before = table.metadata.configuration
    properties = PROPERTIES | ({} if scheme is None else {SCHEME: scheme})
    changes = tuple(
        Change(name, before.get(name), wanted) for name, wanted in properties.items() if before.get(name) != wanted
    )
    if not changes:
        return ()
    try:
        DeltaTable(table.store.uri(table.name), storage_options=table.store.delta_options).alter.set_table_properties(
            {change.name: change.after for change in changes},
            raise_if_not_exists=False,
            commit_properties=CommitProperties(max_commit_retries=0),
            post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
        )
    except Exception as error:  # delta-rs raises bare ones too
        raise StorageError(
            f"cannot change the properties of table {table.store.uri(table.name)}: {reason(error)}"
        ) from error
    table.tail()
    table.store.sync_file(commit_path(table.name, table.version))
    table.store.sync_folders([commit_path(table.name, table.version)])
    verify_table(table, schema, partition_columns, addable=addable)
    return changes
