"""RunLogs: what happened in a run and what its code printed, as lines of JSON in a few objects a run.

They lie in `_deltaworks/logs/<run id>/<attempt>-<number>.jsonl`. The last object of an attempt is put again as it
grows, so whoever follows sees only whole lines; a store that cannot append does.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Final

from deltaworks.errors import StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.stores.stored_file import StoredFile

FOLDER: Final = f"{ENGINE_FOLDER}/logs"

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

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
            self._store.put(f"{self._place}-{self._number:06d}.jsonl", bytes(self._content))
            self._is_new = False
        except StorageError as error:
            # A run goes on without its log.
            self.problem = self.problem or error


@dataclass
class LogReader:
    """Reads the logs of a run, and what comes later."""

    store: Store
    run_id: str
    _read: dict[str, int] = field(default_factory=dict[str, int])
    """By object, up to which byte."""
    _full: set[str] = field(default_factory=set[str])

    def read(self) -> Iterator[Json]:
        """Yield the lines that are new since the last time, in their order; one that is damaged is told as a line.

        Raises:
            StorageError: the lake cannot be read.
        """
        paths = sorted(path for path in self.store.list(f"{FOLDER}/{self.run_id}") if path.endswith(".jsonl"))
        for place, path in enumerate(paths):
            if path in self._full:
                continue
            content = self.store.read(path) or b""
            start, end = self._read.get(path, 0), content.rfind(b"\n") + 1
            for line in content[start:end].splitlines():
                yield _parsed(line, path)
            self._read[path] = end
            if place < len(paths) - 1:
                self._full.add(path)


def find_old_logs(store: Store, before: dt.datetime) -> Iterator[StoredFile]:
    """Yield the objects of runs whose logs were last written before an instant."""
    by_run: dict[str, list[StoredFile]] = {}
    for file in store.files(FOLDER):
        by_run.setdefault(file.path.removeprefix(f"{FOLDER}/").partition("/")[0], []).append(file)
    for files in by_run.values():
        if max(file.modified_at for file in files) < before:
            yield from files


def _parsed(line: bytes, path: str) -> Json:
    try:
        document: object = json.loads(line)
    except ValueError:
        document = None
    return dict(document) if isinstance(document, Mapping) else {"event": "damaged_line", "object": path}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
