"""Crew: what a run has on one worker of a cluster: processes that load the project and carry out its tasks.

Dask's own process only hands on, so that whatever a call does, it does to its own process: it can be ended, and it has
the project as it is now, however long the worker has been there. A worker that joins later gets a crew, too.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from secrets import randbelow

from distributed import Worker, WorkerPlugin, get_worker

from deltaworks.engine.execution.workers.capture import Line, capture
from deltaworks.engine.execution.workers.children import Children
from deltaworks.engine.execution.workers.dask.bundle import Answer, Load, Unbegun, Unfit
from deltaworks.engine.execution.workers.dask.versions import difference, versions_here
from deltaworks.engine.execution.workers.parcel import EXECUTIONS, Opening, Parcel, Reply
from deltaworks.errors import CannotLoad, DeltaworksError, RunError, WorkerDied

SILENT_S = 60.0
"""How long a crew works on without a word of its coordinator, which says one every few seconds."""

LONG_S = 0.25
"""After so long no further task of a bundle is begun: it was thought to take a moment."""


class _Bundle:
    """A bundle that is being carried out."""

    def __init__(self, loads: Sequence[Load]) -> None:
        self.loads = loads
        self._since_s: float | None = None

    def begin(self) -> None:
        """Note that one of its tasks begins; what comes before the first, as loading the project, does not count."""
        self._since_s = time.monotonic() if self._since_s is None else self._since_s

    @property
    def is_late(self) -> bool:
        """Whether its tasks have taken long, so that no more of them should begin here."""
        return self._since_s is not None and time.monotonic() - self._since_s > LONG_S


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
        self._bundles: list[_Bundle] = []
        """Those that are being carried out."""
        self._lock = threading.Lock()
        self._heard_s = time.monotonic()
        self._watch = asyncio.get_running_loop().create_task(self._look_out())
        wrong = difference(self._versions, versions_here())
        self._unfit = None if wrong is None else Unfit(self._where, f"Dask worker {self._where} {wrong}")
        self._is_loaded, self._loading = False, threading.Lock()

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - Dask's name
        """Leave a worker: end what still runs."""
        self._watch.cancel()
        await self._end_children()

    def hear(self) -> list[str]:
        """Note that the coordinator is there; return what it should give to others, by keys.

        Those are tasks that stand behind one that takes long; they do not begin here any more.
        """
        self._heard_s = time.monotonic()
        with self._lock:
            late = (bundle.loads for bundle in self._bundles if bundle.is_late)
            behind = {load.key for loads in late for load in loads} - self._begun - self._revoked
            self._revoked |= behind
        return list(behind)

    def revoke(self, keys: Iterable[str]) -> list[str]:
        """Let tasks not begin any more; return those that have begun."""
        with self._lock:
            begun = self._begun.intersection(keys)
            self._revoked |= set(keys) - begun
        return list(begun)

    async def get_ready(self) -> str | None:
        """Load the project in a first process; return why this worker cannot, or none."""
        try:
            unfit = await asyncio.get_running_loop().run_in_executor(None, self._why_unfit)
        except WorkerDied as error:
            return f"Dask worker {self._where}: {error.what}"
        return None if unfit is None else unfit.reason

    def carry_out(self, loads: Sequence[Load]) -> Iterator[Answer]:
        """Carry tasks out in a process, one after the other, and say of each what came of it.

        What is still to do once they have taken long is put off, so that others can take it.
        """
        bundle = _Bundle(loads)
        with self._lock:
            self._bundles.append(bundle)
        try:
            for load in loads:
                yield Unbegun.PUT_OFF if bundle.is_late else self._answer(load, bundle)
        finally:
            with self._lock:
                self._bundles.remove(bundle)

    def _answer(self, load: Load, bundle: _Bundle) -> Answer:
        try:
            unfit = self._why_unfit()
            if unfit is not None:
                return unfit
            with self._lock:
                if load.key in self._revoked:
                    return Unbegun.TAKEN_BACK
                self._begun.add(load.key)
                bundle.begin()
            # Drawn at random, since Dask may have given the task to another worker as well.
            parcel = Parcel(load.where, load.limits, randbelow(EXECUTIONS), load.content)
            with capture(load.where, self._tell):
                return self._gathered().carry_out(parcel).content
        except WorkerDied as error:
            return WorkerDied(load.where, f"on Dask worker {self._where} {error.what}")
        except DeltaworksError as error:
            return error
        except Exception as error:  # noqa: BLE001 - what one call cannot do must not fail the others of its bundle
            return RunError(f"{load.where}: on Dask worker {self._where} {type(error).__name__}: {error}")

    def _why_unfit(self) -> Unfit | None:
        """See whether the project can be loaded here, the first time; return why not, or none.

        Raises:
            WorkerDied: the process died meanwhile, which says nothing about the next one.
        """
        with self._loading:
            if self._unfit is None and not self._is_loaded:
                try:
                    self._gathered().prepare("")
                    self._is_loaded = True
                except CannotLoad as error:
                    self._unfit = Unfit(self._where, f"Dask worker {self._where}: {error.what}")
            return self._unfit

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


class Call:
    """What a bundle is for Dask: bytes that a worker unpickles, which carries its tasks out.

    So neither the scheduler nor Dask looks into them, and the scheduler needs no deltaworks.
    """

    def __init__(self, crew: str, loads: Sequence[Load]) -> None:
        """Describe it by the name of a crew, and what it is to carry out."""
        self._crew, self._loads = crew, tuple(loads)

    def __reduce__(self) -> tuple[Callable[[str, Sequence[Load]], bytes], tuple[str, Sequence[Load]]]:
        return answers_here, (self._crew, self._loads)


def answers_here(crew: str, loads: Sequence[Load]) -> bytes:
    """Let the crew of that name on this worker carry tasks out; return its answers, pickled."""
    found = get_worker().plugins[crew]
    assert isinstance(found, Crew), "crews go by names that nothing else has"
    return pickle.dumps(list(found.carry_out(loads)))
