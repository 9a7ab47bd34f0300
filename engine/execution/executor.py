"""Executor: where tasks run. Only the coordinator commits, so an executor may lose a task or run it twice."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol, TypeAlias

from deltaworks.engine.definitions.policies import error_names
from deltaworks.engine.execution.task import Outcome, Task
from deltaworks.errors import DeltaworksError

Work: TypeAlias = Callable[[Task], Outcome]
"""What carries a task out."""


class Executor(Protocol):
    """What a coordinator asks of an executor. It runs from when it is made until it is closed.

    Every submitted task that is not taken back yields exactly one outcome, in any order. Retries are the coordinator's
    business alone.
    """

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

    def cancel(self) -> list[Task]:
        """Take back the tasks that have not begun, and return them; they yield no outcome."""
        ...

    def close(self) -> None:
        """Take nothing more, end what can be ended, and return when nothing runs any more."""
        ...

    def abandon(self) -> None:
        """Take nothing more and wait for nothing; what cannot be stopped ends with this process."""
        ...


class ThreadExecutor:
    """Threads of this process, which carry tasks out or wait for other processes that do."""

    def __init__(self, work: Work, workers: int, end: Callable[[], None] = lambda: None) -> None:
        """Start without any thread.

        Args:
            work: carries a task out.
            workers: how many tasks run at once.
            end: makes `work` come back soon, if anything can; called once, when this is closed.
        """
        self._work, self._workers, self._end = work, workers, end
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="deltaworks")
        self._begun: dict[Future[None], Task] = {}
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()

    @property
    def capacity(self) -> int:
        """One running and one waiting task for each thread, so that none idles while the coordinator commits."""
        return self._workers * 2

    def submit(self, task: Task) -> None:
        """Run a task on the next free thread."""
        self._begun = {each: begun for each, begun in self._begun.items() if not each.done()}
        self._begun[self._pool.submit(lambda: self._outcomes.put(attempt(self._work, task)))] = task

    def wait(self, timeout_s: float) -> Iterator[Outcome]:
        """Yield the outcomes that are there, waiting for the first one for a while."""
        try:
            yield self._outcomes.get(timeout=timeout_s)
            while True:
                yield self._outcomes.get_nowait()
        except queue.Empty:
            return

    def cancel(self) -> list[Task]:
        """Take back the tasks that have not begun, and return them."""
        return [task for each, task in self._begun.items() if not each.cancelled() and each.cancel()]

    def abandon(self) -> None:
        """Drop what has not begun and end what can be ended; a thread that goes on does so for nobody."""
        self._end()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Wait for running tasks, after what can end them has been told to; those that have not begun are dropped."""
        self.cancel()
        self._end()
        self._pool.shutdown(wait=True)


def attempt(work: Work, task: Task) -> Outcome:
    """Carry a task out, whatever happens: what is raised fails the task, and nothing else."""
    began_s = time.perf_counter()
    try:
        outcome = work(task)
    except DeltaworksError as error:
        outcome = failed(task, str(error), error)
    except BaseException as error:  # noqa: BLE001 - sys.exit() in user code must not silence its task
        outcome = failed(task, f"{task.where}: {type(error).__name__}{_text(error)}", error)
    return replace(outcome, took_s=time.perf_counter() - began_s)


def failed(task: Task, reason: str, error: BaseException) -> Outcome:
    """Return the outcome of a task whose call failed as a whole."""
    reasons = dict.fromkeys(task.ordinals, reason)
    others = tuple(failed(each, reason, error) for each in task.others)
    return Outcome(task, failures=reasons, may_pass_later=True, error_names=error_names(error), others=others)


def _text(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - the class is the author's, and may be as wrong as the rest
        text = "and it cannot say what happened"
    return f": {text}" if text else ""
