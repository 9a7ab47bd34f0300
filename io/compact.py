"""Compact: move the rows of a table from many small files to fewer, or to files in z-order, and change no row.

A commit of the engine's own does it, in which no action changes data. Where somebody else was faster with a partition,
the partition stays as they left it: nothing is tried again over newer files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

import polars as pl

from deltaworks.errors import StorageError
from deltaworks.io.commit import MAX_TRIES, always_behind, changes_demands, put_next, remove_action, secure_files
from deltaworks.io.dtypes import Json
from deltaworks.io.log import LiveFile, Metadata
from deltaworks.io.parquet import Staging, disk_refusal
from deltaworks.io.record import Record
from deltaworks.io.scan import scan_files
from deltaworks.io.scattered import Layout, Scattered, compaction_demand
from deltaworks.io.staged import StagedFile, add_action
from deltaworks.io.statistics import statistics
from deltaworks.io.table import Table
from deltaworks.io.z_order import z_ordered

BATCH_PARTITIONS = 50
"""Partitions a commit, so that what a crash loses is little."""

_ROWS = "\0rows"


@dataclass(frozen=True, slots=True)
class Gathered:
    """A partition whose rows lie in new files that no commit names yet."""

    of: Scattered
    values: Mapping[str, str | None]
    files: tuple[StagedFile, ...]


@dataclass(frozen=True, slots=True)
class Compaction:
    """What was moved."""

    partitions: int = 0
    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    dropped: tuple[str, ...] = ()
    """Partitions that somebody else changed meanwhile; they were left as they are."""

    def with_partition(self, part: Gathered) -> Compaction:
        """Return the same with one partition more."""
        return Compaction(
            self.partitions + 1,
            self.files_before + part.of.files,
            self.files_after + len(part.files),
            self.bytes_before + part.of.size_bytes,
            self.bytes_after + sum(file.size_bytes for file in part.files),
            self.dropped,
        )


def compact(
    table: Table, scattered: Sequence[Scattered], layout: Layout, record: Record, now_ms: int
) -> Iterator[Compaction]:
    """Move the rows of some partitions, batch by batch, and yield what has been done after each commit.

    Without z-order rows stream from file to file; z-order holds one partition at a time in memory.

    Args:
        table: the table, at the version at which the partitions were found or later; it is advanced.
        scattered: the partitions.
        layout: how their rows are to lie.
        record: what the commits say about themselves.
        now_ms: their timestamp, in milliseconds since 1970.

    Raises:
        StorageError: the lake cannot be written; what was committed before stays.
        TableMismatch: a file cannot be read; likewise.
    """
    if not scattered:
        return
    assert table.metadata is not None, "a table that exists"
    metadata, done, numbers = table.metadata, Compaction(), count()
    waiting = iter(scattered)
    while batch := list(islice(waiting, BATCH_PARTITIONS)):
        gathered = _gather_all(table, metadata, batch, layout, record.run_id, numbers)
        left = _commit(table, metadata, gathered, layout, record, now_ms)
        for part in gathered:
            if part in left:
                done = done.with_partition(part)
            else:
                _drop(table, [file.path for file in part.files])
                done = replace(done, dropped=(*done.dropped, part.of.key))
        yield done


def _values(part: Scattered, metadata: Metadata) -> dict[str, str | None]:
    return {column: part.live[0].partition_values.get(column) for column in metadata.partition_columns}


def _gather_all(
    table: Table,
    metadata: Metadata,
    batch: Sequence[Scattered],
    layout: Layout,
    run_id: str,
    numbers: Iterator[int],
) -> list[Gathered]:
    staged: list[str] = []
    try:
        return [
            Gathered(part, values, tuple(_gather(table, metadata, part, values, layout, run_id, numbers, staged)))
            for part in batch
            for values in (_values(part, metadata),)
        ]
    except (OSError, pl.exceptions.PolarsError) as error:
        _drop(table, staged)
        reason = " ".join(str(error).split())
        raise disk_refusal(error) or StorageError(f"its files cannot be rewritten: {reason}") from error
    except StorageError:
        _drop(table, staged)
        raise


def _gather(
    table: Table,
    metadata: Metadata,
    part: Scattered,
    values: Mapping[str, str | None],
    layout: Layout,
    run_id: str,
    numbers: Iterator[int],
    staged: list[str],
) -> Iterator[StagedFile]:
    """Write the rows of a partition to new files, whose paths are noted in `staged` before they are there."""
    stored = pl.Schema(
        {name: dtype for name, dtype in metadata.schema().items() if name not in metadata.partition_columns}
    )
    for group in part.groups:
        # Partition columns stay out of it: they are in no file, and to join them would cost the rows their order.
        lf = scan_files(table.store, table.name, group, stored, ())
        slices: list[pl.DataFrame] | list[pl.LazyFrame] = [lf]
        if layout.z_order:
            df = z_ordered(lf.collect(engine="streaming"), layout.z_order)
            pieces = max(1, round(sum(file.size_bytes for file in group) / layout.target_bytes))
            slices = list(df.iter_slices(max(1, -(-df.height // pieces)))) or [df]
        for rows in slices:
            staging = Staging(table.store, table.name, run_id, next(numbers))
            staged.append(staging.path(values))
            yield write_again(staging, rows, values, stored)


def write_again(
    staging: Staging, rows: pl.DataFrame | pl.LazyFrame, values: Mapping[str, str | None], stored: pl.Schema
) -> StagedFile:
    """Write rows of one partition that lie in other files, in their order, and measure them.

    Args:
        staging: where to.
        rows: all but their partition columns.
        values: the partition.
        stored: the columns of the rows.
    """
    if isinstance(rows, pl.DataFrame):
        staging.write(rows, values)
    else:
        staging.sink_one(rows, values).collect(engine="streaming")
    written = scan_files(staging.store, staging.table, [LiveFile(staging.path(values), "", 0, {})], stored, ())
    measured = written.select(pl.len().alias(_ROWS), *statistics(stored)).collect(engine="streaming")
    before: int = rows.lazy().select(pl.len()).collect().item()
    assert measured[_ROWS].item() == before, "no row is lost or doubled"
    return staging.staged(values, measured.drop(_ROWS).row(0, named=True), before)


def _commit(
    table: Table,
    metadata: Metadata,
    gathered: Sequence[Gathered],
    layout: Layout,
    record: Record,
    now_ms: int,
) -> list[Gathered]:
    """Commit what nobody else has touched since it was looked at, and return it."""
    secure_files(table, [file for part in gathered for file in part.files])
    record = replace(record, metadata={"target_bytes": layout.target_bytes, "z_order": list(layout.z_order)})
    left = list(gathered)
    for _ in range(MAX_TRIES):
        between = table.tail()
        if any(map(changes_demands, between)) and not _takes(table, metadata):
            return []
        left = [part for part in left if tuple(table.files([part.of.key])) == part.of.live]
        if not left:
            return []
        facts = {
            "operationParameters": {"targetSize": str(layout.target_bytes), "zOrderBy": json.dumps(layout.z_order)},
            "operationMetrics": {
                "numAddedFiles": sum(len(part.files) for part in left),
                "numRemovedFiles": sum(part.of.files for part in left),
            },
        }
        if put_next(table, record, _actions(left, now_ms), now_ms, facts):
            return left
    raise always_behind(table)


def _takes(table: Table, metadata: Metadata) -> bool:
    """Return whether a table still takes the files that were written for what it was."""
    assert table.metadata is not None, "a table that exists"
    now = table.metadata
    is_same = (now.partition_columns, now.table_id) == (metadata.partition_columns, metadata.table_id)
    return is_same and compaction_demand(table) is None and now.schema() == metadata.schema()


def _actions(gathered: Sequence[Gathered], now_ms: int) -> Iterator[Json]:
    for part in gathered:
        for before in (file for group in part.of.groups for file in group):
            yield {"remove": remove_action(before, now_ms, changes_data=False)}
        for after in part.files:
            yield {"add": add_action(after, part.values, now_ms, changes_data=False)}


def _drop(table: Table, paths: Sequence[str]) -> None:
    for path in paths:
        table.store.delete(f"{table.name}/{path}")
