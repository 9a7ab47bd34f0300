"""Tickets: objects that say which runs have something that they share, and which wait for it, in their order.

A run puts a ticket that waits; when what is there and what waits before it leaves room, it puts it again as held and
looks once more, and waits again if others were faster. Of several that look at once no more than fit go on, since the
last one to put its ticket sees all others. A ticket counts as long as its run lives, so one that is left behind gives
way by itself. Nothing but double work hangs on it: whoever deletes tickets harms no table.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace

from deltaworks.io.dtypes import Json
from deltaworks.io.ledger import read_run_at
from deltaworks.io.run_entry import LOST_AFTER_S
from deltaworks.io.store import ENGINE_FOLDER, Store

FOLDER = f"{ENGINE_FOLDER}/claims"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a run has or wants."""

    name: str
    """Of its object, without a suffix; unique in its line."""
    run_id: str
    run_started_at: str
    """Tells where the run's entry lies in the ledger."""
    process: str
    """Whose it is: another attempt of the run is another process."""
    asked_at: str
    priority: int = 0
    """A higher one goes first."""
    facts: Json = field(default_factory=dict[str, Json])
    """What it is about."""
    is_held: bool = False

    @property
    def order(self) -> tuple[int, str, str]:
        """Who comes first has the least."""
        return -self.priority, self.asked_at, self.name


Fits = Callable[[Sequence[Ticket]], bool]
"""Whether there is room beside the tickets of others."""


class Line:
    """The tickets for one thing, as one process sees them."""

    def __init__(self, store: Store, name: str, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Look at a line; the clock tells how long others have been silent."""
        # A ticket need not survive a power cut: neither does its run.
        self._store, self._folder = replace(store, durable=False), f"{FOLDER}/{name}"
        self._clock_s = clock_s
        self._signs: dict[str, tuple[str | None, float]] = {}
        """By run: its last sign of life, and when that was first seen, by the clock of this process."""

    def ask(self, ticket: Ticket, fits: Fits) -> bool:
        """Put a ticket, and return whether its turn has come; ask again with the same one if not.

        Cost: two objects are put and all others are read twice, once if it is not its turn.

        Raises:
            StorageError: the lake cannot be read or written.
        """
        path = self._path(ticket)
        if not self._store.exists(path):
            self._put(ticket)
        others = list(self._others(ticket))
        if not fits([other for other in others if other.is_held or other.order < ticket.order]):
            return False
        self._put(replace(ticket, is_held=True))
        if fits([other for other in self._others(ticket) if other.is_held]):
            return True
        self._put(ticket)
        return False

    def leave(self, ticket: Ticket) -> None:
        """Give a ticket back, held or not.

        Raises:
            StorageError: the lake cannot be written.
        """
        self._store.delete(self._path(ticket))

    def holders(self, ticket: Ticket) -> list[str]:
        """Return the runs that hold tickets beside one."""
        return sorted({other.run_id for other in self._others(ticket) if other.is_held})

    def tickets(self) -> Iterator[Ticket]:
        """Yield the tickets of all runs that live, held or not."""
        return self._living(None)

    def _others(self, own: Ticket) -> Iterator[Ticket]:
        return self._living(self._path(own))

    def _living(self, left_out: str | None) -> Iterator[Ticket]:
        for path in self._store.list(self._folder):
            if path == left_out:
                continue
            found = _parsed(self._store.read(path))
            if found is None or self._is_dead(found):
                self._store.delete(path)
            else:
                yield found

    def _is_dead(self, ticket: Ticket) -> bool:
        """Return whether the run of a ticket has ended or died: its clock may go wrong, so only its change counts."""
        entry = read_run_at(self._store, ticket.run_id, ticket.run_started_at)
        if entry is not None and (entry.status.is_over or entry.is_gone or str(entry.process) != ticket.process):
            return True
        sign, now_s = None if entry is None else entry.heartbeat_at, self._clock_s()
        if ticket.run_id not in self._signs or self._signs[ticket.run_id][0] != sign:
            self._signs[ticket.run_id] = sign, now_s
        return now_s - self._signs[ticket.run_id][1] > LOST_AFTER_S

    def _put(self, ticket: Ticket) -> None:
        self._store.put(self._path(ticket), json.dumps(asdict(ticket)).encode())

    def _path(self, ticket: Ticket) -> str:
        return f"{self._folder}/{ticket.name}.json"


def _parsed(content: bytes | None) -> Ticket | None:
    """Return a ticket; none if it is gone or cannot be read, so that nobody could ever give it back."""
    try:
        return Ticket(**json.loads(content or b""))
    except (ValueError, TypeError):
        return None
