"""Sweep: delete what runs and writers that died have left in the lake.

Only what this engine or delta-rs has named is looked at, and only what no commit of the log ever added is deleted.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from deltaworks.io.log import commit_path, path_below, tail
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.staged import REJECTS
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.stores.local_folder import is_temporary
from deltaworks.io.stores.stored_file import StoredFile

LIVE_FOR = dt.timedelta(days=1)
"""A run that gave a sign of life within this time may still commit its files, however wrong its machine's clock is."""


_REJECT = re.compile(r"\d+-\d+\.parquet")
"""As `sift` names the files of rejected rows."""

_STAGED = re.compile(r"(?P<run>.+)-\d+(\.\d+)?(\.sifted)?\.parquet", re.DOTALL)
_RUN_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
_FOREIGN_TEMPORARY = re.compile(r".+\.(parquet|json)#\d+|_last_checkpoint#\d+|_commit_.+\.json\.tmp", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Runs:
    """What the ledger says about the makers of staged files."""

    known: frozenset[str]
    live: frozenset[str]
    """Those that may still commit."""
    oldest_start: dt.datetime | None = None
    """When the first of the live ones began; none: there is none."""

    @classmethod
    def of(cls, entries: Sequence[RunEntry], now: dt.datetime) -> Runs:
        """Tell the live runs from the others; a run that the ledger does not know has ended."""
        live = [
            entry
            for entry in entries
            if not entry.status.is_over
            and dt.datetime.fromisoformat(entry.heartbeat_at or entry.started_at) > now - LIVE_FOR
        ]
        starts = (dt.datetime.fromisoformat(entry.started_at) for entry in live)
        known = frozenset(entry.run_id for entry in entries)
        return cls(known, frozenset(entry.run_id for entry in live), min(starts, default=None))


def is_staged(path: str) -> bool:
    """Return whether a data file is named as this engine names its own."""
    return _STAGED.fullmatch(PurePosixPath(path).name) is not None


def find_candidates(store: Store, folder: str, before: dt.datetime) -> list[StoredFile]:
    """Return the files of a folder that are old enough and named like leftovers; tables inside it are left alone.

    Call it before the ledger and the log are read: what is committed meanwhile is then seen there.
    """
    files = list(store.files(folder))
    inner = {table for file in files if (table := _table_of(file.path)) not in (None, folder)}
    return [
        file
        for file in files
        if file.modified_at < before and _is_named_so(file) and inner.isdisjoint(_folders(file.path))
    ]


def leftovers(store: Store, name: str, candidates: Sequence[StoredFile], runs: Runs) -> list[StoredFile]:
    """Return what of a table's candidates may be deleted.

    A table without a log keeps its staged files: they may be all that is left of it.

    Raises:
        LogGap: a commit is missing or damaged, so nobody can say what was ever added.
    """
    if not candidates:
        return []
    added: set[str] = set()
    known = set(runs.known)
    has_log = False
    for commit in tail(store, name, after=-1):
        has_log = True
        added |= {path_below(store, name, each.file.path) for each in commit.added}
        if commit.record is not None:
            known.add(commit.record.run_id)
    never_added = (file for file in candidates if file.path.removeprefix(f"{name}/") not in added)
    return [file for file in never_added if not _run_id(file) or (has_log and _has_ended(file, known, runs.live))]


def own_temporaries(store: Store, before: dt.datetime) -> list[StoredFile]:
    """Return what writers that died have left half-written beside the tables, if it is old enough."""
    return [file for file in store.files(ENGINE_FOLDER) if file.modified_at < before and is_temporary(file.name)]


def stray_rejects(store: Store, name: str, asset: str, before: dt.datetime, runs: Runs) -> list[StoredFile]:
    """Return the files of rejected rows, old enough, that no record names and no live run may name yet.

    A table without a log keeps them, as it keeps its staged files. Rows of an asset that has another name now are named
    by the log of the table that it still has, so all logs of the lake are asked.

    Raises:
        LogGap: a commit is missing or damaged, so nobody can say what is named.
    """
    folder = f"{REJECTS}/{asset}/"
    files = [file for file in store.files(folder) if file.modified_at < before and _is_reject(file, folder, runs)]
    if not files:
        return []
    if not store.has_folder(f"{name}/_delta_log"):
        return []
    # A log that others clean has lost its beginning, and names no rows of this lake.
    tables = (table for table in store.folders_with("_delta_log") if store.exists(commit_path(table, 0)))
    commits = (commit for table in tables for commit in tail(store, table, after=-1))
    records = (commit.record for commit in commits if commit.record is not None and commit.record.asset == asset)
    named = {f"{folder}{reject}" for record in records for group in record.groups for reject in group.rejects or ()}
    return [file for file in files if file.path not in named]


def _is_reject(file: StoredFile, folder: str, runs: Runs) -> bool:
    """Return whether a file has rejected rows of a run that works no longer."""
    run_id, _, name = file.path.removeprefix(folder).partition("/")
    return run_id not in runs.live and _REJECT.fullmatch(name) is not None


def _run_id(file: StoredFile) -> str | None:
    """Return the run that a data file is named by; none for a temporary."""
    found = _STAGED.fullmatch(file.name)
    return None if found is None else found["run"]


def _has_ended(file: StoredFile, known: Collection[str], live: Collection[str]) -> bool:
    """Return whether a file was staged by a run of this engine that works no longer."""
    run_id = _run_id(file) or ""
    return (run_id in known or _RUN_ID.fullmatch(run_id) is not None) and run_id not in live


def _is_named_so(file: StoredFile) -> bool:
    name = file.name
    return any((is_temporary(name), _FOREIGN_TEMPORARY.fullmatch(name), _STAGED.fullmatch(name)))


def _table_of(path: str) -> str | None:
    """Return the folder of the table whose log a file is part of; none: of no log."""
    folder, found, _ = path.partition("/_delta_log/")
    return folder if found else None


def _folders(path: str) -> Iterator[str]:
    return (str(folder) for folder in PurePosixPath(path).parents)
