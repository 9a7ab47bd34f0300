"""Mark: how far a schedule or sensor is, and its cursor.

`_deltaworks/state/ticks/<name>/<tick id>.json` is put if it is not there, and those before it are deleted. The last one
counts, so a daemon that wakes up late moves nothing back. Marks are records. Who wants a schedule or sensor to begin
anew deletes its marks and its ticks in the ledger, whose decisions count as long as they are there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from deltaworks.errors import StorageError
from deltaworks.io.failpoints import Step, hit
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.ticks import LEDGER, TickKind, id_of, kind_of, number_id

FOLDER = f"{ENGINE_FOLDER}/state/ticks"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a schedule or sensor is."""

    tick_id: str
    """Every tick up to this one is decided or forgotten."""
    cursor: str | None = None


def next_id(mark: Mark | None) -> str:
    """Return the id of the tick after a sensor's mark."""
    return number_id(1 if mark is None else int(mark.tick_id) + 1)


def marked(store: Store, name: str) -> str | None:
    """Return the tick that the mark of a schedule or sensor is at; none if it has no mark yet.

    Raises:
        StorageError: the lake cannot be read.
    """
    path = max(store.list(f"{FOLDER}/{name}"), default=None)
    return None if path is None else id_of(path)


def read_mark(store: Store, name: str, kind: TickKind) -> Mark | None:
    """Return how far a schedule or sensor is; none if it has no mark yet.

    Args:
        store: the lake.
        name: of the schedule or sensor.
        kind: which of them it is.

    Raises:
        StorageError: its mark is damaged, or one of the other kind.
    """
    path, anew = max(store.list(f"{FOLDER}/{name}"), default=None), f"{FOLDER}/{name} and {LEDGER}/{name} to begin anew"
    content = None if path is None else store.read(path)
    if path is None:
        return None
    if content is None:
        return read_mark(store, name, kind)  # a later one has just taken its place
    tick_id = id_of(path)
    if kind_of(tick_id) is not kind:
        raise StorageError(
            f"{store.uri(path)} says how far something else named {name!r} was, and no {kind}; give the {kind} another "
            f"name, or delete {anew}"
        )
    try:
        return Mark(tick_id, json.loads(content)["cursor"])
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{store.uri(path)} is damaged ({type(error).__name__}: {error}); restore it, or delete {anew}"
        ) from error


def advance_mark(store: Store, name: str, mark: Mark) -> None:
    """Move a schedule or sensor on; where it is further already, nothing moves.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    path = f"{FOLDER}/{name}/{mark.tick_id}.json"
    before = list(store.list(f"{FOLDER}/{name}"))
    if max(before, default="") >= path:
        return
    hit(Step.BEFORE_MARK)
    store.put_new_surely(path, json.dumps({"cursor": mark.cursor}).encode())
    hit(Step.MARK_HALF)
    for each in before:
        store.delete(each)
