"""Run lines: the log of a run as a stream, from where a client was, until the run is over; and its states."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from deltaworks.engine.documents.run_logs import log_line
from deltaworks.engine.documents.runs import summary_json
from deltaworks.io.ledger import read_run
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.run_logs import LogReader
from deltaworks.io.store import Store
from deltaworks.web.http.live import LINES_EVENT, Event

MOST_LINES = 1000
"""Of one event."""

MOST_READ = 10_000
"""How many lines are read for one event, if few of them are wanted."""

Line = Mapping[str, Any]
Wanted = Callable[[Line], bool]
Tell = Callable[[Sequence[Line]], list[Any]]


@dataclass(frozen=True, slots=True)
class RunLines:
    """The lines of a run's log as events; each has many of them, and is known by the place behind the last one."""

    store: Store
    run: RunEntry
    wants: Wanted
    tell: Tell
    """Returns lines as clients get them."""
    now: Callable[[], dt.datetime]

    def poll(self, after: str | None) -> Sequence[Event]:
        """Return the next lines, and at last that there are no more.

        Raises:
            RequestError: `after` is no place in a log.
        """
        run = read_run(self.store, self.run) or self.run
        is_over = run.status_at(self.now()).is_over  # before the look, so that nothing is missed
        reader = LogReader(self.store, run.run_id, after)
        lines = list(read_lines(reader, MOST_LINES, self.wants))
        if reader.position != after:
            return [Event(reader.position or "", self.tell(lines), LINES_EVENT)]
        end = {"status": run.status_at(self.now()).value}
        return [Event(after or "", end, "end", is_last=True)] if is_over else []


@dataclass(frozen=True, slots=True)
class RunStates:
    """What is said of a run in a line, as an event whenever it has changed."""

    store: Store
    run: RunEntry
    now: Callable[[], dt.datetime]

    def poll(self, after: str | None) -> Sequence[Event]:
        """Return how the run is, unless a client has seen just that."""
        run, now = read_run(self.store, self.run) or self.run, self.now()
        told = summary_json(run, now)
        known = hashlib.sha256(json.dumps(told | {"duration_s": None}).encode()).hexdigest()[:16]
        is_over = run.status_at(now).is_over
        return [Event(known, told, "state", is_last=is_over)] if is_over or known != after else []


def read_lines(reader: LogReader, most: int, wants: Wanted) -> Iterator[Line]:
    """Yield the next lines of a log that are wanted, at most so many; few of very many may be none."""
    return islice(filter(wants, islice(reader.read(), MOST_READ)), most)


def as_shown(lines: Sequence[Line]) -> list[Any]:
    """Return lines as browsers show them."""
    return [asdict(log_line(line)) for line in lines]


def as_they_are(lines: Sequence[Line]) -> list[Any]:
    """Return lines as they are kept."""
    return list(lines)
