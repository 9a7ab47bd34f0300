"""Parquet: write the final data files of staged partitions into their table's folder.

A file gets its final name at once, so that the commit has nothing to move; no reader sees it until a commit names it.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl
from polars.io.partition import FileProviderArgs

from deltaworks.errors import StorageError, TableMismatch
from deltaworks.io.log import LiveFile
from deltaworks.io.partition_values import folder, serialized
from deltaworks.io.scan import scan_files
from deltaworks.io.staged import StagedFile
from deltaworks.io.statistics import statistics, statistics_json
from deltaworks.io.store import Store
from deltaworks.io.stores.reason import reason
from deltaworks.io.together import sizes_of

_ROWS = "\0rows"

COMPRESSION: Final = "zstd"
ROW_GROUP_ROWS = 256 * 1024
"""Polars' streaming sink would otherwise make hundreds of small row groups out of a large partition."""


TARGET_FILE_BYTES = 1024 * 1024 * 1024
"""A partition with much more Parquet than this is cut into several files, unless the settings say another size. It is
the size to which Delta's own OPTIMIZE writes, too; several files are read once more for the statistics of each."""

_IN_MEMORY = 4
"""How many times the memory of its Parquet rows take, about; Polars cuts files by their size in memory."""


def sink_parquet(
    lf: pl.LazyFrame, store: Store, target: str | pl.PartitionBy, metadata: dict[str, str] | None = None
) -> pl.LazyFrame:
    """Return the plan that writes rows in their order, as every Parquet file of a lake is written, when collected.

    Args:
        lf: the rows.
        store: what they are written to.
        target: where to, below its root, or as files of partitions; folders are made.
        metadata: what the footer says beside.
    """
    return lf.sink_parquet(
        store.uri(target) if isinstance(target, str) else target,
        compression=COMPRESSION,
        row_group_size=ROW_GROUP_ROWS,
        metadata=metadata,
        mkdir=True,
        maintain_order=True,
        storage_options=store.polars_options,
        lazy=True,
    )


