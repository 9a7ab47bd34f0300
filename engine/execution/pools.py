"""Pools: calls that share something scarce, of which only so many run at a time across all runs of a lake."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.sharing import Sharing
from deltaworks.io.ledger import RunEntry
from deltaworks.io.store import Store
from deltaworks.io.tickets import Line, Ticket

POLL_S = 0.2
"""How often a pool that had no room is asked again."""

Call: TypeAlias = tuple[AssetKey, int, int]
"""An asset, and the first and last of the partitions that a call makes."""


@dataclass
class _Pool:
    line: Line
    limit: int
    held_back: deque[Call] = field(default_factory=deque[Call])
    """Calls that wait for room."""
    asked: Ticket | None = None
    """The ticket that waits for the first of them."""
    ask_again_s: float = 0.0


class Pools:
    """The pools that one run's calls are in."""

    def __init__(self, store: Store, entry: RunEntry, sharing: Sharing, asset_pools: dict[AssetKey, str]) -> None:
        """Make the pools of the assets that have one."""
        self._entry, self._of = entry, asset_pools
        self._pools = {
            name: _Pool(Line(store, f"pools/{name}"), sharing.pools.get(name, 1)) for name in set(asset_pools.values())
        }
        self._tickets: dict[Call, Ticket] = {}
        self._number = 0

    @property
    def hold_any(self) -> bool:
        """Whether any call waits for room."""
        return any(pool.held_back for pool in self._pools.values())

    def take(self, take: Callable[[], Call | None]) -> Call | None:
        """Return the next call that may run: one that has waited for its pool, or one that `take` gives."""
        for pool in self._pools.values():
            if pool.held_back and self._has_room(pool, pool.held_back[0]):
                return pool.held_back.popleft()
        while (call := take()) is not None:
            pool_name = self._of.get(call[0])
            if pool_name is None:
                return call
            pool = self._pools[pool_name]
            if not pool.held_back and self._has_room(pool, call):
                return call
            pool.held_back.append(call)
        return None

    def release(self, call: Call) -> None:
        """Give back the place of a call that has ended, if it had one."""
        ticket = self._tickets.pop(call, None)
        if ticket is not None:
            pool = self._pools[self._of[call[0]]]
            pool.line.leave(ticket)
            pool.ask_again_s = 0.0

    def withdraw(self) -> None:
        """Wait for no more places: nothing is begun any more."""
        for pool in self._pools.values():
            pool.held_back.clear()
            if pool.asked is not None:
                pool.line.leave(pool.asked)
                pool.asked = None

    def close(self) -> None:
        """Give back everything."""
        for call in list(self._tickets):
            self.release(call)
        self.withdraw()

    def _has_room(self, pool: _Pool, call: Call) -> bool:
        now_s = time.monotonic()
        if now_s < pool.ask_again_s:
            return False
        if pool.asked is None:
            self._number += 1
            entry = self._entry
            name = f"{entry.run_id}-{entry.attempt}-{self._number}"
            asked_at = f"{time.time():017.6f}"
            pool.asked = Ticket(name, entry.run_id, entry.started_at, str(entry.process), asked_at, entry.priority)
        if not pool.line.ask(pool.asked, partial(_fits, pool.limit)):
            pool.ask_again_s = now_s + POLL_S
            return False
        self._tickets[call], pool.asked = pool.asked, None
        return True


def _fits(limit: int, others: Sequence[Ticket]) -> bool:
    return len(others) < limit
