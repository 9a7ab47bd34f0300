"""Turns: whom the daemon asks at a poll, so that idling costs the same however many tables it watches.

On a local disk a look costs microseconds, and everybody is asked at every poll. In an object store it is a request that
somebody pays: there, of the watches that look into it, one is asked at a poll, each in its turn, and none at a poll at
which the daemon has looked for something of its own. So `n` tables are looked at every `n` polls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deltaworks.engine.automation.watch import Watch, Watched
from deltaworks.io.store import Store

_SLOWER = 5.0
"""How much longer the daemon's own looks into an object store are apart than those at a disk."""


class Turns:
    """Whose turn it is in one daemon."""

    def __init__(self, store: Store) -> None:
        """Begin with the first."""
        self._is_free = store.is_local
        self._last = ""
        self._is_taken = False

    def every_s(self, seconds: float) -> float:
        """Return how far looks are apart that are so far apart on a disk."""
        return seconds if self._is_free else seconds * _SLOWER

    def take(self) -> None:
        """Take this poll's turn for the daemon itself."""
        self._is_taken = True

    def whose(self, watches: Mapping[str, Watch], watched: Mapping[str, Watched]) -> Iterator[tuple[str, Watch]]:
        """Yield the watches that are asked at this poll, by name."""
        in_turn = [] if self._is_free else [name for name in watches if watched[name].looks_into_lake]
        now = None if self._is_taken or not in_turn else self._next(in_turn)
        self._is_taken = False
        for name, watch in watches.items():
            if name == now or name not in in_turn:
                yield name, watch

    def _next(self, names: list[str]) -> str:
        place = names.index(self._last) + 1 if self._last in names else 0
        self._last = names[place % len(names)]
        return self._last
