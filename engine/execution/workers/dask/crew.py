"""Crew: what a run has on one worker of a cluster: processes that load the project and carry out its tasks.

Dask's own process only hands on, so that whatever a call does, it does to its own process: it can be ended, and it has
the project as it is now, however long the worker has been there. A worker that joins later gets a crew, too.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterable, Mapping
from operator import attrgetter
from secrets import randbelow

from distributed import Worker, WorkerPlugin

from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.execution.workers.capture import Line, capture
from deltaworks.engine.execution.workers.children import Children
from deltaworks.engine.execution.workers.dask.versions import difference, versions_here
from deltaworks.engine.execution.workers.parcel import EXECUTIONS, Opening, Parcel, Reply
from deltaworks.errors import RunError, WorkerDied

SILENT_S = 60.0
"""How long a crew works on without a word of its coordinator, which says one every few seconds."""


class Crew(WorkerPlugin):
    """The processes of one run on one worker. Threads of the worker share it."""

    def __init__(
        self,
        make: bytes,
        environ: Mapping[str, str],
        versions: Mapping[str, str],
        topic: str,
        log_level: int,
    ) -> None:
        """Describe it, for a worker that unpickles it.

        Args:
            make: loads the project in a process, pickled: the worker itself needs nothing of it.
            environ: variables of its processes, beside those of the worker.
            versions: those of the coordinator.
            topic: under which the coordinator hears what calls print.
            log_level: from which on it hears what they log.
        """
        self._opening, self._environ = Opening(make), dict(environ)
        self._versions, self._topic, self._log_level = dict(versions), topic, log_level

    def setup(self, worker: Worker) -> None:
        """Come to a worker; no process is started before there is something to do."""
        self._worker = worker
        self._where = worker.address
        self._children: Children[Parcel, Reply] | None = None
        self._begun: set[str] = set()
        self._revoked: set[str] = set()
        self._lock = threading.Lock()
        self._heard_s = time.monotonic()
        self._watch = asyncio.get_running_loop().create_task(self._look_out())
        wrong = difference(self._versions, versions_here())
        self._unfit = None if wrong is None else f"Dask worker {self._where} {wrong}"

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - Dask's name
        """Leave a worker: end what still runs."""
        self._watch.cancel()
        await self._end_children()

    def hear(self) -> None:
        """Note that the coordinator is there."""
        self._heard_s = time.monotonic()

    def revoke(self, keys: Iterable[str]) -> list[str]:
        """Let tasks not begin any more; return those that have begun."""
        with self._lock:
            begun = self._begun.intersection(keys)
            self._revoked |= set(keys) - begun
        return list(begun)

    async def get_ready(self) -> str | None:
        """Load the project in a first process; return why it cannot be loaded here, or none."""
        if self._unfit is not None:
            return self._unfit
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._gathered().prepare, "")
        except WorkerDied as error:
            return f"Dask worker {self._where}: {error.what}"
        return None

    def carry_out(
        self, key: str, where: str, timeout_s: float | None, memory_mb: float | None, content: bytes
    ) -> bytes:
        """Carry out a task in a process; it and what comes of it are pickled, and Dask looks into neither.

        Returns nothing for a task that was taken back.

        Raises:
            RunError: the worker is not fit, or the call was ended, or ended its process.
        """
        with self._lock:
            if key in self._revoked:
                return b""
            self._begun.add(key)
        if self._unfit is not None:
            raise RunError(f"{where}: {self._unfit}")
        # Drawn at random, since Dask may have given the task to another worker as well.
        parcel = Parcel(where, Limits(timeout_s, memory_mb), randbelow(EXECUTIONS), content)
        try:
            with capture(where, self._tell):
                return self._gathered().carry_out(parcel).content
        except WorkerDied as error:
            raise WorkerDied(where, f"on Dask worker {self._where} {error.what}") from error

    def _gathered(self) -> Children[Parcel, Reply]:
        with self._lock:
            if self._children is None:
                environ = {**os.environ, **self._environ}
                threads = self._worker.state.nthreads
                limits_of = attrgetter("limits")
                self._children = Children(self._opening, environ, limits_of, threads, self._tell, self._log_level)
            return self._children

    def _tell(self, line: Line) -> None:
        self._worker.log_event(self._topic, [line.step, line.stream, line.text, line.level])

    async def _look_out(self) -> None:
        """End what runs for a coordinator that is gone."""
        while True:
            await asyncio.sleep(SILENT_S / 4)
            if time.monotonic() - self._heard_s > SILENT_S:
                await self._end_children()

    async def _end_children(self) -> None:
        with self._lock:
            children, self._children = self._children, None
        if children is not None:
            await asyncio.get_running_loop().run_in_executor(None, children.close)
