"""JobBook: what the ledger is told of a run of a job of ops."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from deltaworks.engine.definitions.ops.hooks import Ending
from deltaworks.engine.execution.events import RunNoted
from deltaworks.engine.execution.pulse import Pulse
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.planning.step_agenda import Fate
from deltaworks.errors import StorageError
from deltaworks.io.ledger import Failure, RunEntry, RunStatus, write_run
from deltaworks.io.stop_request import forget_stop_requests
from deltaworks.io.store import Store

_STATUSES = {
    Ending.SUCCESS: RunStatus.SUCCESS,
    Ending.FAILURE: RunStatus.FAILURE,
    Ending.CANCEL: RunStatus.CANCELED,
}


class JobBook:
    """The entry of one run; without a lake there is none, and nothing is written."""

    def __init__(
        self, store: Store | None, entry: RunEntry, now: Callable[[], dt.datetime], tell: Callable[[RunNoted], None]
    ) -> None:
        self._store, self._entry, self._now, self._tell = store, entry, now, tell

    @contextmanager
    def opened(self, fates: Counter[Fate], stop: Stop) -> Generator[None]:
        """Show that the run lives, and look whether somebody asks it to stop; what goes wrong in it is its failure.

        Raises:
            StorageError: the lake cannot be written.
        """
        store = self._store
        if store is None:
            yield
            return
        write_run(store, self._entry)
        try:
            with Pulse(store, self._entry.run_id, lambda: self._entry_now(fates), stop, self._tell):
                yield
        except BaseException:
            self._note(store, self._ended(fates, RunStatus.FAILURE))
            raise

    def close(self, fates: Counter[Fate], ending: Ending, failures: Mapping[str, str], reason: str | None) -> None:
        """Write how the run ended; `failures`: why, by step."""
        if self._store is None:
            return
        # A colon is in no asset's key, so that nobody takes a step for an asset that failed.
        found = tuple(
            Failure(f"{self._entry.job}:{step}", self._entry.job_partition, why, -1) for step, why in failures.items()
        )
        ended = replace(self._ended(fates, _STATUSES[ending]), failures=found)
        self._note(self._store, replace(ended, reason=reason if ending is Ending.CANCEL else None))

    def _note(self, store: Store, entry: RunEntry) -> None:
        try:
            write_run(store, entry)
            forget_stop_requests(store, entry.run_id)
        except StorageError as error:
            self._tell(RunNoted(f"the ledger does not show this: {error}"))

    def _entry_now(self, fates: Counter[Fate]) -> RunEntry:
        return replace(
            self._entry,
            heartbeat_at=self._now().isoformat(),
            failed=fates[Fate.FAILED],
            skipped=fates[Fate.SKIPPED] + fates[Fate.BLOCKED],
        )

    def _ended(self, fates: Counter[Fate], status: RunStatus) -> RunEntry:
        return replace(self._entry_now(fates), status=status, ended_at=self._now().isoformat())
