"""StepThreads: the threads of one run of a job, on which its steps and its hooks are called.

Python cannot end a thread. One that takes too long is given up: it goes on by itself, another one takes its place, and
what it returns is not looked at. The process does not wait for it at its end.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any


class StepThreads:
    """Threads that call what they are given; each call has a number of its own."""

    def __init__(self, workers: int) -> None:
        self._calls: queue.SimpleQueue[tuple[int, Callable[[], Any]] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._began_s: dict[int, float] = {}
        self._given_up: set[int] = set()
        self._lock = threading.Lock()
        self._workers = workers
        for _ in range(workers):
            self._start()

    def submit(self, number: int, call: Callable[[], Any]) -> None:
        """Call something on the next free thread; it must not raise."""
        self._calls.put((number, call))

    def wait(self, timeout_s: float) -> Iterator[tuple[int, Any]]:
        """Yield the results that are there, waiting for the first one for a while."""
        try:
            yield self._results.get(timeout=timeout_s)
            while True:
                yield self._results.get_nowait()
        except queue.Empty:
            return

    def took_s(self, number: int) -> float:
        """Return for how long a call has been running; 0 while it waits for a thread."""
        began_s = self._began_s.get(number)
        return 0.0 if began_s is None else time.monotonic() - began_s

    def give_up(self, number: int) -> bool:
        """Leave a running call to itself; return whether it was still running."""
        with self._lock:
            if number not in self._began_s:
                return False
            self._given_up.add(number)
        self._start()
        return True

    def close(self) -> None:
        """Let the threads end that have nothing to do."""
        for _ in range(self._workers):
            self._calls.put(None)

    def _start(self) -> None:
        threading.Thread(target=self._work, name="deltaworks step", daemon=True).start()

    def _work(self) -> None:
        while (asked := self._calls.get()) is not None:
            number, call = asked
            self._began_s[number] = time.monotonic()
            result = call()
            with self._lock:
                del self._began_s[number]
                if number in self._given_up:
                    return
            self._results.put((number, result))
