"""Run keys: which tick of a schedule or sensor asked for a run first, so that no later one asks for it again.

`_deltaworks/state/run_keys/<name>/<hash of the key>.json` is put if it is not there. It is a record: nothing else knows
what was asked for before. Those of long ago are folded: `folded/<first two digits>.json` beside them names the tick of
each hash. A fold is written before the objects are deleted, and what is folded counts before what is not.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence

from deltaworks.errors import StorageError
from deltaworks.io.store import ENGINE_FOLDER, Store

FOLDER = f"{ENGINE_FOLDER}/state/run_keys"

_WORTHWHILE = 16
"""How many keys there must be for a fold to be written anew."""


def own_run_key(store: Store, name: str, run_key: str, tick_id: str) -> str:
    """Give a run key to a tick unless another one has it, and return the one that has it, for ever.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    stem = hashlib.blake2b(run_key.encode(), digest_size=16).hexdigest()
    path = f"{FOLDER}/{name}/{stem}.json"
    is_new = store.put_new_surely(path, json.dumps({"run_key": run_key, "tick_id": tick_id}).encode())
    owner = _read_fold(store, _fold_of(path)).get(stem)
    if owner is not None:
        if is_new:
            store.delete(path)
        return owner
    if is_new:
        return tick_id
    found = _read_owner(store, path)
    return own_run_key(store, name, run_key, tick_id) if found is None else found  # it was folded between the looks


def find_foldable_keys(store: Store, before: dt.datetime) -> dict[str, list[str]]:
    """Return the keys that were first asked for before an instant, by the store's clock, by the fold they belong in.

    Raises:
        StorageError: the lake cannot be read.
    """
    found: dict[str, list[str]] = {}
    for file in store.files(FOLDER):
        if file.path.count("/") == FOLDER.count("/") + 2 and file.path.endswith(".json") and file.modified_at < before:
            found.setdefault(_fold_of(file.path), []).append(file.path)
    return {fold: paths for fold, paths in found.items() if len(paths) >= _WORTHWHILE}


def fold_keys(store: Store, foldable: Mapping[str, Sequence[str]]) -> None:
    """Move keys from their objects to folds; a crash at any moment frees none.

    Raises:
        StorageError: the lake cannot be written, or a fold is damaged.
    """
    for fold, paths in foldable.items():
        owners = {path: owner for path in paths if (owner := _owner_if_whole(store, path)) is not None}
        known = {_stem(path): owner for path, owner in owners.items()} | _read_fold(store, fold)
        store.put(fold, json.dumps(known).encode())
        for path in owners:
            store.delete(path)


def _owner_if_whole(store: Store, path: str) -> str | None:
    try:
        return _read_owner(store, path)
    except StorageError:
        return None  # it stays, and whoever asks for its key is told


def _read_owner(store: Store, path: str) -> str | None:
    """Return the tick that an object names; none: it is not there any more."""
    content = store.read(path)
    if content is None:
        return None
    try:
        return str(json.loads(content)["tick_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{store.uri(path)} is damaged ({type(error).__name__}: {error}); delete it: its run key is then free again"
        ) from error


def _read_fold(store: Store, path: str) -> dict[str, str]:
    content = store.read(path)
    try:
        return {} if content is None else {str(stem): str(owner) for stem, owner in json.loads(content).items()}
    except (ValueError, AttributeError) as error:
        raise StorageError(
            f"{store.uri(path)} is damaged ({type(error).__name__}: {error}); restore it, or delete it: its run keys "
            "are then free again"
        ) from error


def _fold_of(path: str) -> str:
    folder, _, file = path.rpartition("/")
    return f"{folder}/folded/{file[:2]}.json"


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".json")
