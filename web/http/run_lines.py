"""Run lines: the log of a run as a stream, from where a client was, until the run is over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import asdict

from deltaworks.engine.documents.run_logs import log_line
from deltaworks.io.ledger import RunEntry, read_run
from deltaworks.io.run_logs import LogReader
from deltaworks.io.store import Store
from deltaworks.web.http.live import Event
from deltaworks.web.views.run import has_level

MOST_LINES = 1000
"""Of one event."""


class RunLines:
    """What one client has heard of a log; an event is many lines, known by the number of the last of them."""

    def __init__(self, store: Store, run: RunEntry, level: str, now: Callable[[], dt.datetime]) -> None:
        self._store, self._run, self._level, self._now = store, run, level, now
        self._reader, self._count = LogReader(store, run.run_id), 0

    def poll(self, after: str | None) -> Sequence[Event]:
        """Return the lines after one, and at last that there are no more."""
        self._run = read_run(self._store, self._run) or self._run
        is_over = self._run.status_at(self._now()).is_over  # before the look, so that nothing is missed
        seen = int(after) if after is not None and after.isdecimal() else 0
        numbered = enumerate(self._reader.read(), self._count + 1)
        new = [(number, log_line(document)) for number, document in numbered]
        self._count += len(new)
        shown = [(number, line) for number, line in new if number > seen and has_level(line, self._level)]
        events = [
            Event(str(part[-1][0]), [asdict(line) for _, line in part], "lines")
            for start in range(0, len(shown), MOST_LINES)
            for part in [shown[start : start + MOST_LINES]]
        ]
        if is_over:
            events.append(
                Event(
                    str(max(seen, self._count)), {"status": self._run.status_at(self._now()).value}, "end", is_last=True
                )
            )
        return events
