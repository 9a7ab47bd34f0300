"""File arrivals: which files of a pattern are new or written anew since a cursor, and are not being written any more.

The cursor of a file sensor names every file that was told, each by a hash of its path and one of its version. So it
does not matter in which order files come or what their clocks say, and no file is told twice in one version. What is
gone is forgotten.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deltaworks.engine.definitions.automation.arrivals import Arrival, Arrivals
from deltaworks.engine.definitions.automation.sensor import FilesOf
from deltaworks.errors import StorageError
from deltaworks.io.files import ListedFile, list_files

MOST_FILES = 500
"""How many files one tick is told; those that come later in the alphabet are told at the next ones."""

_PATH_BYTES, _VERSION_BYTES = 9, 6


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a look at files found."""

    arrivals: Arrivals
    cursor: str
    """After these files are told."""


def read_told(whose: str, cursor: str | None) -> dict[str, str]:
    """Return the files that a cursor names: a hash of the version of each by a hash of its path.

    Raises:
        StorageError: it is no cursor of a file sensor.
    """
    try:
        document: Mapping[str, str] = {} if cursor is None else json.loads(cursor)["files"]
        return dict(document)
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{whose}: its cursor names no files; set another one by `deltaworks sensor cursor`"
        ) from error


def list_watched(watched: FilesOf) -> list[ListedFile]:
    """Return the files that match, by path.

    Raises:
        StorageError: they cannot be listed.
    """
    files = watched.files
    return sorted(list_files(files.base, files.matches, is_deep=files.is_deep), key=lambda file: file.path)


def untold(files: Sequence[ListedFile], told: Mapping[str, str]) -> list[ListedFile]:
    """Return the files that are new or have another version than the one that was told."""
    return [file for file in files if told.get(_hash(file.path, _PATH_BYTES)) != _hash(file.version, _VERSION_BYTES)]


def all_told(files: Sequence[ListedFile]) -> str:
    """Return the cursor after which none of these files is new."""
    return _write({_hash(file.path, _PATH_BYTES): _hash(file.version, _VERSION_BYTES) for file in files})


def read_arrivals(whose: str, watched: FilesOf, cursor: str | None, sleep: Callable[[float], None]) -> Arrived:
    """Return the files that arrived since a cursor and kept size and time from one look to another.

    `sleep` waits for some seconds.

    Raises:
        StorageError: they cannot be listed, or the cursor is none.
    """
    told, files = read_told(whose, cursor), list_watched(watched)
    found = untold(files, told)
    if found and "://" not in watched.files.base:
        sleep(watched.settle_s)
        again = set(list_watched(watched))
        found = [file for file in found if file in again]
    found = found[:MOST_FILES]
    arrivals = tuple(
        Arrival(file.path, watched.files.whole(file.path), file.version, _hash(file.path, _PATH_BYTES) not in told)
        for file in found
    )
    here = {_hash(file.path, _PATH_BYTES) for file in files}
    kept = {path: version for path, version in told.items() if path in here}
    now_told = kept | {_hash(file.path, _PATH_BYTES): _hash(file.version, _VERSION_BYTES) for file in found}
    return Arrived(Arrivals(arrivals), _write(now_told))


def _hash(text: str, size_bytes: int) -> str:
    return base64.urlsafe_b64encode(hashlib.blake2b(text.encode(), digest_size=size_bytes).digest()).decode()


def _write(told: Mapping[str, str]) -> str:
    return json.dumps({"files": dict(sorted(told.items()))}, separators=(",", ":"))
