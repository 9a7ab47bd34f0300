"""Pulse: shows every few seconds that a run lives, and looks every second whether somebody asked it to stop.

It has a thread of its own, so that a long commit does not make a run look lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from threading import Event as Flag
from threading import Thread
from types import TracebackType

from deltaworks.engine.execution.events import RunNoted
from deltaworks.engine.execution.stop import Stop
from deltaworks.errors import StorageError
from deltaworks.io.ledger import write_run
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.stop_request import find_stop_request
from deltaworks.io.store import Store

HEARTBEAT_S = 5.0
"""How often a run writes its entry, which shows how far it is, though it has come no further."""

LOOK_S = 1.0
"""How often it looks whether it is asked to stop."""


class Pulse:
    """The pulse of one run, from entering to leaving its context."""

    def __init__(
        self,
        store: Store,
        run_id: str,
        entry: Callable[[], RunEntry],
        stop: Stop,
        tell: Callable[[RunNoted], None],
        also: Callable[[], None] = lambda: None,
        mark: Callable[[], int] = lambda: 0,
        write: Callable[[RunEntry], None] | None = None,
    ) -> None:
        """Make a pulse.

        Args:
            store: the lake.
            run_id: the run.
            entry: gives the run's entry as it is now, with a new heartbeat.
            stop: is told what somebody asks of the run.
            tell: receives what goes wrong.
            also: what else is done every second.
            mark: tells by another number that the run has come further, which is written within a second.
            write: writes the entry down; none: into the ledger.
        """
        self._store, self._run_id, self._entry = store, run_id, entry
        self._stop, self._tell, self._also, self._mark = stop, tell, also, mark
        self._write = write or partial(write_run, store)
        self._is_over = Flag()
        self._thread = Thread(target=self._beat, name=f"deltaworks-pulse-{run_id}", daemon=True)

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _beat(self) -> None:
        beaten_s, marked, last_problem = time.monotonic(), self._mark(), ""
        while not self._is_over.wait(LOOK_S):
            try:
                if not self._stop.is_urgent:
                    self._look()
                mark = self._mark()
                if mark != marked or time.monotonic() - beaten_s >= HEARTBEAT_S:
                    beaten_s, marked = time.monotonic(), mark
                    self._write(self._entry())
                self._also()
            except StorageError as error:
                # What is committed stands, whether or not the ledger can say so; the next beat may get through.
                if str(error) != last_problem:
                    last_problem = str(error)
                    self._tell(RunNoted(f"the ledger does not show this: {error}"))

    def _look(self) -> None:
        request = find_stop_request(self._store, self._run_id)
        if request is not None:
            self._stop.obey(request)
