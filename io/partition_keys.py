"""Partition keys: which texts may be keys, and the keys that people and sensors add to a lake by and by.

The keys of one name are a small log below `_deltaworks/state/partitions/<name>/`: numbered JSON files, each put only if
it is not there yet, that add and remove keys. Reading folds them. They are a record: nothing else knows these keys.
"""

from __future__ import annotations

import datetime as dt
import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from urllib.parse import quote

from deltaworks.errors import RequestError, StorageError
from deltaworks.io.partition_values import NULL_KEY
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.together import together

FORMAT = 1
"""What this version writes. A file that says more is refused; what a file says beyond its known words is ignored."""

MAX_KEY_BYTES = 200
"""How long a key may be as a folder's name: file systems end at 255 bytes, and the column's name stands before it."""

MAX_TRIES = 100
"""How often a change is tried against others, each of which gets through meanwhile."""

_FOLDER = f"{ENGINE_FOLDER}/state/partitions"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What adding or removing keys did."""

    keys: tuple[str, ...]
    """All that there are now, sorted."""
    changed: tuple[str, ...]
    """Those that were added or removed, as given."""
    unchanged: tuple[str, ...]
    """Those that were there already, or not there to be removed."""


def key_problem(key: object) -> str | None:
    """Say why a text cannot be a partition key, or none if it can.

    Everything else can: slashes, quotes, spaces, `=`, `%`, `,` and any script; folders and the log encode it.
    """
    if not isinstance(key, str):
        return f"partition key {key!r} is no text; write {str(key)!r}"
    if not key:
        return "a partition key is empty; a key has at least one character"
    if key == NULL_KEY:
        return f"partition key {key!r} is what Hive writes for a null; choose another word"
    hidden = next((character for character in key if unicodedata.category(character) in ("Cc", "Cs")), None)
    if hidden is not None:
        kind = "lone surrogate" if unicodedata.category(hidden) == "Cs" else "control character"
        return f"partition key {key!r} has the {kind} {hidden!r}; every character that can be seen, and a space, may be"
    size_bytes = len(quote(key, safe=" "))
    if size_bytes > MAX_KEY_BYTES:
        shown = f"{key[:20]}..."
        return (
            f"partition key {shown!r} has {size_bytes} bytes as a folder's name, percent-encoded; at most "
            f"{MAX_KEY_BYTES} are allowed"
        )
    return None


def refuse_keys(keys: Iterable[object]) -> None:
    """Check keys that are about to be added.

    Raises:
        RequestError: one of them cannot be a key.
    """
    problem = next(filter(None, map(key_problem, keys)), None)
    if problem:
        raise RequestError(f"{problem[0].upper()}{problem[1:]}. Nothing was added.")


def read_keys(store: Store, name: str) -> tuple[str, ...]:
    """Return the keys of a name, sorted; none if nothing was ever added.

    Cost: one read a file.

    Raises:
        StorageError: a file is damaged or absent, or a newer version wrote it.
    """
    return tuple(sorted(_read(store, name).keys))


def keys_stamp(store: Store, name: str) -> str | None:
    """Return what changes when somebody changes the keys of a name; none: only a look at them could tell."""
    return store.folder_stamp(f"{_FOLDER}/{name}")


def add_keys(store: Store, name: str, keys: Iterable[str], by: str, at: dt.datetime) -> KeyChange:
    """Add keys under a name, all in one file; what is there already is told, not refused.

    Raises:
        RequestError: one of them cannot be a key; nothing was added.
        StorageError: the lake cannot be read or written.
    """
    wanted = list(dict.fromkeys(keys))
    refuse_keys(wanted)
    return _change(store, name, wanted, lambda key, known: key not in known, "add", by, at)


def remove_keys(store: Store, name: str, keys: Iterable[str], by: str, at: dt.datetime) -> KeyChange:
    """Remove keys from a name, all in one file; what is not there is told, not refused. No table changes.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    wanted = list(dict.fromkeys(keys))
    return _change(store, name, wanted, lambda key, known: key in known, "remove", by, at)


