"""Executor: where tasks run. Only the coordinator commits, so an executor may lose a task or run it twice."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from deltaworks.errors import DeltaworksError


class Errand(Protocol):
    """What an executor carries out: a call of an asset's function, of an op. To other processes it is pickled."""

    @property
    def where(self) -> str:
        """What is called, for messages."""
        ...

    def failed(self, reason: str, error: BaseException, /) -> Any:
        """Return its outcome if the call failed as a whole."""
        ...


class Repeatable(Errand, Protocol):
    """An errand that may be carried out twice at a time, without harm."""

    def as_one(self, execution: int, /) -> Self:
        """Return it as one execution of it, which writes files of its own; it is equal to the others."""
        ...


class Result(Protocol):
    """What came of an errand: a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def took_s(self) -> float:
        """How long it took to carry it out, once it had begun."""
        ...

    def masked(self, masked: Callable[[str], str], /) -> Self:
        """Return it without the secrets that `masked` takes out of texts."""
        ...


T = TypeVar("T", bound=Errand)
P = TypeVar("P", bound=Repeatable)
R = TypeVar("R", bound=Result)
R_co = TypeVar("R_co", bound=Result, covariant=True)


class Executor(Protocol[T, R_co]):
    """What a coordinator asks of an executor. It runs from when it is made until it is closed.

    Every submitted task that is not taken back yields exactly one outcome, in any order. Retries are the coordinator's
    business alone.
    """

    @property
    def capacity(self) -> int:
        """How many tasks are worth submitting before the first outcome is back."""
        ...

    @property
    def workers(self) -> int:
        """How many tasks run at once."""
        ...

    @property
    def dashboard(self) -> str | None:
        """Where people can watch it at work; none: nowhere."""
        ...

    def submit(self, task: T) -> None:
        """Accept a task, without waiting for it."""
        ...

    def wait(self, timeout_s: float) -> Iterator[R_co]:
        """Yield the outcomes that are there, waiting for the first one for a while.

        Raises:
            ClusterLost: no more will come, since what carries tasks out is out of reach.
        """
        ...

    def cancel(self) -> list[T]:
        """Take back the tasks that have not begun, and return them; they yield no outcome."""
        ...

    def close(self) -> None:
        """Take nothing more, end what can be ended, and return when nothing runs any more."""
        ...

    def abandon(self) -> None:
        """Take nothing more and wait for nothing; what cannot be stopped ends with this process."""
        ...


class ThreadExecutor(Generic[T, R]):
    """Threads of this process, which carry tasks out or wait for other processes that do."""

    dashboard: str | None = None

    def __init__(self, work: Callable[[T], R], workers: int, end: Callable[[], None] = lambda: None) -> None:
        """Start without any thread.

        Args:
            work: carries a task out; it does not raise, see `guarded`.
            workers: how many tasks run at once.
            end: makes `work` come back soon, if anything can; called once, when this is closed.
        """
        self._work, self._end = work, end
        self.workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="deltaworks")
        self._begun: dict[Future[None], T] = {}
        self._outcomes: queue.SimpleQueue[R] = queue.SimpleQueue()

    @property
    def capacity(self) -> int:
        """One running and one waiting task for each thread, so that none idles while the coordinator commits."""
        return self.workers * 2

    def submit(self, task: T) -> None:
        """Run a task on the next free thread."""
        self._begun = {each: begun for each, begun in self._begun.items() if not each.done()}
        self._begun[self._pool.submit(self._carry_out, task)] = task

    def wait(self, timeout_s: float) -> Iterator[R]:
        """Yield the outcomes that are there, waiting for the first one for a while."""
        try:
            yield self._outcomes.get(timeout=timeout_s)
            while True:
                yield self._outcomes.get_nowait()
        except queue.Empty:
            return

    def cancel(self) -> list[T]:
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

    def _carry_out(self, task: T) -> None:
        self._outcomes.put(self._work(task))


def guarded(work: Callable[[T], R], masked: Callable[[str], str] = str) -> Callable[[T], R]:
    """Return what carries tasks out whatever happens: what is raised fails its task, and nothing else.

    Args:
        work: carries a task out.
        masked: takes secrets out of what its outcome says.
    """

    def carry_out(task: T) -> R:
        began_s = time.perf_counter()
        try:
            outcome = work(task)
        except DeltaworksError as error:
            outcome = task.failed(str(error), error)
        except BaseException as error:  # noqa: BLE001 - sys.exit() in user code must not silence its task
            outcome = task.failed(f"{task.where}: {type(error).__name__}{_text(error)}", error)
        outcome = outcome.masked(masked)
        # What another process has measured is without the time that it took to start it.
        return outcome if outcome.took_s else replace(outcome, took_s=time.perf_counter() - began_s)

    return carry_out


def _text(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - the class is the author's, and may be as wrong as the rest
        text = "and it cannot say what happened"
    return f": {text}" if text else ""
