"""ConditionNotes: what the conditions of a lake remember from tick to tick, and what they last decided.

`_deltaworks/state/conditions/<tick>-<digest>.json` is put before the decision about a tick, whose cursor names it: so
what is remembered and what is asked for advance together, and of a process that dies in between an object is left that
nobody reads. `_deltaworks/state/decisions.json` is for whoever asks why, and nothing hangs on it. Whoever deletes these
lets conditions begin anew; what is missing or stale is in the logs.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from deltaworks.errors import StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.marks import read_mark
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.ticks import TickKind, number_id

NAME = "_conditions"
"""The name of their ticks; no schedule and no sensor can have it."""

FOLDER = f"{ENGINE_FOLDER}/state/conditions"
DECISIONS = f"{ENGINE_FOLDER}/state/decisions.json"

_KEPT_TICKS = 3
"""Of how many ticks back objects are kept: whoever has just read the mark reads the object that it named."""


@dataclass(frozen=True, slots=True)
class MemoryNote:
    """What the conditions remember of one evaluation."""

    at: dt.datetime
    memory: str
    """As `Memory.to_text` writes it."""


@dataclass(frozen=True, slots=True)
class DecisionNote:
    """What was decided about partitions of an asset."""

    asset: str
    ranges: tuple[tuple[str, str], ...]
    """First and last keys; the empty key is the whole of an asset that has no partitions."""
    count: int
    sentence: str


@dataclass(frozen=True, slots=True)
class DecisionNotes:
    """What the last evaluation decided that decided anything else than the one before."""

    at: dt.datetime
    decisions: tuple[DecisionNote, ...]


def put_memory(store: Store, before: str | None, note: MemoryNote) -> str:
    """Put what a tick remembers, and return the cursor that names it; what ticks of long before left is deleted.

    Args:
        store: the lake.
        before: the cursor that the tick was told.
        note: what it remembers.

    Raises:
        StorageError: the lake cannot be written.
    """
    content = _content(note)
    number = 1 if before is None else int(before.partition("-")[0]) + 1
    cursor = f"{number_id(number)}-{hashlib.blake2b(content, digest_size=8).hexdigest()}"
    store.put_new_surely(_path(cursor), content)
    oldest = f"{FOLDER}/{number_id(max(0, number - _KEPT_TICKS + 1))}"
    for path in list(store.list(FOLDER)):
        if path < oldest:
            store.delete(path)
    return cursor


def read_memory(store: Store, cursor: str) -> MemoryNote | None:
    """Return what the tick remembered that put a cursor; none: somebody has deleted it.

    Raises:
        StorageError: it is damaged.
    """
    document = _read(store, _path(cursor))
    if document is None:
        return None
    try:
        return MemoryNote(dt.datetime.fromisoformat(document["at"]), str(document["memory"]))
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(store, _path(cursor), error) from error


def memory_cursor(store: Store) -> str | None:
    """Return the cursor that the last decided tick left; none: there has been none.

    Raises:
        StorageError: the mark is damaged.
    """
    mark = read_mark(store, NAME, TickKind.SENSOR)
    return None if mark is None else mark.cursor


def write_decisions(store: Store, notes: DecisionNotes) -> None:
    """Put decisions in the place of those of the evaluation before.

    Raises:
        StorageError: the lake cannot be written.
    """
    store.put(DECISIONS, _content(notes))


def read_decisions(store: Store) -> DecisionNotes | None:
    """Return what was decided last; none: nothing has been.

    Raises:
        StorageError: it is damaged.
    """
    document = _read(store, DECISIONS)
    if document is None:
        return None
    try:
        decisions = tuple(_decision(each) for each in document["decisions"])
        return DecisionNotes(dt.datetime.fromisoformat(document["at"]), decisions)
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(store, DECISIONS, error) from error


def _path(cursor: str) -> str:
    return f"{FOLDER}/{cursor}.json"


def _content(note: MemoryNote | DecisionNotes) -> bytes:
    document: dict[str, Any] = {"format": 1, **asdict(note), "at": note.at.isoformat()}
    return json.dumps(document, separators=(",", ":")).encode()


def _read(store: Store, path: str) -> Json | None:
    content = store.read(path)
    if content is None:
        return None
    try:
        document: Json = json.loads(content)
    except ValueError as error:
        raise _damaged(store, path, error) from error
    return document


def _decision(document: Json) -> DecisionNote:
    ranges = tuple((first, last) for first, last in document["ranges"])
    return DecisionNote(document["asset"], ranges, int(document["count"]), document["sentence"])


def _damaged(store: Store, path: str, error: Exception) -> StorageError:
    return StorageError(
        f"{store.uri(path)} is damaged ({type(error).__name__}: {error}); delete it: conditions begin anew, and what "
        "is missing or stale is found in the logs"
    )
