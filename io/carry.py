"""Carry: the content of partitions under other columns, in new files, where no function is called for it.

Others wrote it, or it lies beyond what is defined now: it stays what it is, but for columns that are wider or gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from deltaworks.errors import StorageError
from deltaworks.io.compact import write_again
from deltaworks.io.evolution import brought_under
from deltaworks.io.log import read_file
from deltaworks.io.parquet import Staging, disk_refusal
from deltaworks.io.restore import RestoredPartition, contents
from deltaworks.io.scan import scan_files
from deltaworks.io.staged import add_action
from deltaworks.io.table import Table


def carry(
    table: Table, keys: Sequence[str], schema: Mapping[str, pl.DataType], run_id: str, now_ms: int
) -> Iterator[RestoredPartition]:
    """Yield partitions with their rows cast to other columns, one after the other; what was not there is null.

    Args:
        table: the table.
        keys: the partitions, which have content.
        schema: the columns, each of a dtype that holds what was there; partition columns are as they were.
        run_id: names the files.
        now_ms: their time, in milliseconds since 1970.

    Raises:
        StorageError: a file cannot be read or written.
    """
    assert table.metadata is not None, "a table that exists"
    by = table.metadata.partition_columns
    there = pl.Schema({name: dtype for name, dtype in table.schema().items() if name not in by})
    stored = pl.Schema({name: dtype for name, dtype in schema.items() if name not in by})
    columns = brought_under(stored, there)
    made = contents(table)
    for key in keys:
        files, content = table.files([key]), made[table.places.of_key(key)]
        logged: list[Mapping[str, object]] = []
        if files:
            values = {column: files[0].partition_values.get(column) for column in by}
            staging = Staging(table.store, table.name, run_id, 0)
            lf = scan_files(table.store, table.name, files, there, (), table.version).select(columns)
            try:
                file = write_again(staging, lf, values, stored)
            except (OSError, pl.exceptions.PolarsError) as error:
                reason = " ".join(str(error).split())
                raise disk_refusal(error) or StorageError(f"{key}: its rows cannot be rewritten: {reason}") from error
            logged.append(add_action(file, values, now_ms))
        yield RestoredPartition(key, content.rows, tuple(map(read_file, logged)), tuple(logged), content.made)
