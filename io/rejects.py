"""Rejects: rows that were left out of a partition and are kept apart, one Parquet file for a partition and a run.

They lie outside the table, in `_deltaworks/rejects/<asset key>/<run id>/`. A file counts from the commit on that names
it, the one that leaves its rows out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from deltaworks.io.log import commit_path, parse_commit
from deltaworks.io.parquet import COMPRESSION, ROW_GROUP_ROWS
from deltaworks.io.staged import RejectsFile
from deltaworks.io.store import Store
from deltaworks.io.table import Table


def sink_rejects(store: Store, file: RejectsFile, lf: pl.LazyFrame) -> pl.LazyFrame:
    """Return the plan that writes rejected rows when it is collected; `secure_rejects` has to follow."""
    return lf.sink_parquet(
        store.uri(file.path),
        compression=COMPRESSION,
        row_group_size=ROW_GROUP_ROWS,
        mkdir=True,
        maintain_order=True,
        lazy=True,
    )


def secure_rejects(store: Store, file: RejectsFile) -> None:
    """Make sure that a file and its name outlast a crash of the machine."""
    store.sync_file(file.path)
    store.sync_folders([file.path])


def current_rejects(table: Table, keys: Iterable[str] | None = None) -> Iterator[tuple[str, RejectsFile]]:
    """Yield the files of the rows that the present content of partitions left out, by key; of `keys` if given.

    The content that a rollback brought back has the rejects that it had. Cost: one commit read for each commit that
    made any of the content.
    """
    places = None if keys is None else {table.places.of_key(key) for key in keys}
    by_version: dict[int, set[str]] = {}
    made: Iterator[tuple[str, int]] = table.partitions().select("key", "materialization").drop_nulls().iter_rows()
    for place, number in made:
        if places is None or place in places:
            by_version.setdefault(table.materializations[number].content_from.version, set()).add(place)
    for version, wanted in by_version.items():
        content = table.store.read(commit_path(table.name, version))
        record = None if content is None else parse_commit(table.name, version, content, table.places).record
        for group in () if record is None else record.groups:
            for key, name in zip(group.keys or ("",), group.rejects or (), strict=False):
                if record is not None and name is not None and table.places.of_key(key) in wanted:
                    yield key, RejectsFile(record.asset, name)


def scan_rejects(store: Store, file: RejectsFile) -> pl.LazyFrame:
    """Return the rejected rows of a partition, lazily.

    Columns: those of its table, and a list of texts that names the rules that each row breaks.
    """
    return pl.scan_parquet(store.uri(file.path))


def drop_rejects(store: Store, file: RejectsFile) -> None:
    """Delete a file that no commit is going to name."""
    store.delete(file.path)