@dataclass(frozen=True, slots=True)
class Staging:
    """Where one task's files go: the run's id is in their names, so leftovers can be told from files of live runs."""

    store: Store
    table: str
    run_id: str
    number: int
    """Unique in the run."""
    is_sifted: bool = False
    """Whether these are the files that take the place of the task's first ones, of which rows were left out."""
    file_bytes: int | None = None
    """How large the files of a partition should be about, of which a sink writes several; none: it has one file."""
    written: dict[tuple[tuple[str, str | None], ...], int] = field(
        default_factory=dict[tuple[tuple[str, str | None], ...], int]
    )
    """The partitions, as items of their values, that a sink has opened files for, with how many."""
    sizes: dict[str, int | None] = field(default_factory=dict[str, int | None])
    """By path, those that were asked for ahead."""

    def path(self, values: Mapping[str, str | None], index: int = 0) -> str:
        """Return the path, below the table's folder, of a file for a partition."""
        part = f".{index}" if index else ""
        return f"{folder(values)}{self.run_id}-{self.number}{part}{'.sifted' if self.is_sifted else ''}.parquet"

    def paths(self, values: Mapping[str, str | None]) -> list[str]:
        """Return the paths of all files for a partition."""
        return [self.path(values, index) for index in range(self.written.get(tuple(values.items()), 1))]

    @property
    def sifted(self) -> Staging:
        """Where the rows go that are left of a partition whose other rows are left out."""
        return replace(self, is_sifted=True, written={}, sizes={})

    def write(self, df: pl.DataFrame, values: Mapping[str, str | None]) -> None:
        """Write one partition's rows; partition columns, if there are any, stay out of the file.

        Raises:
            StorageError: the disk refuses.
            TableMismatch: there is no other column, so a file could not say how many rows it has.
        """
        target = self._uri(values)
        self._refuse_no_columns(df.columns, values)
        try:
            stored = df.clone()
            for name in df.columns:
                if name in values:
                    stored.drop_in_place(name)  # a tenth of the cost of `drop`
            stored.write_parquet(
                target,
                compression=COMPRESSION,
                row_group_size=ROW_GROUP_ROWS,
                mkdir=True,
                storage_options=self.store.polars_options,
            )
        except (OSError, pl.exceptions.ComputeError) as error:
            raise disk_refusal(error) or StorageError(f"cannot write {target}: {reason(error)}") from error

    def sink(self, lf: pl.LazyFrame, partition_columns: Sequence[str]) -> pl.LazyFrame:
        """Return the plan that writes all rows, in files for each partition in them, when it is collected.

        What collecting it raises may be a `disk_refusal`. Which partitions were written is in `written` then.

        Raises:
            TableMismatch: there are no columns but the partition's, so a file could not say how many rows it has.
        """
        self._refuse_no_columns(lf.collect_schema().names(), partition_columns)
        target = pl.PartitionBy(
            self.store.uri(self.table),
            key=list(partition_columns) or None,
            include_key=False if partition_columns else None,
            file_path_provider=self._provided,
            approximate_bytes_per_file=None if self.file_bytes is None else self.file_bytes * _IN_MEMORY,
        )
        return sink_parquet(lf, self.store, target)

    def sink_one(self, lf: pl.LazyFrame, values: Mapping[str, str | None]) -> pl.LazyFrame:
        """Return the plan that writes one partition's rows, in their order, when it is collected; see `sink`."""
        self._refuse_no_columns(lf.collect_schema().names(), values)
        return sink_parquet(lf.drop(values, strict=False), self.store, f"{self.table}/{self.path(values)}")

    def scan(self, values: Sequence[Mapping[str, str | None]], schema: pl.Schema) -> pl.LazyFrame:
        """Scan staged partitions back, partition columns included."""
        files = [LiveFile(path, "", 0, each) for each in values for path in self.paths(each)]
        return scan_files(self.store, self.table, files, schema, list(values[0]))

    def staged(self, values: Mapping[str, str | None], measured: Mapping[str, object], rows: int) -> StagedFile:
        """Sync and describe a file that has been written.

        Args:
            values: the partition.
            measured: one row of `statistics` over its rows.
            rows: how many there are.
        """
        self.store.sync_file(f"{self.table}/{self.path(values)}")
        return StagedFile(self.path(values), self.size_bytes(values), statistics_json(measured, rows))

    def staged_files(
        self,
        values: Mapping[str, str | None],
        measured: Mapping[str, object],
        rows: int,
        stored: Mapping[str, pl.DataType],
    ) -> tuple[StagedFile, ...]:
        """Sync and describe all files of a partition; of several, each is read again to be measured by itself.

        Args:
            values: the partition.
            measured: one row of `statistics` over all of its rows.
            rows: how many there are.
            stored: the columns of its files.
        """
        paths = self.paths(values)
        if len(paths) == 1:
            return (self.staged(values, measured, rows),)
        found: list[StagedFile] = []
        for path in paths:
            self.store.sync_file(f"{self.table}/{path}")
            lf = scan_files(self.store, self.table, [LiveFile(path, "", 0, {})], pl.Schema(stored), ())
            row = lf.select(pl.len().alias(_ROWS), *statistics(stored)).collect(engine="streaming").row(0, named=True)
            count: int = row.pop(_ROWS)
            found.append(StagedFile(path, self._size_bytes(path), statistics_json(row, count)))
        return tuple(found)

    def weigh(self, partitions: Iterable[Mapping[str, str | None]]) -> None:
        """Ask an object store how large the files of partitions are that have been written, of all at the same time."""
        if not self.store.is_local:
            paths = [path for values in partitions for path in self.paths(values)]
            self.sizes.update(zip(paths, sizes_of(self.store, (f"{self.table}/{path}" for path in paths)), strict=True))

    def size_bytes(self, values: Mapping[str, str | None]) -> int:
        """Return how large the files are together that have been written for a partition."""
        return sum(map(self._size_bytes, self.paths(values)))

    def drop(self, values: Mapping[str, str | None]) -> None:
        """Delete a partition's files, if there are any."""
        for path in self.paths(values):
            self.store.delete(f"{self.table}/{path}")

    def _size_bytes(self, path: str) -> int:
        size_bytes = self.sizes.get(path) or self.store.size_bytes(f"{self.table}/{path}")
        assert size_bytes is not None, "a file that was written has a size"
        return size_bytes

    def _uri(self, values: Mapping[str, str | None]) -> str:
        return self.store.uri(f"{self.table}/{self.path(values)}")

    def _refuse_no_columns(self, columns: Collection[str], partition_columns: Collection[str]) -> None:
        if set(columns) <= set(partition_columns):
            raise TableMismatch(
                f"table {self.table}: all of its columns are partition columns, and those are not stored in data "
                "files; add another column"
            )

    def _provided(self, arguments: FileProviderArgs) -> str:
        keys = arguments.partition_keys
        values = {column: serialized(keys[column][0]) for column in keys.columns}
        items, index = tuple(values.items()), arguments.index_in_partition
        self.written[items] = max(self.written.get(items, 0), index + 1)
        return self.path(values, index)


_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG}


def disk_refusal(error: Exception) -> StorageError | None:
    """Return what Polars raised as one sentence if it was the disk that refused, or none.

    Polars raises an OSError without `errno` or a ComputeError, by where in the file the disk was full.
    """
    found = re.search(r"\(os error (\d+)\)", str(error))
    if found is None or int(found[1]) not in _DISK:
        return None
    return StorageError(f"a data file cannot be written: {os.strerror(int(found[1]))}")
