"""TableState: what a table's log comes to at one version: who last changed each partition, when and from what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import cast

import polars as pl

from deltaworks.io.log import Metadata
from deltaworks.io.materialization import Materialization
from deltaworks.io.protocol import Protocol
from deltaworks.io.record import Group
from deltaworks.io.writer import Writer


class Origin(IntEnum):
    """Who last changed a partition."""

    ENGINE = 0
    """A materialization, whose group says from what; or an observation."""
    OUTSIDE = 1
    """A commit without a record."""
    GONE = 2
    """A commit that left it without content: a wipe, a rollback to before it was there, or an outside one."""
    CHOSEN = 3
    """A commit of the engine with content that somebody chose: a rollback's, or what others wrote and rejects that came
    back to it."""


PARTITION_SCHEMA = pl.Schema(
    {"key": pl.String, "version": pl.Int64, "origin": pl.UInt8, "rows": pl.Int64, "materialization": pl.UInt32}
)
"""One row a partition: its place in the table as its key, the version that last changed it, its origin, its rows and
the index of its materialization, the last two null for what was written outside or is gone."""


_MOST = {pl.UInt8(): 2**8 - 1, pl.UInt16(): 2**16 - 1, pl.UInt32(): 2**32 - 1}


@dataclass(frozen=True, slots=True)
class TableState:
    """What a table's log comes to at one version, without its files: what an index keeps."""

    version: int
    digest: bytes
    """Of the version's commit file."""
    stamp: str
    """The commit file's size and time, by which it is recognised without being read; empty: it must be read."""
    metadata: Metadata
    protocol: Protocol
    needs_format: int
    """The newest record format that one of the records asks its writers for."""
    largest_file_bytes: int
    partitions: pl.DataFrame
    """Columns: `PARTITION_SCHEMA`; one row a partition, by key."""
    materializations: tuple[Materialization, ...]
    """Those that the partitions name."""
    writers: Mapping[int, Writer]
    """Of the versions that the partitions name."""


def materialization_of(version: int, run_id: str, group: Group) -> Materialization:
    """Return what made the partitions of a group of a commit's record."""
    return Materialization(
        version, run_id, group.source, group.override, group.inputs, group.restored_from, group.config_hash
    )


def narrowed(partitions: pl.DataFrame, materializations: int) -> pl.DataFrame:
    """Return the state of partitions in narrower columns, into which all fits that they are compared with.

    Args:
        partitions: as `PARTITION_SCHEMA`, or narrower.
        materializations: how many there are.
    """
    most_rows = cast("int | None", partitions["rows"].max())
    dtypes = {"version": pl.Int32(), "rows": _least(most_rows or 0), "materialization": _least(materializations)}
    # Series by series, as a query costs more than all of it on a small table.
    return pl.DataFrame([each.cast(dtypes.get(each.name, each.dtype)) for each in partitions.iter_columns()])


def _least(number: int) -> pl.DataType:
    return next((dtype for dtype, most in _MOST.items() if number <= most), pl.Int64())


def origin_of(group: Group) -> Origin:
    """Return who changed the partitions of a group of a commit's record."""
    if group.is_gone:
        return Origin.GONE
    return Origin.CHOSEN if group.is_external or group.restored_from is not None else Origin.ENGINE
