"""Rejects: rows that were left out of a partition and are kept apart, one Parquet file for a partition and a run.

They lie outside the table, in `_deltaworks/rejects/<asset key>/<run id>/`. A file counts from the commit on that names
it, the one that leaves its rows out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from deltaworks.io.dtypes import Json
from deltaworks.io.log import recorded_in
from deltaworks.io.materialization import Materialization
from deltaworks.io.parquet import sink_parquet
from deltaworks.io.staged import RejectsFile
from deltaworks.io.store import Store
from deltaworks.io.table import Table


def sink_rejects(store: Store, file: RejectsFile, lf: pl.LazyFrame) -> pl.LazyFrame:
    """Return the plan that writes rejected rows when it is collected; `secure_rejects` has to follow."""
    return sink_parquet(lf, store.uri(file.path))


def secure_rejects(store: Store, file: RejectsFile) -> None:
    """Make sure that a file and its name outlast a crash of the machine."""
    store.sync_file(file.path)
    store.sync_folders([file.path])


@dataclass(frozen=True, slots=True)
class Rejected:
    """The rows that the present content of a partition left out and that are kept."""

    key: str
    file: RejectsFile
    made: Materialization
    """What made the content."""
    dropped: tuple[Json, ...]
    """What the record says of rules that left out other rows, which are not kept."""


def current_rejects(table: Table, keys: Iterable[str] | None = None) -> Iterator[Rejected]:
    """Yield what the present content of partitions left out, in the order of the commits; of `keys` if given.

    The content that a rollback brought back has the rejects that it had. Cost: one commit read for each commit that
    made any of the content.
    """
    places = None if keys is None else {table.places.of_key(key) for key in keys}
    by_version: dict[int, dict[str, Materialization]] = {}
    numbered: Iterator[tuple[str, int]] = table.partitions().select("key", "materialization").drop_nulls().iter_rows()
    for place, number in numbered:
        if places is None or place in places:
            materialization = table.materializations[number]
            by_version.setdefault(materialization.content_from.version, {})[place] = materialization
    for version, wanted in by_version.items():
        record = recorded_in(table.store, table.name, version, table.places)
        if record is None:
            continue
        not_passed: list[Json] = record.checks.get("not_passed", [])
        dropped: dict[str, list[Json]] = {}
        for each in not_passed:
            if each.get("severity") == "drop":
                dropped.setdefault(each.get("partition") or "", []).append(each)
        for group in record.groups:
            for key, name in zip(group.keys or ("",), group.rejects or (), strict=False):
                made = wanted.get(table.places.of_key(key))
                if name is not None and made is not None:
                    yield Rejected(key, RejectsFile(record.asset, name), made, tuple(dropped.get(key, ())))


def scan_rejects(store: Store, file: RejectsFile) -> pl.LazyFrame:
    """Return the rejected rows of a partition, lazily.

    Columns: those of its table, and a list of texts that names the rules that each row breaks.
    """
    return pl.scan_parquet(store.uri(file.path))


def drop_rejects(store: Store, file: RejectsFile) -> None:
    """Delete a file that no commit is going to name."""
    store.delete(file.path)
