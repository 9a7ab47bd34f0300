"""Tick history: what ticks, claims and daemons of long ago have left, of which nothing depends any more."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from deltaworks.io.heartbeats import FOLDER as HEARTBEATS
from deltaworks.io.marks import marked
from deltaworks.io.store import Store
from deltaworks.io.stores.stored_file import StoredFile
from deltaworks.io.ticks import CLAIMS, LEDGER, id_of, kind_of

KEPT_TICKS = 20
"""How many of the latest ticks of each schedule and sensor are kept, however old."""


def find_old_ticks(store: Store, before: dt.datetime) -> Iterator[StoredFile]:
    """Yield what the ledger has of ticks that were decided long ago.

    Nobody decides them again: their marks are past them, and whoever has claimed one at that time finds his claim gone.

    Raises:
        StorageError: the lake cannot be read.
    """
    for name in store.names(LEDGER):
        mark, still_open = marked(store, name), set(store.names(f"{CLAIMS}/{name}"))
        files = [file for file in store.files(f"{LEDGER}/{name}") if kind_of(id_of(file.path)) is not None]
        latest = set(sorted({id_of(file.path) for file in files})[-KEPT_TICKS:])
        for file in files:
            tick_id = id_of(file.path)
            if mark is None or tick_id in latest | still_open or file.modified_at >= before:
                continue
            if tick_id < mark or kind_of(tick_id) is not kind_of(mark):
                yield file


def find_old_claims(store: Store, before: dt.datetime) -> Iterator[StoredFile]:
    """Yield the claims and launches of ticks at which nobody has been for long; a process that is at one says so.

    Raises:
        StorageError: the lake cannot be read.
    """
    for name in store.names(CLAIMS):
        for tick_id in store.names(f"{CLAIMS}/{name}"):
            files = list(store.files(f"{CLAIMS}/{name}/{tick_id}"))
            if all(file.modified_at < before for file in files):
                yield from files


def find_old_heartbeats(store: Store, before: dt.datetime) -> Iterator[StoredFile]:
    """Yield the last heartbeats of daemons that have been silent for long.

    Raises:
        StorageError: the lake cannot be read.
    """
    return (file for file in store.files(HEARTBEATS) if file.modified_at < before)


def drop_folders_of_ticks(store: Store, deleted: Iterable[StoredFile]) -> None:
    """Remove the folders that ticks and their claims lay in, as far as nothing is left in them.

    Raises:
        StorageError: the lake cannot be written.
    """
    for folder in {file.path.rpartition("/")[0] for file in deleted}:
        if folder.startswith((f"{LEDGER}/", f"{CLAIMS}/")):
            store.drop_empty_folders(folder)
