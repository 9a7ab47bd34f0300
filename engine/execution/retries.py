"""Retries: which failed partitions wait to be tried again, and until when."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterator

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.policies import RetryPolicy


class Retries:
    """The waiting partitions of one run. Instants are those of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._tried: Counter[tuple[AssetKey, int]] = Counter()
        self._waiting: list[tuple[float, AssetKey, int]] = []

    @property
    def are_waiting(self) -> bool:
        """Whether any partition waits."""
        return bool(self._waiting)

    def wait_for(self, key: AssetKey, ordinal: int, policy: RetryPolicy, now_s: float) -> float | None:
        """Let a failed partition wait for its next try; return the delay, or none if it has had all of its tries."""
        retry = self._tried[key, ordinal] + 1
        if retry > policy.max_retries:
            return None
        self._tried[key, ordinal] = retry
        delay_s = policy.delay_before_s(retry, random.random())  # noqa: S311 - spreads load, guards nothing
        heapq.heappush(self._waiting, (now_s + delay_s, key, ordinal))
        return delay_s

    def due(self, now_s: float) -> Iterator[tuple[AssetKey, int]]:
        """Yield the partitions whose time has come; they wait no longer."""
        while self._waiting and self._waiting[0][0] <= now_s:
            _, key, ordinal = heapq.heappop(self._waiting)
            yield key, ordinal
