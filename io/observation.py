"""Observation: what was seen of data that is no table, as a small table with a row for each partition or file.

Its rows name their partitions, and one file holds them all: thousands of partitions are one file that is written anew
when one of them changes, and the record names those that did. What did not change keeps its row as it was.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from deltaworks.errors import TableMismatch
from deltaworks.io.commit import Committed, commit_partitions
from deltaworks.io.create import create_table, verify_table
from deltaworks.io.description import Description, last_metadata
from deltaworks.io.dtypes import Json
from deltaworks.io.log import SCHEME
from deltaworks.io.parquet import Staging
from deltaworks.io.places import WHOLE
from deltaworks.io.record import Group, Record
from deltaworks.io.scan import KEY_COLUMN, scan_table
from deltaworks.io.staged import StagedPartition
from deltaworks.io.statistics import statistics
from deltaworks.io.table import Table
from deltaworks.io.table_state import Origin
from deltaworks.io.together import sizes_of

_AT = "observed_at"


@dataclass(frozen=True, slots=True)
class Changes:
    """What an observation found to be other than it was known."""

    rows: pl.DataFrame
    """What is there now, all of it, with the columns of the table; the key of a whole table is `WHOLE`."""
    changed: tuple[str, ...]
    """The partitions that are new or have other versions."""
    gone: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """All partitions that are other than they were."""
        return (*self.changed, *self.gone)

    def groups(self) -> tuple[Group, ...]:
        """Return what the record says of them."""
        counts: dict[str, int] = dict(self.rows.group_by(KEY_COLUMN).len().iter_rows())
        parts = [part for part in (self.changed, self.gone) if part]
        return tuple(
            Group(None if part == (WHOLE,) else part, tuple(counts.get(key, 0) for key in part), source=None)
            for part in parts
        )


def known(table: Table, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return the rows that a table has, whoever wrote them; none if a data file of it is lost."""
    files = table.files(table.live_keys())
    sizes = sizes_of(table.store, (f"{table.name}/{file.path}" for file in files))
    is_whole = all(found == file.size_bytes for file, found in zip(files, sizes, strict=True))
    if not files or not is_whole:
        return pl.DataFrame(schema=schema)
    return scan_table(table).collect().with_columns(pl.col(KEY_COLUMN).fill_null(WHOLE))


def recorded(table: Table) -> pl.DataFrame:
    """Return the keys of the partitions that are there by the log; the rows may have lost some that it still has."""
    keys = table.partitions().filter(pl.col("origin") != int(Origin.GONE))
    if table.names_keys:
        keys = keys.filter(pl.col("key") != WHOLE)
    return keys.select(pl.col("key").alias(KEY_COLUMN))


def compare(before: pl.DataFrame, recorded: pl.DataFrame, now: pl.DataFrame, at: dt.datetime) -> Changes:
    """Compare what is known with what is there now.

    Args:
        before: the rows that the table has.
        recorded: the keys that its log says are there. They differ from those of the rows if a data file is lost or
            others wrote to the table.
        now: the columns of the table but `observed_at`, which is when a row was new.
        at: the time of the observation.
    """
    identity = now.columns
    seen = before.group_by(identity).agg(pl.col(_AT).min())
    rows = now.join(seen, on=identity, how="left").with_columns(pl.col(_AT).fill_null(at))
    rows = rows.select(before.columns).sort(identity)
    both = (now.with_columns(count=1), before.select(*identity, count=-1))
    differ = pl.concat(both).group_by(identity).agg(pl.col("count").sum()).filter(pl.col("count") != 0)
    here, there = now.select(KEY_COLUMN), recorded.select(KEY_COLUMN)
    forgotten = (here.join(there, on=KEY_COLUMN, how="anti"), there.join(here, on=KEY_COLUMN, how="anti"))
    keys = pl.concat((differ.select(KEY_COLUMN), *forgotten)).unique().sort(KEY_COLUMN)
    changed = keys.join(here, on=KEY_COLUMN, how="semi", maintain_order="left")[KEY_COLUMN]
    gone = keys.join(here, on=KEY_COLUMN, how="anti", maintain_order="left")[KEY_COLUMN]
    return Changes(rows, tuple(changed.to_list()), tuple(gone.to_list()))


def is_disturbed(table: Table) -> bool:
    """Return whether others wrote to the table after it was last observed."""
    last = table.partitions().filter(pl.col("key") == WHOLE)["origin"]
    return last.to_list() == [int(Origin.OUTSIDE)]


def verify_observed(table: Table, schema: Mapping[str, pl.DataType], scheme: str | None) -> None:
    """Make sure that a table can keep what is observed; `scheme` is the kind of its partitions, none of a whole table.

    Raises:
        TableMismatch: it cannot.
    """
    if not table.exists:
        return
    verify_table(table, schema, (), scheme)
    if table.names_keys is not (scheme is not None):
        was, now = ("has partitions", "has none") if table.names_keys else ("is one whole", "has partitions")
        raise TableMismatch(
            f"table {table.store.uri(table.name)} (version {table.version}): what it observes {was}, but its source "
            f"{now}. Nothing was written. Give the source another name; or, as what it observes can be observed again, "
            "`deltaworks wipe` forgets it and makes the table ready for what the source is now."
        )


def kind_change(table: Table, scheme: str | None) -> Json | None:
    """Return the metadata action by which the empty table of a source keeps partitions of another kind.

    None: it keeps those of `scheme` already, which is none for a source without partitions.

    Raises:
        LogGap: no commit says what the table is.
    """
    assert table.metadata is not None, "a table that exists"
    others = {name: value for name, value in table.metadata.configuration.items() if name != SCHEME}
    configuration = others if scheme is None else others | {SCHEME: scheme}
    return (
        None
        if configuration == table.metadata.configuration
        else last_metadata(table) | {"configuration": configuration}
    )


def create_observed(
    table: Table, schema: Mapping[str, pl.DataType], scheme: str | None, description: Description
) -> None:
    """Create the table of a source; one that another process has just created is taken as it is.

    Raises:
        StorageError: the place cannot be written.
        TableMismatch: what is there now cannot keep what is observed.
    """
    create_table(table, schema, (), description, scheme)
    verify_observed(table, schema, scheme)


def commit_observed(
    table: Table,
    rows: pl.DataFrame,
    staging: Staging,
    record: Record,
    scheme: str | None,
    now: dt.datetime,
) -> Committed:
    """Replace the rows of a source's table, unless somebody else changed it since the version that it is at.

    Raises:
        TableMismatch: the table cannot be written by this engine any more.
        StorageError: the lake cannot be written.
    """
    schema = rows.schema
    staged = stage_observed(rows, staging)
    committed = commit_partitions(
        table,
        [staged],
        {WHOLE: table.version},
        lambda _: record,
        lambda changed: verify_observed(changed, schema, scheme),
        int(now.timestamp() * 1000),
    )
    if committed.version is None:
        for file in staged.files:
            table.store.delete(f"{table.name}/{file.path}")
    return committed


def stage_observed(rows: pl.DataFrame, staging: Staging) -> StagedPartition:
    """Write the rows of a source's table as the one file that holds them; no rows are no file."""
    if rows.is_empty():
        return StagedPartition(WHOLE, {}, 0, ())
    key = pl.col(KEY_COLUMN)
    df = rows.with_columns(pl.when(key != WHOLE).then(key).alias(KEY_COLUMN))
    staging.write(df, {})
    measured = df.select(statistics(df.schema)).row(0, named=True)
    return StagedPartition(WHOLE, {}, df.height, (staging.staged({}, measured, df.height),))
