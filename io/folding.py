"""Folding: runs of days gone by move from their objects to the Parquet files of the ledger."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence

from deltaworks.io import folded
from deltaworks.io.dtypes import Json
from deltaworks.io.ledger import read_entry, run_paths
from deltaworks.io.run_entry import RunEntry, document_of, knows_all_of
from deltaworks.io.store import Store


def find_foldable(store: Store, before: dt.date) -> list[tuple[str, RunEntry]]:
    """Return the runs of the days before one that have ended, each with where its object is.

    Raises:
        StorageError: an entry cannot be read.
    """
    days = (path for path in run_paths(store) if _day(path) < before)
    found = ((path, read_entry(store, path)) for path in days)
    return [(path, entry) for path, entry in found if entry is not None and _is_whole(store, path, entry)]


def fold_runs(store: Store, foldable: Sequence[tuple[str, RunEntry]]) -> None:
    """Move runs from their objects to the Parquet files of the ledger; a crash at any moment loses none.

    Raises:
        StorageError: the lake cannot be written, or a Parquet file of the ledger is damaged.
    """
    folded.fold(store, {entry.run_id: document_of(entry) for _, entry in foldable})
    for path, _ in foldable:
        store.delete(path)


def _is_whole(store: Store, path: str, entry: RunEntry) -> bool:
    """Return whether a run has ended and this engine knows all that its object says."""
    if not entry.status.is_over:
        return False
    document: Json = json.loads(store.read(path) or b"{}")
    return knows_all_of(document)


def _day(path: str) -> dt.date:
    """Return the day whose folder an object is in; one in no such folder is of no day that is gone."""
    try:
        return dt.date.fromisoformat(path.split("/")[-2])
    except ValueError:
        return dt.date.max
