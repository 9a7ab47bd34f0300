"""Pools: calls that share something scarce, of which only so many run at a time across all runs of a lake."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Generic, TypeVar

from deltaworks.engine.execution.sharing import Sharing
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.store import Store
from deltaworks.io.tickets import FOLDER, Line, Ticket

POLL_S = 0.2
"""How often a pool that had no room is asked again."""

_LINES = "pools"
"""Where the lines of pools are, below those of all that runs share."""

C = TypeVar("C", bound=Hashable)
"""A call: some partitions of an asset, a step of a job."""


def pool_line(store: Store, name: str) -> Line:
    """Return the line of a pool: who has a place in it, and who waits."""
    return Line(store, f"{_LINES}/{name}")


def pools_seen(store: Store) -> set[str]:
    """Return the pools that calls of assets or ops have been in."""
    return set(store.names(f"{FOLDER}/{_LINES}"))


@dataclass
class _Pool(Generic[C]):
    line: Line
    limit: int
    held_back: deque[tuple[int, C]] = field(default_factory=deque[tuple[int, C]])
    """Calls that wait for room, each with its place among all that do."""
    asked: Ticket | None = None
    """The ticket that waits for the first of them."""
    ask_again_s: float = 0.0


class Pools(Generic[C]):
    """The pools that one run's calls are in."""

    def __init__(
        self,
        store: Store,
        entry: RunEntry,
        sharing: Sharing,
        of: Callable[[C], str | None],
        names: Iterable[str],
    ) -> None:
        """Look at pools.

        Args:
            store: the lake.
            entry: the run's.
            sharing: how many places there are.
            of: tells which of the pools a call is in, if it is in any.
            names: the pools.
        """
        self._entry, self._of = entry, of
        self._prefix = f"{entry.run_id}-{entry.attempt}-{secrets.token_hex(4)}"
        """Of the names of its tickets: several processes may carry out parts of one run."""
        self._pools: dict[str, _Pool[C]] = {
            name: _Pool(pool_line(store, name), sharing.pools.get(name, 1)) for name in set(names)
        }
        self._tickets: dict[C, Ticket] = {}
        self._number = 0
        self._arrivals = count()

    @property
    def hold_any(self) -> bool:
        """Whether any call waits for room."""
        return any(pool.held_back for pool in self._pools.values())

    @property
    def want_worker(self) -> bool:
        """Whether a call waits that may find room as soon as it would begin at once."""
        now_s = time.monotonic()
        return any(pool.held_back and now_s >= pool.ask_again_s for pool in self._pools.values())

    def take(self, take: Callable[[Collection[str]], C | None], *, begins: bool) -> C | None:
        """Return the next call that may run: one that has waited for its pool, or one that `take` gives.

        Args:
            take: returns the next call that is ready; it is told in which pools one waits already, so that others in
                them can stay undecided.
            begins: whether the call would begin at once; else it is none of a pool, where it would take the place of
                one that could begin, of this run or of another one.
        """
        waiting = [pool for pool in self._pools.values() if pool.held_back] if begins else []
        for pool in sorted(waiting, key=lambda each: each.held_back[0][0]):  # whichever has waited longest
            if self._has_room(pool, pool.held_back[0][1]):
                return pool.held_back.popleft()[1]
        while (call := take(self._closed())) is not None:
            pool_name = self._of(call)
            if pool_name is None:
                return call
            pool = self._pools[pool_name]
            if begins and not pool.held_back and self._has_room(pool, call):
                return call
            pool.held_back.append((next(self._arrivals), call))
        return None

    def _closed(self) -> Collection[str]:
        return [name for name, pool in self._pools.items() if pool.held_back]

    def release(self, call: C) -> None:
        """Give back the place of a call that has ended, if it had one."""
        ticket = self._tickets.pop(call, None)
        if ticket is not None:
            pool = self._pools[self._of(call) or ""]
            pool.line.leave(ticket)
            pool.ask_again_s = 0.0

    def withdraw(self) -> list[C]:
        """Return the calls that wait for room; they wait no longer, and nothing is begun any more."""
        waited: list[C] = []
        for pool in self._pools.values():
            waited += [call for _, call in pool.held_back]
            pool.held_back.clear()
            if pool.asked is not None:
                pool.line.leave(pool.asked)
                pool.asked = None
        return waited

    def close(self) -> None:
        """Give back everything."""
        for call in list(self._tickets):
            self.release(call)
        self.withdraw()

    def _has_room(self, pool: _Pool[C], call: C) -> bool:
        now_s = time.monotonic()
        if now_s < pool.ask_again_s:
            return False
        if pool.asked is None:
            self._number += 1
            entry = self._entry
            name = f"{self._prefix}-{self._number}"
            asked_at = f"{time.time():017.6f}"
            pool.asked = Ticket(name, entry.run_id, entry.started_at, str(entry.process), asked_at, entry.priority)
        if not pool.line.ask(pool.asked, partial(_fits, pool.limit)):
            pool.ask_again_s = now_s + POLL_S
            return False
        self._tickets[call], pool.asked = pool.asked, None
        return True


def _fits(limit: int, others: Sequence[Ticket]) -> bool:
    return len(others) < limit
