"""KnownRuns: the runs of the ledger for one who looks again and again; only what was written since is read."""

from __future__ import annotations

import datetime as dt
from functools import partial

from deltaworks.io import folded
from deltaworks.io.ledger import RUNS, read_entry, read_folded
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.store import Store
from deltaworks.io.together import together


class KnownRuns:
    """What one process knows of a ledger."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._entries: dict[str, tuple[str, RunEntry]] = {}
        """By path: the stamp of an object, and what it says."""
        self._folded: dict[str, tuple[str, list[RunEntry]]] = {}
        self._runs: list[RunEntry] = []

    def read(self) -> list[RunEntry]:
        """Return all runs, oldest first; the same list as before if nothing was written since.

        Cost: a look at every object that is not folded, and a read of each that is new.

        Raises:
            StorageError: an entry cannot be read; it can be deleted without harm to any table.
        """
        objects, is_same = self._objects()
        files: dict[str, tuple[str, list[RunEntry]]] = {}
        for file in self._store.files(folded.FOLDER):
            path, stamp, known = file.path, file.stamp, self._folded.get(file.path)
            if not path.endswith(".parquet"):
                continue
            if known is None or known[0] != stamp:
                known, is_same = (stamp, read_folded(self._store, path)), False
            files[path] = known
        if is_same and objects.keys() == self._entries.keys() and files.keys() == self._folded.keys():
            return self._runs
        self._entries, self._folded = objects, files
        found = {entry.run_id: entry for _, entry in objects.values()}
        for _, entries in files.values():
            for entry in entries:
                found.setdefault(entry.run_id, entry)
        self._runs = sorted(found.values(), key=lambda each: (dt.datetime.fromisoformat(each.started_at), each.run_id))
        return self._runs

    def _objects(self) -> tuple[dict[str, tuple[str, RunEntry]], bool]:
        """Return what the objects say, and whether all of them are those that were read before."""
        files = {file.path: file.stamp for file in self._store.files(RUNS) if file.path.endswith(".json")}
        found = {path: known for path, known in self._entries.items() if self._holds(known, files.get(path))}
        news = [path for path in files if path not in found]
        for path, entry in zip(news, together(self._store, partial(read_entry, self._store), news), strict=True):
            if entry is not None:
                found[path] = (files[path], entry)
        return found, not news

    @staticmethod
    def _holds(known: tuple[str, RunEntry], stamp: str | None) -> bool:
        return known[0] == stamp and not known[1].has_vanished()
