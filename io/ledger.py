"""Ledger: what the commit logs cannot hold, as one small JSON object a run; runs of long ago are folded into Parquet.

Which runs there were, how they ended and what failed. Losing it loses history and changes no table's state.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial

from deltaworks.errors import RequestError, StorageError, UnknownRun
from deltaworks.io import folded
from deltaworks.io.failpoints import Step, hit
from deltaworks.io.run_entry import RunEntry, RunStatus, document_of, entry_of
from deltaworks.io.silence import silence_of
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.together import together

RUNS = f"{ENGINE_FOLDER}/ledger/runs"
_SHOWN_RUNS = 3


def write_run(store: Store, entry: RunEntry) -> None:
    """Write a run's entry, in place of its earlier one; a run that goes on does so every few seconds.

    Raises:
        StorageError: the lake cannot be written.
    """
    assert entry.status is not RunStatus.LOST, "a run that can write is not lost"
    hit(Step.LEDGER)
    store.put(_path(entry.run_id, entry.started_at), json.dumps(document_of(entry), indent=1).encode())


def read_runs(store: Store) -> list[RunEntry]:
    """Return all runs, oldest first.

    Raises:
        StorageError: an entry cannot be read; it can be deleted without harm to any table.
    """
    # Objects first: one that is folded meanwhile is then found in the Parquet file.
    found = together(store, partial(read_entry, store), run_paths(store))
    entries = {entry.run_id: entry for entry in found if entry is not None}
    for folded_entries in together(store, partial(read_folded, store), folded.paths(store)):
        for entry in folded_entries:
            entries.setdefault(entry.run_id, entry)
    return sorted(entries.values(), key=lambda entry: (dt.datetime.fromisoformat(entry.started_at), entry.run_id))


def read_run(store: Store, known: RunEntry) -> RunEntry | None:
    """Read the entry of a run anew; none if it is not there any more, or folded.

    Raises:
        StorageError: it cannot be read.
    """
    return read_run_at(store, known.run_id, known.started_at)


def read_run_at(store: Store, run_id: str, started_at: str) -> RunEntry | None:
    """Read the entry of a run that is known by its id and its start; none if it is not there, or folded.

    Raises:
        StorageError: it cannot be read.
    """
    return read_entry(store, _path(run_id, started_at))


def runs_written_since(store: Store, instant: dt.datetime) -> list[tuple[dt.datetime, RunEntry]]:
    """Return the runs whose entries were written at or after an instant, by the store's own clock, each with when.

    Those that started first come first. What is folded was written long ago.

    Raises:
        StorageError: an entry cannot be read.
    """
    files = [each for each in store.files(RUNS) if each.path.endswith(".json") and each.modified_at >= instant]
    found = together(store, lambda file: read_entry(store, file.path), files)
    entries = ((file.modified_at, entry) for file, entry in zip(files, found, strict=True) if entry is not None)
    return sorted(entries, key=lambda each: (dt.datetime.fromisoformat(each[1].started_at), each[1].run_id))


def runs_stamp(store: Store, day: dt.date) -> str:
    """Return what changes when a run of a day writes its entry; in an object store that costs a listing."""
    return store.files_stamp(f"{RUNS}/{day.isoformat()}")


def find_damaged_runs(store: Store) -> Iterator[tuple[str, StorageError]]:
    """Yield the entries that cannot be read, and the Parquet files, with what is wrong with each."""
    for path in (*folded.paths(store), *run_paths(store)):
        try:
            read_folded(store, path) if path.endswith(".parquet") else read_entry(store, path)
        except StorageError as error:
            yield path, error


def read_folded(store: Store, path: str) -> list[RunEntry]:
    """Read the runs of a Parquet file of the ledger.

    Raises:
        StorageError: it cannot be read.
    """
    documents = folded.read_fold(store, path)
    try:
        return [entry_of(document) for document in documents]
    except (ValueError, TypeError, KeyError) as error:
        raise folded.damaged(store, path, error) from error


def run_paths(store: Store) -> Iterator[str]:
    """Yield where the objects of runs lie that are not folded."""
    return (path for path in store.list(RUNS) if path.endswith(".json"))


def read_entry(store: Store, path: str) -> RunEntry | None:
    """Read an entry, and look for the process of a run that goes on; none if it is not there any more.

    Raises:
        StorageError: it is damaged.
    """
    entry = _read_entry(store, path)
    if entry is None or entry.status.is_over:
        return entry
    if not entry.has_vanished():
        return replace(entry, silence=silence_of(store, path, entry.process))
    last = _read_entry(store, path)  # it may have ended, and said how, between the first look and the second
    return None if last is None else replace(last, is_gone=last.process == entry.process)


def _read_entry(store: Store, path: str) -> RunEntry | None:
    content = store.read(path)
    if content is None:
        return None
    try:
        entry = entry_of(json.loads(content))
        dt.datetime.fromisoformat(entry.started_at)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StorageError(
            f"ledger entry {store.uri(path)} is damaged ({type(error).__name__}: {error}); delete it: only this run's "
            "history is lost"
        ) from error
    return entry


def find_run(runs: Sequence[RunEntry], name: str) -> RunEntry:
    """Return the run that is meant by an id, by the beginning of one, or by `latest`.

    Raises:
        UnknownRun: none is.
        RequestError: several are.
    """
    if not runs:
        raise UnknownRun("There are no runs yet.")
    if name == "latest":
        return runs[-1]
    found = [run for run in runs if run.run_id == name] or [run for run in runs if name and run.run_id.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(run.run_id for run in found[-_SHOWN_RUNS:])
        raise RequestError(f"{len(found)} runs begin with {name!r}, among them {some}; write more of the id.")
    ids = [run.run_id for run in reversed(runs)]
    close = " or ".join(map(repr, get_close_matches(name, ids, n=_SHOWN_RUNS)))
    hint = f"Did you mean {close}?" if close else "`deltaworks runs list` shows which there are."
    raise UnknownRun(f"There is no run {name!r}. {hint}")


def _path(run_id: str, started_at: str) -> str:
    day = dt.datetime.fromisoformat(started_at).date().isoformat()
    return f"{RUNS}/{day}/{run_id}.json"
