"""StepRecords: what the steps of a run gave, so that a later run can go on from its failure.

They lie in `_deltaworks/steps/<run id>/`: `run.json` says what was run; `ends-<attempt>-<n>.json` how steps ended, many
in one object, as a run of ten thousand small steps would else write ten thousand; `values/` what they gave. The first
object of an attempt names what it keeps of those before it, so the latest attempt that has any says everything. Frames
are Parquet, small values stand in the objects, others are files of their own. What is no frame is pickled, so whoever
may write to the lake may run code where it is read, as whoever may write to the project.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from deltaworks.errors import RequestError, StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.parquet import sink_parquet
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.stores.stored_file import StoredFile
from deltaworks.io.together import together

FOLDER = f"{ENGINE_FOLDER}/steps"

_SMALL_BYTES = 4096
"""A pickle up to this size stands in the object that says how its step ended."""


@dataclass(frozen=True, slots=True)
class StepRecords:
    """The records of one run, to which one attempt adds."""

    store: Store
    run_id: str
    attempt: int = 1

    def write_run(self, document: Json) -> None:
        """Write what is run.

        Raises:
            StorageError: the lake cannot be written.
        """
        self.store.put(self._path("run.json"), json.dumps(document, default=str).encode())

    def has_run(self) -> bool:
        """Return whether anything is recorded of the run."""
        return self.store.exists(self._path("run.json"))

    def read_run(self) -> Json:
        """Return what was run.

        Raises:
            RequestError: nothing is recorded of such a run.
            StorageError: what is recorded is damaged.
        """
        content = self.store.read(self._path("run.json"))
        if content is None:
            raise RequestError(f"Of run {self.run_id!r} no steps are recorded, so there is nothing to go on from.")
        return self._loaded("run.json", content)

    def write_ends(self, number: int, ends: Sequence[Json]) -> None:
        """Write how some steps ended; `number` counts the calls of this attempt.

        Raises:
            StorageError: the lake cannot be written.
        """
        self.store.put(self._path(f"ends-{self.attempt:06}-{number:06}.json"), json.dumps(ends).encode())

    def read_ends(self) -> Iterator[Json]:
        """Yield how steps ended by the latest attempt that says anything; the last end of a step counts.

        Raises:
            StorageError: what is recorded is damaged.
        """
        prefix = self._path("ends-")
        paths = sorted(path for path in self.store.list(self._path("")) if path.startswith(prefix))
        latest = paths[-1].rpartition("-")[0] if paths else ""
        paths = [path for path in paths if path.rpartition("-")[0] == latest]
        for path, content in zip(paths, together(self.store, self.store.read, paths), strict=True):
            if content is not None:
                yield from self._loaded(path.rpartition("/")[2], content)

    def write_frame(self, name: str, frame: pl.LazyFrame | pl.DataFrame) -> Json:
        """Write the rows of a frame; return where they are.

        Raises:
            StorageError: the disk refuses.
            PolarsError: the rows cannot be computed.
        """
        path = self._path(f"values/{self.attempt}-{name}.parquet")
        self.store.make_folder(path.rpartition("/")[0])
        lf = frame.lazy()
        try:
            sink_parquet(lf, self.store, path).collect()
        except OSError as error:
            raise StorageError(f"cannot write {self.store.uri(path)}: {error}") from error
        self.store.sync_file(path)
        self.store.sync_folders([path])
        return {"frame": path, "lazy": isinstance(frame, pl.LazyFrame)}

    def write_value(self, name: str, value: object) -> Json:
        """Write a value that is no frame; return where it is, or why it is nowhere.

        Raises:
            StorageError: the disk refuses.
        """
        try:
            content = pickle.dumps(value, protocol=5)
        except Exception as error:  # noqa: BLE001 - an author's class may raise anything when it is pickled
            return {"lost": f"{type(value).__name__}: {error}"}
        if len(content) <= _SMALL_BYTES:
            return {"pickle": base64.b64encode(content).decode()}
        path = self._path(f"values/{self.attempt}-{name}.pickle")
        self.store.put(path, content)
        return {"file": path}

    def read_value(self, where: Json) -> Any:
        """Return a value by where it is.

        Raises:
            StorageError: it is there no more, or cannot be read by this code.
        """
        if "frame" in where:
            lf = pl.scan_parquet(self.store.uri(where["frame"]), storage_options=self.store.polars_options)
            if not self.store.exists(where["frame"]):
                raise self._gone(where["frame"])
            return lf if where["lazy"] else lf.collect()
        content = base64.b64decode(where["pickle"]) if "pickle" in where else self.store.read(where["file"])
        if content is None:
            raise self._gone(where["file"])
        try:
            return pickle.loads(content)  # noqa: S301 # nosec B301 - the lake is trusted as the project is, see the module
        except Exception as error:
            raise StorageError(
                f"a value that run {self.run_id} recorded cannot be read any more ({type(error).__name__}: {error}); "
                "start the job anew"
            ) from error

    def _gone(self, path: str) -> StorageError:
        return StorageError(f"{self.store.uri(path)} of run {self.run_id} is there no more; start the job anew")

    def _loaded(self, name: str, content: bytes) -> Any:
        try:
            return json.loads(content)
        except ValueError as error:
            raise StorageError(
                f"{self.store.uri(self._path(name))} is damaged ({error}); delete it: its steps are then run again"
            ) from error

    def _path(self, name: str) -> str:
        return f"{FOLDER}/{self.run_id}/{name}"


def find_old_steps(store: Store, before: dt.datetime) -> Iterator[StoredFile]:
    """Yield what was recorded of runs that were last written before an instant, and from which no later one went on.

    A run that went on from another one's failure reads what that has stored, so both stay as long as the later one.

    Raises:
        StorageError: what is recorded of a run is damaged.
    """
    by_run: dict[str, list[StoredFile]] = {}
    for file in store.files(FOLDER):
        by_run.setdefault(file.path.removeprefix(f"{FOLDER}/").partition("/")[0], []).append(file)
    old = {run for run, files in by_run.items() if max(file.modified_at for file in files) < before}
    needing = list(by_run.keys() - old) if old else []
    while needing:
        records = StepRecords(store, needing.pop())
        earlier = records.read_run()["retry_of"] if records.has_run() else None
        if earlier in old:
            old.remove(earlier)
            needing.append(earlier)
    for run in old:
        yield from by_run[run]
