"""JobBook: what is written down of a run of a job of ops while it goes on: its entry in the ledger, and its log."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from deltaworks.engine.definitions.ops.hooks import Ending
from deltaworks.engine.execution.endings import STATUS_OF_RUN
from deltaworks.engine.execution.events import RunEnded, RunNoted
from deltaworks.engine.execution.jobs.step_events import StepEvent, StepEventSink
from deltaworks.engine.execution.pools import C, Pools
from deltaworks.engine.execution.pulse import Pulse
from deltaworks.engine.execution.sharing import Sharing
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.turn import await_turn, queue_turn
from deltaworks.engine.execution.workers.capture import Line, capturing
from deltaworks.engine.execution.workers.executor import R, T, guarded
from deltaworks.engine.execution.workers.run_log import RunLog, Secrets
from deltaworks.engine.planning.step_agenda import Fate
from deltaworks.errors import StorageError
from deltaworks.io.ledger import write_run
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus
from deltaworks.io.run_logs import LogWriter
from deltaworks.io.stop_request import forget_stop_requests
from deltaworks.io.store import Store


class JobBook:
    """The book of one attempt of a run; without a lake nothing is written.

    Args:
        store: the lake.
        entry: the run.
        now: the clock.
        secrets: knows what must not be written.
        then: receives what happens.
        sharing: how much of what runs share they may have at a time.
    """

    def __init__(
        self,
        store: Store | None,
        entry: RunEntry,
        now: Callable[[], dt.datetime],
        secrets: Secrets,
        then: StepEventSink,
        sharing: Sharing,
    ) -> None:
        self._store, self._entry, self._now, self._sharing = store, entry, now, sharing
        self._secrets = secrets
        self._log: RunLog[StepEvent] | None = None
        self.tell = then
        """Receives what happens, to write it down and to pass it on."""
        if store is not None:
            self._log = RunLog(LogWriter(store, entry.run_id, entry.attempt), now, secrets, then)
            self.tell = self._log.tell

    def pools(self, pool_of: Callable[[C], str | None], names: Iterable[str]) -> Pools[C] | None:
        """Return the pools that steps are in, see `Pools`; none: nobody shares anything without a lake."""
        if self._store is None:
            return None
        return Pools(self._store, self._entry, self._sharing, pool_of, names)

    def captured(self, work: Callable[[T], R]) -> Callable[[T], R]:
        """Return what carries tasks out as `work` does, guarded; what they print is written down."""
        return guarded(work, self._secrets.masked) if self._log is None else self._log.capturing(work)

    def watched_at(self, dashboard: str | None) -> None:
        """Note where the steps can be watched."""
        self._entry = replace(self._entry, dashboard=dashboard)

    def masked(self, text: str) -> str:
        """Return a text without secrets."""
        return self._secrets.masked(text)

    def note(self, text: str) -> None:
        """Tell a sentence."""
        self.tell(RunNoted(text))

    def line(self, line: Line) -> None:
        """Write down what was printed in another process."""
        if self._log is not None:
            self._log.line(line)

    @contextmanager
    def opened(self, fates: Counter[Fate], stop: Stop) -> Generator[None]:
        """Wait for the run's turn, or for an end, and show from then on that it lives; what goes wrong is its failure.

        Raises:
            StorageError: the lake cannot be written.
        """
        store, log = self._store, self._log
        if store is None or log is None:
            yield
            return
        write_run(store, replace(self._entry, status=RunStatus.QUEUED))
        try:
            with queue_turn(store, self._entry, self._sharing) as waiting:
                if not waiting.is_over():
                    await_turn(waiting, store, self._entry, self._now, log, stop)
                write_run(store, self._entry)
                alive = partial(self._entry_now, fates)
                with capturing(), Pulse(store, self._entry.run_id, alive, stop, log.tell, log.flush):
                    yield
        except BaseException:
            self._note(store, self._ended(fates, RunStatus.FAILURE))
            raise
        finally:
            log.flush()

    def close(self, fates: Counter[Fate], ending: Ending, failures: Mapping[str, str], reason: str | None) -> None:
        """Write how the run ended; `failures`: why, by step."""
        status, entry = STATUS_OF_RUN[ending], self._entry
        if self._store is not None:
            # A colon is in no asset's key, so that nobody takes a step for an asset that failed.
            found = tuple(
                Failure(f"{entry.job}:{step}", entry.job_partition, why, -1) for step, why in failures.items()
            )
            ended = replace(self._ended(fates, status), failures=found)
            self._note(self._store, replace(ended, reason=reason if ending is Ending.CANCEL else None))
        self.tell(RunEnded(status.value, reason if ending is Ending.CANCEL else None))
        if self._log is not None:
            self._log.flush()

    def _note(self, store: Store, entry: RunEntry) -> None:
        try:
            write_run(store, entry)
            forget_stop_requests(store, entry.run_id)
        except StorageError as error:
            self.tell(RunNoted(f"the ledger does not show this: {error}"))

    def _entry_now(self, fates: Counter[Fate]) -> RunEntry:
        return replace(
            self._entry,
            heartbeat_at=self._now().isoformat(),
            failed=fates[Fate.FAILED],
            skipped=fates[Fate.SKIPPED] + fates[Fate.BLOCKED],
        )

    def _ended(self, fates: Counter[Fate], status: RunStatus) -> RunEntry:
        return replace(self._entry_now(fates), status=status, ended_at=self._now().isoformat())
