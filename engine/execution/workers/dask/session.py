"""Session: what one run asks of a scheduler. All of it happens in one event loop, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import distributed
from dask import config

from deltaworks.engine.execution.workers.capture import Line, LineSink
from deltaworks.engine.execution.workers.cluster import Cluster, Tls
from deltaworks.engine.execution.workers.dask.crew import Call, Crew
from deltaworks.engine.execution.workers.dask.roster import Present
from deltaworks.engine.execution.workers.dask.versions import difference
from deltaworks.errors import RequestError

CONNECT_S = 10.0
"""How long a scheduler may take to answer at first."""

WORKERS_S = 20.0
"""How long a first worker may take to come; clusters that grow on demand see the tasks only after that."""

READY_S = 150.0
"""How long all workers together may take to load the project."""

PING_S = 5.0
"""How often it is seen to that the scheduler lives."""

SILENCE_S = 15.0
"""After so long without an answer it is taken for dead: together with `PING_S` well below half a minute."""

LEAVE_S = 5.0
"""How long taking leave of a cluster may take; what is left of the run there ends by itself."""

# Few of its functions have annotations, which strict checkers would refuse one by one.
_DASK: Any = distributed
_CONFIG: Any = config

_Remote = Callable[..., Any]


class Session:
    """A client of a scheduler, and a crew on each of its workers."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        """Connect to nothing yet; `name`: that of the crew, which no other run has."""
        self._cluster, self._name = cluster, name
        self._client: Any = None
        self._local: Any = None
        self.address = cluster.scheduler or "this process"
        self.dashboard: str | None = None
        """Where people can watch the cluster at work."""

    async def connect(self, count: int) -> None:
        """Connect to the scheduler, or start one here with so many workers.

        Raises:
            RequestError: none answers.
        """
        _silence()
        if self._cluster.scheduler is None:
            loopback = "127.0.0.1:0"
            self._local = await _DASK.LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=False,  # a crew calls functions in processes of its own anyway
                asynchronous=True,
                dashboard_address=loopback,
                worker_dashboard_address=loopback,
            )
        security = _security(self._cluster.tls)
        try:
            self._client = _DASK.Client(
                self._local or self._cluster.scheduler,
                asynchronous=True,
                set_as_default=False,
                timeout=CONNECT_S,
                **({} if security is None else {"security": security}),
            )
            await self._client
        except (OSError, ValueError, TypeError) as error:
            raise RequestError(
                f"No Dask scheduler answers at {self.address}: {' '.join(str(error).split())}. Start one with "
                "`dask scheduler`, mend executor.scheduler (and executor.tls) in the settings, or leave it out for a "
                "cluster on this machine."
            ) from error
        services = (await self._client.scheduler.identity()).get("services", {})
        if self._local is None:
            self.dashboard = self._client.dashboard_link if "dashboard" in services else None
        elif "dashboard" in services:
            self.dashboard = f"http://127.0.0.1:{services['dashboard']}/status"

    async def retries_by_itself(self) -> int:
        """Return how many times the scheduler would run a task again whose worker died."""
        if self._local is not None:
            return 0
        return int(await self._client.run_on_scheduler(_CONFIG.get, "distributed.scheduler.allowed-failures"))

    @property
    def topic(self) -> str:
        """Under which the crew tells what calls print; the scheduler forgets it with the client."""
        return str(self._client.id)

    async def hire(self, crew: Crew, expected: Mapping[str, str], sink: LineSink) -> None:
        """Give each worker a crew, those that come later too, once all that are there were seen to fit.

        Raises:
            RequestError: there is no worker, or one differs or cannot load the project.
        """
        try:
            await asyncio.wait_for(self._client.wait_for_workers(1), WORKERS_S)
        except TimeoutError as error:
            raise RequestError(
                f"The Dask scheduler at {self.address} has had no worker for {WORKERS_S:g} s: start one with "
                f"`dask worker {self.address} --nthreads 1`."
            ) from error
        # Asked of Dask, so that workers answer that have no deltaworks.
        versions = await self._client.get_versions(packages=[each for each in expected if each != "Python"])
        for address, found in versions["workers"].items():
            has = {name: each for name, each in found["packages"].items() if each is not None}
            has["Python"] = ".".join(has["python"].split(".")[:2])
            wrong = difference(expected, has)
            if wrong is not None:
                raise RequestError(f"Dask worker {address} {wrong}.")
        self._client.subscribe_topic(self.topic, partial(_hear, sink))
        await self._client.register_plugin(crew, name=self._name)
        if self._local is not None:
            return  # this process has loaded the project from the same files
        try:
            answers = await asyncio.wait_for(self._ask("get_ready"), READY_S)
        except TimeoutError as error:
            raise RequestError(
                f"The workers of the Dask scheduler at {self.address} did not load the project within {READY_S:g} s."
            ) from error
        problem = next((each for each in answers.values() if each is not None), None)
        if problem is not None:
            raise RequestError(f"{problem}.")

    async def present(self) -> Present:
        """Return which workers there are.

        Raises:
            OSError: the scheduler does not answer.
        """
        workers = (await asyncio.wait_for(self._client.scheduler.identity(), SILENCE_S))["workers"]
        resources = {address: frozenset(each["resources"]) for address, each in workers.items()}
        return Present({address: each["nthreads"] for address, each in workers.items()}, resources)

    async def encourage(self) -> Sequence[str]:
        """Tell the crews that their coordinator is there; return the tasks that they put off, by their keys.

        Raises:
            OSError: one of them does not answer; the others have heard it.
        """
        answers = await asyncio.wait_for(self._ask("hear"), SILENCE_S)
        return [key for each in answers.values() for key in each]

    def submit(
        self, keys: Sequence[str], calls: Sequence[Call], resources: Mapping[str, float], fit: Sequence[str] | None
    ) -> Sequence[Any]:
        """Give bundles to workers; return what can be awaited for their answers, pickled.

        Args:
            keys: by which Dask knows them.
            calls: the bundles; they cost the scheduler less if many are given at once.
            resources: what their workers must offer.
            fit: the addresses of these; none: any worker. Others take them once none of these is there, unless
                something is to be offered: where Dask may look away from the list, it looks away from that, too.
        """
        with _CONFIG.set({"distributed.admin.large-graph-warning-threshold": "1 GiB"}):
            futures: Sequence[Any] = self._client.map(
                pickle.loads,
                [pickle.dumps(call) for call in calls],
                key=list(keys),
                pure=False,
                retries=0,
                resources=dict(resources) or None,
                workers=fit,
                allow_other_workers=fit is not None and not resources,
                fifo_timeout="0 s",
            )
        return futures

    async def revoke(self, keys: Sequence[str]) -> set[str]:
        """Let tasks not begin any more; return those that have begun on workers that answer.

        What others make of theirs comes too late: nobody waits for it.

        Raises:
            OSError: the scheduler does not answer.
        """
        workers = (await asyncio.wait_for(self._client.scheduler.identity(), SILENCE_S))["workers"]
        answers = await asyncio.gather(*(self._revoke_at(worker, keys) for worker in workers))
        return {key for each in answers for key in each}

    async def _revoke_at(self, worker: str, keys: Sequence[str]) -> Sequence[str]:
        try:
            answers = await asyncio.wait_for(self._ask("revoke", list(keys), workers=[worker]), SILENCE_S)
        except OSError:
            return ()
        found: Sequence[str] = answers.get(worker, ())
        return found

    async def drop(self, futures: Iterable[Any]) -> None:
        """Let a scheduler forget tasks."""
        await self._client.cancel(list(futures))

    async def close(self) -> None:
        """Take leave: calls that still run are ended."""
        if self._client is not None and self._client.status == "running":
            with contextlib.suppress(OSError, RuntimeError, ValueError):  # it is gone meanwhile, or was never there
                await asyncio.wait_for(self._client.unregister_worker_plugin(self._name), LEAVE_S)
            with contextlib.suppress(ValueError):  # nothing was heard yet
                self._client.unsubscribe_topic(self.topic)
        if self._client is not None:
            with contextlib.suppress(OSError, RuntimeError):
                await self._client.close(timeout=LEAVE_S)
        if self._local is not None:
            await self._local.close()

    async def _ask(self, method: str, *arguments: Any, workers: Sequence[str] | None = None) -> Mapping[str, Any]:
        """Call a method of every crew, or of those of some workers; return the answers, by worker.

        Who is gone does not answer; who hangs holds up the answers of all.
        """
        answers: Mapping[str, Any] = await self._client.run(
            _method_by(self._name, method), *arguments, on_error="ignore", workers=workers
        )
        return answers


def _method_by(name: str, method: str) -> _Remote:
    async def call(*arguments: Any, dask_worker: Any) -> Any:
        answer = getattr(dask_worker.plugins[name], method)(*arguments)
        return await answer if inspect.isawaitable(answer) else answer

    return call


def _hear(sink: LineSink, event: tuple[float, Any]) -> None:
    told = event[1]
    if not isinstance(told, dict):  # Dask tells of the client itself as well
        sink(Line(*told))


def _silence() -> None:
    """Keep Dask's logs off the terminal of a run, which says itself what is wrong."""
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _security(tls: Tls | None) -> Any:
    if tls is None:
        return None
    for file in (tls.ca_file, tls.cert_file, tls.key_file):
        try:
            with open(file, "rb"):
                pass
        except OSError as error:
            raise RequestError(f"executor.tls: {file} cannot be read ({error.strerror}).") from error
    return _DASK.Security(
        tls_ca_file=tls.ca_file, tls_client_cert=tls.cert_file, tls_client_key=tls.key_file, require_encryption=True
    )
