"""Create a table, or make sure that the one that is there fits.

delta-rs creates tables; what it writes by default would delete records after 30 days, so the properties that keep them
are set at birth.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

import polars as pl
from deltalake import CommitProperties, DeltaTable, Schema

from deltaworks.errors import StorageError, TableMismatch
from deltaworks.io.description import Description, last_metadata
from deltaworks.io.dtypes import Json, to_delta_schema
from deltaworks.io.evolution import grown
from deltaworks.io.failpoints import Step, hit
from deltaworks.io.log import SCHEME, commit_path
from deltaworks.io.protocol import writer_demand
from deltaworks.io.record import FORMAT
from deltaworks.io.stores.reason import reason
from deltaworks.io.table import Table

PROPERTIES = {
    "delta.logRetentionDuration": "interval 3650 days",
    "delta.enableExpiredLogCleanup": "false",
}
"""Commits are the record: no log cleanup may remove them."""


def create_table(
    table: Table,
    schema: Mapping[str, pl.DataType],
    partition_columns: Sequence[str],
    description: Description,
    scheme: str | None = None,
) -> None:
    """Create a table and advance to its first version; a table that another run has just created is taken as it is.

    Args:
        table: the table, which does not exist.
        schema: its columns, partition columns included.
        partition_columns: those that cut it.
        description: what it says about itself.
        scheme: its kind of partitions; none: not known.

    Raises:
        StorageError: the place cannot be written, or Delta does not take the columns.
    """
    hit(Step.CREATING)
    table.store.make_folder(table.name)
    try:
        DeltaTable.create(
            table.store.uri(table.name),
            Schema.from_json(json.dumps(description.commented(to_delta_schema(schema)))),
            mode="error",
            partition_by=list(partition_columns),
            name=table.name,
            description=description.text or None,
            configuration=PROPERTIES | description.properties | ({} if scheme is None else {SCHEME: scheme}),
            storage_options=table.store.delta_options,
            raise_if_key_not_exists=False,
            commit_properties=CommitProperties(max_commit_retries=0),
        )
    except Exception as error:  # delta-rs raises bare ones too
        if not table.store.exists(commit_path(table.name, 0)):
            raise StorageError(f"cannot create table {table.store.uri(table.name)}: {reason(error)}") from error
    hit(Step.CREATED)
    table.store.sync_file(commit_path(table.name, 0))
    table.store.sync_folders([commit_path(table.name, 0)])
    table.tail()


def verify_table(
    table: Table,
    schema: Mapping[str, pl.DataType],
    partition_columns: Sequence[str],
    scheme: str | None = None,
    addable: Collection[str] = (),
) -> None:
    """Make sure that commits may be written to a table as it is, or but for columns in `addable` that they add.

    Raises:
        TableMismatch: its columns, dtypes, partition columns or kind of partitions differ from those to be written, or
            it asks of its writers what this engine does not do.
    """
    where = _where(table)
    _, difference = grown(table.schema(), schema, addable)
    if difference is not None:
        raise TableMismatch(
            f"{where}: its columns differ from what its asset makes: {difference}. Nothing was written. "
            "Change the asset back, or make the whole table anew by `deltaworks materialize --migrate`."
        )
    verify_partitions(table, partition_columns, scheme)
    verify_writable(table)


def verify_partitions(table: Table, partition_columns: Sequence[str], scheme: str | None = None) -> None:
    """Make sure that keys of an asset's partitions mean the same to a table.

    Raises:
        TableMismatch: its partition columns or its kind of partitions differ.
    """
    if is_cut_so(table, partition_columns, scheme):
        return
    assert table.metadata is not None, "verify a table that exists"
    where = _where(table)
    if tuple(partition_columns) != table.metadata.partition_columns:
        raise TableMismatch(
            f"{where}: it is partitioned by {_named(table.metadata.partition_columns)}, but its asset by "
            f"{_named(partition_columns)}. Nothing was written. Give the asset another name, or move the table away."
        )
    raise TableMismatch(
        f"{where}: its partitions are {table.metadata.scheme!r}, but those of its asset are {scheme!r}. "
        "Nothing was written. Change the partitions back or give the asset another name; if every key means the same "
        "as before, `deltaworks adopt` takes the table over as it is; if nothing of it is needed, `deltaworks wipe` "
        "makes it ready for the new ones."
    )


def is_cut_so(table: Table, partition_columns: Sequence[str], scheme: str | None) -> bool:
    """Return whether a table is cut by some columns into partitions of a kind; one that does not say so is."""
    assert table.metadata is not None, "a table that exists"
    is_kind = scheme is None or table.metadata.scheme in (None, scheme)
    return is_kind and tuple(partition_columns) == table.metadata.partition_columns


def verify_writable(table: Table) -> None:
    """Make sure that this engine may commit to a table at all.

    Raises:
        TableMismatch: the table asks of its writers what this engine does not do.
    """
    assert table.metadata is not None, "verify a table that exists"
    assert table.protocol is not None, "verify a table that exists"
    where = _where(table)
    if table.external is not None:
        raise TableMismatch(f"{where}: others write it, and here it is only read. Nothing was written.")
    demand = writer_demand(table.protocol, table.metadata.configuration, table.metadata.schema_string)
    if demand is not None:
        raise TableMismatch(f"{where}: it {demand}, which this engine does not do. Nothing was written.")
    if table.needs_format > FORMAT:
        raise TableMismatch(
            f"{where}: a newer deltaworks wrote to it, in record format {table.needs_format}, and this one knows "
            f"{FORMAT}. Nothing was written. Upgrade deltaworks."
        )


def scheme_change(table: Table, scheme: str | None) -> Json | None:
    """Return the metadata action that makes an empty table one of another kind of partitions; none if it is already.

    What else the table says about itself stays as it was logged last.

    Raises:
        LogGap: no commit says what the table is.
    """
    assert table.metadata is not None, "a table that exists"
    if scheme is None or table.metadata.scheme in (None, scheme):
        return None
    return last_metadata(table) | {"configuration": {**table.metadata.configuration, SCHEME: scheme}}


def _where(table: Table) -> str:
    return f"table {table.store.uri(table.name)} (version {table.version})"


def _named(columns: Sequence[str]) -> str:
    return ", ".join(map(repr, columns)) or "no column"
