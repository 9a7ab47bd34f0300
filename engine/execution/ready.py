"""Ready: the partitions that may be made now, in the order in which they are taken."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Sequence

from deltaworks.engine.definitions.keys import AssetKey

CHUNK = 100
"""Partitions are taken in chunks of so many ordinals across all assets, so that downstream tables appear early and what
was just written is read while it is in the page cache."""


class Ready:
    """Of one plan: chunk by chunk, in each of them upstreams first, and of an asset the first ones first.

    Each asset is in one lane. A plan may have a million partitions, so one of them costs an integer in a heap and one
    in a set.
    """

    def __init__(self, keys: Sequence[AssetKey], lane_of: Callable[[AssetKey], str | None]) -> None:
        """Begin with nothing; `keys` are the assets, upstreams first."""
        self._keys = keys
        self._rank = {key: rank for rank, key in enumerate(keys)}
        self._lanes: dict[str | None, list[int]] = {}
        self._lane_of = {key: self._lanes.setdefault(lane_of(key), []) for key in keys}
        self._there = {key: set[int]() for key in keys}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def has(self, key: AssetKey, ordinal: int) -> bool:
        """Return whether a partition is ready."""
        return ordinal in self._there[key]

    def add(self, key: AssetKey, ordinal: int) -> None:
        """Make a partition ready."""
        if ordinal not in self._there[key]:
            self._there[key].add(ordinal)
            self._count += 1
            chunk, place = divmod(ordinal, CHUNK)
            heapq.heappush(self._lane_of[key], (chunk * len(self._keys) + self._rank[key]) * CHUNK + place)

    def remove(self, key: AssetKey, ordinal: int) -> None:
        """Take a partition that is ready, whether or not its turn has come."""
        self._there[key].remove(ordinal)
        self._count -= 1

    def pop(self, closed: Collection[str]) -> tuple[AssetKey, int] | None:
        """Take the next partition that is in no closed lane; none: there is none."""
        tops = [lane for name, lane in self._lanes.items() if name not in closed and self._top(lane) is not None]
        if not tops:
            return None
        key, ordinal = self._decoded(heapq.heappop(min(tops, key=lambda lane: lane[0])))
        self.remove(key, ordinal)
        return key, ordinal

    def _top(self, lane: list[int]) -> int | None:
        """Return the first of a lane, after those are dropped that were taken out of their turn."""
        while lane:
            key, ordinal = self._decoded(lane[0])
            if ordinal in self._there[key]:
                return lane[0]
            heapq.heappop(lane)
        return None

    def _decoded(self, code: int) -> tuple[AssetKey, int]:
        rest, place = divmod(code, CHUNK)
        chunk, rank = divmod(rest, len(self._keys))
        return self._keys[rank], chunk * CHUNK + place
