"""Partition keys: which texts may be keys, and the keys that people and sensors add to a lake by and by.

The keys of one name are a small log below `_deltaworks/state/partitions/<name>/`: numbered JSON files, each put only if
it is not there yet, that add and remove keys. Reading folds them. They are a record: nothing else knows these keys.
"""

from __future__ import annotations

import datetime as dt
import json
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from deltaworks.errors import RequestError, StorageError
from deltaworks.io.partition_values import NULL_KEY
from deltaworks.io.store import ENGINE_FOLDER, Store

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
    return tuple(sorted(_read(store, name)[0]))


def keys_stamp(store: Store, name: str) -> str:
    """Return what changes when somebody changes the keys of a name; cheap, and only locally more than ""."""
    return store.stamp(f"{_FOLDER}/{name}")


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


def _change(
    store: Store,
    name: str,
    wanted: list[str],
    is_due: Callable[[str, set[str]], bool],
    action: str,
    by: str,
    at: dt.datetime,
) -> KeyChange:
    instant = at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    for _ in range(MAX_TRIES):
        known, end = _read(store, name)
        due = [key for key in wanted if is_due(key, known)]
        changed = set(due)
        after = known | changed if action == "add" else known - changed
        document = {"format": FORMAT, "add": [], "remove": [], "at": instant, "by": by} | {action: due}
        if not due or store.put_new_surely(_path(name, end), json.dumps(document, ensure_ascii=False).encode()):
            unchanged = tuple(key for key in wanted if key not in changed)
            return KeyChange(tuple(sorted(after)), tuple(due), unchanged)
    raise StorageError(
        f"partition keys {name!r}: others changed them {MAX_TRIES} times in a row while this was tried; nothing was "
        "changed. Run the command again when they are done."
    )


def _read(store: Store, name: str) -> tuple[set[str], int]:
    """Return the keys and the number of the next file."""
    paths = sorted(path for path in store.list(f"{_FOLDER}/{name}") if path.endswith(".json"))
    keys: set[str] = set()
    for number, path in enumerate(paths):
        if path != _path(name, number):
            raise _damaged(store, _path(name, number), "is absent though a later one exists")
        removed, added = _parse(store, path)
        keys = (keys - removed) | added
    return keys, len(paths)


def _parse(store: Store, path: str) -> tuple[set[str], set[str]]:
    """Return what a file removes and, after that, adds."""
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
    return removed, added


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
