"""Kept: the rows of partitions that broke their contract, one Parquet file each, for people who look for the cause.

They lie outside of any table, in `_deltaworks/kept/<asset key>/<run id>/`, with their partition columns. No commit
names them, nothing is decided on them, and a sweep deletes them when they are old. A run that died may have left half
of one.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from deltaworks.io.dtypes import Json
from deltaworks.io.parquet import sink_parquet
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.stores.stored_file import StoredFile

KEPT_FOR: Final = dt.timedelta(days=7)
"""How long rows are kept at least, unless a sweep is told otherwise."""

_FOLDER = f"{ENGINE_FOLDER}/kept"
_NAME = re.compile(r"\d+-\d+\.parquet")
_ABOUT = "deltaworks"
"""The key, in the footer of a file, of what its rows are."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """Where the rows of one partition lie."""

    asset: str
    run_id: str
    name: str
    """`<number>-<ordinal>.parquet`: the number of the task, and the partition."""

    @property
    def path(self) -> str:
        """Below the lake's root."""
        return f"{_FOLDER}/{self.asset}/{self.run_id}/{self.name}"


@dataclass(frozen=True, slots=True)
class KeptRows:
    """A kept file that is there."""

    file: KeptFile
    size_bytes: int
    modified_at: dt.datetime
    partition: str | None
    """None: the asset is not partitioned, or the file is damaged."""
    rules: tuple[Json, ...]
    """The rules that did not pass, as they were reported."""
    is_damaged: bool = False
    """Whether only part of it was written."""


def keep_rows(store: Store, file: KeptFile, lf: pl.LazyFrame, partition: str | None, rules: list[Json]) -> None:
    """Write rows, and beside them what was wrong with them.

    Raises:
        OSError, PolarsError: they cannot be written; part of the file may be there.
    """
    about = {_ABOUT: json.dumps({"partition": partition, "rules": rules})}
    sink_parquet(lf, store, file.path, about).collect(engine="streaming")


def find_kept(store: Store, run_id: str) -> list[KeptRows]:
    """Return what is still there of the rows that a run kept, in the order of its tasks."""
    found = [(stored, file) for stored, file in _files(store) if file.run_id == run_id]
    return [_read(store, stored, file) for stored, file in sorted(found, key=lambda each: _order(each[1]))]


def find_old_kept(store: Store, before: dt.datetime) -> Iterator[StoredFile]:
    """Yield the files that were written before an instant."""
    return (stored for stored, _ in _files(store) if stored.modified_at < before)


def _files(store: Store) -> Iterator[tuple[StoredFile, KeptFile]]:
    for stored in store.files(_FOLDER):
        folder, _, name = stored.path.rpartition("/")
        asset, _, run_id = folder.removeprefix(f"{_FOLDER}/").rpartition("/")
        if asset and _NAME.fullmatch(name):
            yield stored, KeptFile(asset, run_id, name)


def _order(file: KeptFile) -> tuple[str, list[int]]:
    return file.asset, [int(number) for number in file.name.removesuffix(".parquet").split("-")]


def _read(store: Store, stored: StoredFile, file: KeptFile) -> KeptRows:
    try:
        about: Json = json.loads(
            pl.read_parquet_metadata(store.uri(stored.path), storage_options=store.polars_options)[_ABOUT]
        )
        partition, rules = about["partition"], tuple(about["rules"])
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
        return KeptRows(file, stored.size_bytes, stored.modified_at, None, (), is_damaged=True)
    return KeptRows(file, stored.size_bytes, stored.modified_at, partition, rules)
