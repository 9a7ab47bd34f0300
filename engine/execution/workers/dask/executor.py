"""DaskExecutor: tasks are carried out by the workers of a cluster; only the coordinator commits.

Those that take a moment go in bundles, so that what Dask does for each thing it is given is not most of what they cost.
Dask runs a task again whose worker died only as often as its scheduler is configured to, and the results of a worker
that dies before they were fetched are made again; so a task may be carried out twice, and names its files apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pickle
import queue
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, Generic, TypeVar

from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.execution.workers.capture import LineSink
from deltaworks.engine.execution.workers.cluster import Cluster
from deltaworks.engine.execution.workers.dask.crew import Crew
from deltaworks.engine.execution.workers.dask.dispatch import Dispatch
from deltaworks.engine.execution.workers.dask.roster import Roster
from deltaworks.engine.execution.workers.dask.session import LEAVE_S, PING_S, Session
from deltaworks.engine.execution.workers.dask.versions import versions_here
from deltaworks.engine.execution.workers.executor import P, R
from deltaworks.errors import ClusterLost, RequestError

AHEAD = 24
"""How many more tasks than twice the threads are on their way: they need a few milliseconds to a worker and back."""

_V = TypeVar("_V")


class DaskExecutor(Generic[P, R]):
    """The crews of one run."""

    def __init__(
        self,
        cluster: Cluster,
        count: int,
        make: Callable[[], Callable[[P], R]],
        limits_of: Callable[[P], Limits],
        resources_of: Callable[[P], Mapping[str, float]],
        environ: Mapping[str, str],
        line: LineSink,
        note: Callable[[str], None],
        masked: Callable[[str], str] = str,
        prepared: Callable[[P], tuple[P, R | None]] | None = None,
    ) -> None:
        """Connect, and see that every worker is fit.

        Args:
            cluster: which one.
            count: how many workers a cluster on this machine gets.
            make: loads the project in a process of a worker; it pickles.
            limits_of: how far the call of a task may go.
            resources_of: what a worker must offer to it.
            environ: variables of the processes of calls, beside those of their worker.
            line: takes what calls print, in any thread.
            note: is told what somebody may want to mend.
            masked: takes secrets out of what outcomes say.
            prepared: returns a task as it can travel, and its outcome if it cannot; none: it travels as it is.

        Raises:
            RequestError: the cluster does not answer, has no worker, or one that is not fit.
        """
        self._cluster, self._limits_of, self._resources_of = cluster, limits_of, resources_of
        self._note, self._prepared = note, prepared
        self._name = f"deltaworks-{uuid.uuid4().hex}"
        self._outcomes: queue.SimpleQueue[R] = queue.SimpleQueue()
        self._notes: queue.SimpleQueue[str] = queue.SimpleQueue()
        """For the thread of the coordinator, which may show what it tells."""
        self._watch: asyncio.Task[None] | None = None
        self._is_closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="dask-coordinator", daemon=True)
        self._thread.start()
        self._session = Session(cluster, self._name)
        self._roster = Roster(lambda: self._session.address, self._notes.put)
        self._dispatch: Dispatch[P, R] = Dispatch(
            self._session, self._roster, self._name, lambda outcome: self._outcomes.put(outcome.masked(masked))
        )
        try:
            self._do(self._open(count, pickle.dumps(make), environ, line))
        except BaseException:
            self.close()
            raise

    @property
    def dashboard(self) -> str | None:
        """Where people can watch the cluster at work."""
        return self._session.dashboard

    @property
    def workers(self) -> int:
        """How many tasks run at once, as the cluster is now."""
        threads = self._roster.threads
        return max(1, min(threads, self._cluster.most or threads))

    @property
    def capacity(self) -> int:
        """More than run at once, unless the cluster could then run more at once than the run may."""
        return self.workers if self._cluster.most is not None else self.workers * 2 * self._dispatch.largest + AHEAD

    def submit(self, task: P) -> None:
        """Send a task to the scheduler."""
        ready, outcome = (task, None) if self._prepared is None else self._prepared(task)
        if outcome is not None:
            self._outcomes.put(outcome)
            return
        asked = self._resources_of(task)
        missing = self._roster.lacking(asked)
        if missing:
            reason = (
                f"{task.where}: no Dask worker offers {', '.join(missing)}, which executor.resources asks for; start "
                f'one with --resources "{" ".join(f"{name}={asked[name]:g}" for name in missing)}"'
            )
            self._outcomes.put(task.failed(reason, RequestError(reason)))
            return
        try:
            pickled = pickle.dumps(ready)
        except Exception as error:  # noqa: BLE001 - values of users pickle or do not, in any way
            self._outcomes.put(task.failed(f"{task.where} cannot be sent to a worker: {error}", error))
            return
        self._loop.call_soon_threadsafe(self._dispatch.take, task, self._limits_of(task), pickled, asked)

    def wait(self, timeout_s: float) -> Iterator[R]:
        """Yield the outcomes that are there, waiting for the first one for a while.

        Raises:
            ClusterLost: the scheduler is gone, and all that was there is told.
        """
        while not self._notes.empty():
            self._note(self._notes.get())
        try:
            yield self._outcomes.get(timeout=timeout_s)
            while True:
                yield self._outcomes.get_nowait()
        except queue.Empty:
            if self._dispatch.is_lost and not self._is_closed:
                hint = "start it again, and `deltaworks runs retry` makes what is left."
                raise ClusterLost(self._session.address, hint) from None

    def cancel(self) -> list[P]:
        """Take back the tasks that no worker has begun, and return them."""
        return self._do(self._dispatch.take_back())

    def close(self) -> None:
        """End what runs, and leave the cluster."""
        if self._is_closed:
            return
        self._is_closed = True
        with contextlib.suppress(TimeoutError):
            self._do(self._leave(), 4 * LEAVE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LEAVE_S)

    def abandon(self) -> None:
        """End what can be ended within a moment; workers end the rest when they do not hear of the run any more."""
        self._is_closed = True
        with contextlib.suppress(TimeoutError):
            self._do(self._session.close(), LEAVE_S)

    def _run_loop(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(_end_the_rest())
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, _V], timeout_s: float | None = None) -> _V:
        """Let the loop do something, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    async def _open(
        self,
        count: int,
        make: bytes,
        environ: Mapping[str, str],
        line: LineSink,
    ) -> None:
        session = self._session
        await session.connect(count)
        again = await session.retries_by_itself()
        if again:
            self._note(
                f"the Dask scheduler at {session.address} runs calls of workers that died again by itself, up to "
                f"{again} times beside the retries of the run; start it with "
                "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=0"
            )
        versions, level = versions_here(), logging.getLogger("deltaworks").level
        crew = Crew(make, environ, versions, session.topic, level)
        self._watch = self._loop.create_task(self._look_out())  # while they load the project, too
        await session.hire(crew, versions, line)
        await self._measure()

    async def _measure(self) -> None:
        self._roster.see(await self._session.present(), self._dispatch.waiting)
        await self._dispatch.rebind()

    async def _look_out(self) -> None:
        """See that the scheduler lives, and tell the workers that the run does."""
        words = set[asyncio.Task[None]]()
        while True:
            await asyncio.sleep(PING_S)
            try:
                await self._measure()
            except OSError:  # what is not connected, and what does not answer in time
                self._dispatch.is_lost = True
                return
            # Beside those that still go on: whoever hangs answers none of them, and the others must hear the next one.
            words = {each for each in words if not each.done()} | {self._loop.create_task(self._encourage())}

    async def _encourage(self) -> None:
        with contextlib.suppress(OSError):  # a worker that does not answer hears the next one
            self._dispatch.take_again(await self._session.encourage())

    async def _leave(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        await self._dispatch.leave()
        await self._session.close()


async def _end_the_rest() -> None:
    """End what still goes on in this loop."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for each in rest:
        each.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
