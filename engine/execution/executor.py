"""Executor: where tasks run. Only the coordinator commits, so an executor may lose a task or run it twice."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from deltaworks.engine.execution.task import Outcome, Task


class Executor(Protocol):
    """What a coordinator asks of an executor. Every submitted task yields an outcome, in any order."""

    @property
    def capacity(self) -> int:
        """How many tasks are worth submitting before the first outcome is back."""
        ...

    def submit(self, task: Task) -> None:
        """Accept a task, without waiting for it."""
        ...

    def wait(self, timeout_s: float) -> Iterator[Outcome]:
        """Yield the outcomes that are there, waiting for the first one for a while."""
        ...

    def close(self) -> None:
        """Wait for what is running and take nothing more."""
        ...

    def abandon(self) -> None:
        """Take nothing more and wait for nothing; what cannot be stopped ends with this process."""
        ...


class ThreadExecutor:
    """Threads of this process: Polars computes outside of Python's lock."""

    def __init__(self, work: Callable[[Task], Outcome], workers: int) -> None:
        self._work = work
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="deltaworks")
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()

    @property
    def capacity(self) -> int:
        """One running and one waiting task for each thread, so that none idles while the coordinator commits."""
        return self._workers * 2

    def submit(self, task: Task) -> None:
        """Run a task on the next free thread."""
        self._pool.submit(lambda: self._outcomes.put(self._run(task)))

    def wait(self, timeout_s: float) -> Iterator[Outcome]:
        """Yield the outcomes that are there, waiting for the first one for a while."""
        try:
            yield self._outcomes.get(timeout=timeout_s)
            while True:
                yield self._outcomes.get_nowait()
        except queue.Empty:
            return

    def close(self) -> None:
        """Wait for running tasks; those that have not started are dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def abandon(self) -> None:
        """Drop tasks that have not started; a thread cannot be stopped, so what runs in one goes on, for nobody."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, task: Task) -> Outcome:
        try:
            return self._work(task)
        except BaseException as error:  # noqa: BLE001 - sys.exit() in user code must not silence its task
            return Outcome(
                task, failures=dict.fromkeys(task.ordinals, f"{task.asset}: {type(error).__name__}: {error}")
            )
