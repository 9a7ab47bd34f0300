"""Doubled: rows that others appended to a partition though it held them already, as a job does that runs twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from deltaworks.errors import TableMismatch
from deltaworks.io.log import LiveFile
from deltaworks.io.scan import scan_files
from deltaworks.io.sweep import is_staged
from deltaworks.io.table import Table


@dataclass(frozen=True, slots=True)
class Doubled:
    """A partition that holds rows twice."""

    key: str
    version: int
    """Of the commit that appended them."""
    rows: int
    """How many it appended, all of which were there."""


def find_doubled(table: Table) -> Iterator[Doubled]:
    """Yield the partitions of this engine to which others appended only such rows as are there already.

    Cost: the rows of the partitions that others changed last and that still hold files of this engine.
    """
    theirs = {version for version, writer in table.writers.items() if writer.run_id is None}
    if theirs <= {0}:
        return
    parts: dict[str, tuple[list[LiveFile], list[LiveFile]]] = {}
    for key, file in table.live_files():
        if table.changed_at(key) in theirs:
            ours, others = parts.setdefault(key, ([], []))
            (ours if is_staged(file.path) else others).append(file)
    for key, (ours, others) in parts.items():
        if ours and others and (rows := _all_there(table, ours, others)):
            yield Doubled(key, table.changed_at(key), rows)


def _all_there(table: Table, ours: list[LiveFile], others: list[LiveFile]) -> int:
    """Return how many rows others have appended, if each of them is one of ours too; else 0."""
    assert table.metadata is not None, "a table with files says what it is"
    columns = table.metadata.partition_columns
    try:
        schema = table.schema()
        found = (
            scan_files(table.store, table.name, files, schema, columns, table.version)
            .select(pl.struct(pl.all()).hash().alias("row"))
            .group_by("row")
            .len()
            .collect()
            for files in (others, ours)
        )
        appended, there = found
    except (TableMismatch, OSError, pl.exceptions.PolarsError):
        return 0  # what cannot be read is told as damage, and is not known to be there twice
    matched = appended.join(there, on="row", suffix="_there").filter(pl.col("len") <= pl.col("len_there"))
    return int(appended["len"].sum()) if matched.height == appended.height else 0