def change_keys_once(
    store: Store, name: str, gone: Sequence[str], new: Sequence[str], by: str, at: dt.datetime, why: str
) -> None:
    """Remove keys from a name, then add some, all in one file, unless a file says that this was done before.

    Args:
        store: the lake.
        name: whose keys they are.
        gone: what is not there is passed over.
        new: what is there already is passed over.
        by: who does it.
        at: when.
        why: what it is done for, which no other change is.

    Raises:
        RequestError: one of them cannot be a key; nothing was changed.
        StorageError: the lake cannot be read or written.
    """
    refuse_keys(new)
    for _ in range(MAX_TRIES):
        log = _read(store, name)
        if why in log.reasons:
            return
        left = log.keys - set(gone)
        removed, added = sorted(log.keys & set(gone)), [key for key in dict.fromkeys(new) if key not in left]
        if not (added or removed) or _put(store, name, log.end, _document(added, removed, by, at) | {"why": why}):
            return
    raise _outrun(name)


def _change(
    store: Store,
    name: str,
    wanted: list[str],
    is_due: Callable[[str, set[str]], bool],
    action: str,
    by: str,
    at: dt.datetime,
) -> KeyChange:
    for _ in range(MAX_TRIES):
        log = _read(store, name)
        due = [key for key in wanted if is_due(key, log.keys)]
        changed = set(due)
        after = log.keys | changed if action == "add" else log.keys - changed
        document = _document([], [], by, at) | {action: due}
        if not due or _put(store, name, log.end, document):
            unchanged = tuple(key for key in wanted if key not in changed)
            return KeyChange(tuple(sorted(after)), tuple(due), unchanged)
    raise _outrun(name)


def _document(added: list[str], removed: list[str], by: str, at: dt.datetime) -> dict[str, Any]:
    instant = at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {"format": FORMAT, "add": added, "remove": removed, "at": instant, "by": by}


def _put(store: Store, name: str, number: int, document: Mapping[str, Any]) -> bool:
    return store.put_new_surely(_path(name, number), json.dumps(document, ensure_ascii=False).encode())


def _outrun(name: str) -> StorageError:
    return StorageError(
        f"partition keys {name!r}: others changed them {MAX_TRIES} times in a row while this was tried; nothing was "
        "changed. Run the command again when they are done."
    )


@dataclass(frozen=True, slots=True)
class _Log:
    """What the files of a name say."""

    keys: set[str]
    end: int
    """The number of the next file."""
    reasons: set[str]
    """What changes were made for that are made once."""


def _read(store: Store, name: str) -> _Log:
    paths = sorted(path for path in store.list(f"{_FOLDER}/{name}") if path.endswith(".json"))
    keys: set[str] = set()
    reasons: set[str] = set()
    for number, path in enumerate(paths):
        if path != _path(name, number):
            raise _damaged(store, _path(name, number), "is absent though a later one exists")
    for removed, added, why in together(store, partial(_parse, store), paths):
        keys = (keys - removed) | added
        reasons |= set() if why is None else {why}
    return _Log(keys, len(paths), reasons)


def _parse(store: Store, path: str) -> tuple[set[str], set[str], str | None]:
    """Return what a file removes and, after that, adds, and what for, if that is done once."""
    content = store.read(path)
    if content is None:
        raise _damaged(store, path, "was deleted while it was read")
    try:
        document: Any = json.loads(content)
        written_format = document["format"]
        lists: tuple[Any, Any] = document.get("remove", []), document.get("add", [])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(store, path, "is damaged: it is no JSON object with a format") from error
    if not isinstance(written_format, int) or written_format > FORMAT:
        raise StorageError(
            f"{store.uri(path)} has format {written_format!r}, but this version of deltaworks reads up to {FORMAT}; "
            "install a newer one"
        )
    removed, added = (_checked(store, path, keys) for keys in lists)
    why = document.get("why")
    return removed, added, None if why is None else str(why)


def _checked(store: Store, path: str, keys: Any) -> set[str]:
    if not isinstance(keys, list):
        raise _damaged(store, path, f"is damaged: {keys!r} is no list of keys")
    found = cast("list[str]", keys)
    problem = next(filter(None, map(key_problem, found)), None)
    if problem:
        raise _damaged(store, path, f"is damaged: {problem}")
    return set(found)


def _damaged(store: Store, path: str, problem: str) -> StorageError:
    return StorageError(
        f"{store.uri(path)} {problem}, so the partition keys cannot be known; restore the file from a backup, or "
        "delete its folder and add the keys again"
    )


def _path(name: str, number: int) -> str:
    return f"{_FOLDER}/{name}/{number:020d}.json"
