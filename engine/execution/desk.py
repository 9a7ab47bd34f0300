"""Desk: where a run is written down as it goes on: its entry, its log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from deltaworks.errors import StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.ledger import write_run
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.run_logs import LogWriter
from deltaworks.io.stop_request import forget_stop_requests
from deltaworks.io.store import Store


class Lines(Protocol):
    """Takes the lines of a run's log."""

    problem: StorageError | None
    """Why lines are missing, the first time."""

    def write(self, document: Json, /) -> None:
        """Add a line."""
        ...

    def flush(self) -> None:
        """Put what is new."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """That of one run."""

    write: Callable[[RunEntry], None]
    """Notes how the run is now; raises `StorageError` if it cannot."""
    close: Callable[[], None]
    """Puts away what only a run needs that goes on; raises the same."""
    lines: Lines
    is_part: bool = False
    """Whether another process writes down the run, and this one only a part of it: that one waits for the run's turn,
    and keeps its plan."""

    def queue(self, entry: RunEntry) -> None:
        """Note that a run waits for its turn; a part of one does not.

        Raises:
            StorageError: the lake cannot be written.
        """
        if not self.is_part:
            self.write(replace(entry, status=RunStatus.QUEUED))

    @classmethod
    def in_lake(cls, store: Store, entry: RunEntry) -> Desk:
        """Return that of a run which writes into the lake itself."""
        lines = LogWriter(store, entry.run_id, entry.attempt)
        return cls(partial(write_run, store), partial(forget_stop_requests, store, entry.run_id), lines)
