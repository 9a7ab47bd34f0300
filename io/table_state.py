"""TableState: what a table's log comes to at one version: who last changed each partition, when and from what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

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


def origin_of(group: Group) -> Origin:
    """Return who changed the partitions of a group of a commit's record."""
    if group.is_gone:
        return Origin.GONE
    return Origin.CHOSEN if group.is_external or group.restored_from is not None else Origin.ENGINE
