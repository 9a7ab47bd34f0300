"""Retries: which failed partitions wait to be tried again, and until when."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.policies import RetryPolicy
from deltaworks.errors import WorkerLost

OF_LOST = RetryPolicy(max_retries=5, delay_s=0.5)
"""A worker that goes says nothing about the call that it had: machines of clusters come and go."""


def policy_for(own: RetryPolicy | None, names: Collection[str]) -> RetryPolicy | None:
    """Return the policy by which a call that failed is tried again; none: it is not.

    Args:
        own: what its author wants.
        names: those of what it failed with; see `error_names`.
    """
    policies = [] if own is None or not own.allows(names) else [own]
    if WorkerLost.__name__ in names:
        policies.append(OF_LOST)
    return max(policies, key=lambda policy: policy.max_retries, default=None)


class Retries:
    """The waiting partitions of one run. Instants are those of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._tried: Counter[tuple[AssetKey, int]] = Counter()
        self._waiting: list[tuple[float, tuple[AssetKey, ...], int]] = []

    @property
    def are_waiting(self) -> bool:
        """Whether any partition waits."""
        return bool(self._waiting)

    def wait_for(self, keys: Sequence[AssetKey], ordinal: int, policy: RetryPolicy, now_s: float) -> float | None:
        """Let a partition that a call did not make of some assets wait for the next try.

        Returns:
            The delay; none if it has had all of its tries.
        """
        retry = max(self._tried[key, ordinal] for key in keys) + 1
        if retry > policy.max_retries:
            return None
        self._tried.update({(key, ordinal): retry - self._tried[key, ordinal] for key in keys})
        delay_s = policy.delay_before_s(retry, random.random())  # noqa: S311 - spreads load, guards nothing
        heapq.heappush(self._waiting, (now_s + delay_s, tuple(keys), ordinal))
        return delay_s

    def due(self, now_s: float) -> Iterator[tuple[tuple[AssetKey, ...], int]]:
        """Yield the partitions whose time has come, with the assets that one call makes; they wait no longer."""
        while self._waiting and self._waiting[0][0] <= now_s:
            _, keys, ordinal = heapq.heappop(self._waiting)
            yield keys, ordinal
