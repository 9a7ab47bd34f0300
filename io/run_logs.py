"""RunLogs: what happened in a run and what its code printed, as lines of JSON in a few objects a run.

They lie in `_deltaworks/logs/<run id>/<attempt>-<number>.jsonl`. The last object of an attempt is put again as it
grows, so whoever follows sees only whole lines; a store that cannot append does.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from threading import Lock
from typing import Final

from deltaworks.errors import RequestError, StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.stores.stored_file import StoredFile
from deltaworks.io.together import together

FOLDER: Final = f"{ENGINE_FOLDER}/logs"

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

_SUFFIX: Final = ".jsonl"
_FIRST: Final = f"-{0:06d}{_SUFFIX}"
_POSITION: Final = re.compile(r"([0-9]{3,9}-[0-9]{6,9}):([0-9]{1,9})")

OBJECT_BYTES = 1024 * 1024
"""How large an object becomes."""


class LogWriter:
    """The log of one attempt of a run. Threads may write to it; what they write is in the lake after `flush`."""

    def __init__(self, store: Store, run_id: str, attempt: int) -> None:
        # A log need not survive a power cut, and is written every second.
        self._store, self._place = replace(store, durable=False), f"{FOLDER}/{run_id}/{attempt:03d}"
        self._lock = Lock()
        self._number, self._content, self._is_new = 0, bytearray(), False
        self.problem: StorageError | None = None
        """Why lines are missing, the first time."""

    def write(self, document: Json) -> None:
        """Add a line; an object that is full is put at once, so that memory holds one at most."""
        line = _ENCODER.encode(document).encode("utf-8", "replace") + b"\n"
        with self._lock:
            self._content += line
            self._is_new = True
            if len(self._content) >= OBJECT_BYTES:
                self._put()
                self._number, self._content = self._number + 1, bytearray()

    def flush(self) -> None:
        """Put what is new."""
        with self._lock:
            if self._is_new:
                self._put()

    def _put(self) -> None:
        try:
            self._store.put(f"{self._place}-{self._number:06d}{_SUFFIX}", bytes(self._content))
            self._is_new = False
        except StorageError as error:
            # A run goes on without its log.
            self.problem = self.problem or error


class LogReader:
    """Reads the logs of a run in their order, and what comes later."""

    def __init__(self, store: Store, run_id: str, after: str | None = None, most_objects: int | None = None) -> None:
        """Know where to begin; nothing is read yet.

        Args:
            store: the lake.
            run_id: the run.
            after: the `position` of a reader that was here before; none: from the beginning.
            most_objects: how many are read of a longer log: the first of its latest attempt, and its last ones; none:
                all of it.

        Raises:
            RequestError: `after` is no position.
        """
        self._store, self._folder, self._most = store, f"{FOLDER}/{run_id}", most_objects
        self._name, self._offset = _place_of(after)
        self.has_gaps = False
        """Whether `read` has left out objects, since there are too many."""

    @property
    def position(self) -> str | None:
        """What stands for the lines that were read; none: none were."""
        return f"{self._name}:{self._offset}" if self._name else None

    def read(self) -> Iterator[Json]:
        """Yield the lines that are new since the last time, in their order; one that is damaged is told as a line.

        After each of them, `position` is behind it.

        Raises:
            StorageError: the lake cannot be read.
        """
        paths = self._paths()
        with closing(together(self._store, self._store.read, paths, eager=False)) as contents:
            for path, found in zip(paths, contents, strict=True):
                content, name = found or b"", path.rpartition("/")[2].removesuffix(_SUFFIX)
                if name != self._name:
                    self._name, self._offset = name, 0
                for line in content[self._offset : content.rfind(b"\n") + 1].splitlines(keepends=True):
                    self._offset += len(line)
                    yield _parsed(line, path)

    def _paths(self) -> Sequence[str]:
        """Return the objects to read: that of the position, and those after it."""
        known = sorted(path for path in self._store.list(self._folder) if path.endswith(_SUFFIX))
        paths = [path for path in known if path.rpartition("/")[2].removesuffix(_SUFFIX) >= self._name]
        if self._most is None or len(paths) <= self._most:
            return paths
        self.has_gaps = True
        last = paths[1 - self._most :]
        begun = [path for path in paths if path.endswith(_FIRST)][-1:]
        return [*(path for path in begun if path not in last), *last]


def find_old_logs(store: Store, before: dt.datetime) -> Iterator[StoredFile]:
    """Yield the objects of runs whose logs were last written before an instant."""
    by_run: dict[str, list[StoredFile]] = {}
    for file in store.files(FOLDER):
        by_run.setdefault(file.path.removeprefix(f"{FOLDER}/").partition("/")[0], []).append(file)
    for files in by_run.values():
        if max(file.modified_at for file in files) < before:
            yield from files


def _place_of(position: str | None) -> tuple[str, int]:
    """Return the object of a position, and how many bytes of it were read."""
    if position is None:
        return "", 0
    found = _POSITION.fullmatch(position)
    if found is None:
        raise RequestError(f"There is nothing after {position!r} in a log: it is not the `next` of a page of one.")
    return found[1], int(found[2])


def _parsed(line: bytes, path: str) -> Json:
    try:
        document: object = json.loads(line)
    except ValueError:
        document = None
    return dict(document) if isinstance(document, Mapping) else {"event": "damaged_line", "object": path}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
