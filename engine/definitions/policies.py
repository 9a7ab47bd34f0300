"""Policies: how an asset's function is called: for how many partitions at once, and how often again when it fails."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from deltaworks.errors import InvalidDefinition


@dataclass(frozen=True, slots=True)
class BackfillPolicy:
    """How many partitions one call of an asset's function makes."""

    max_partitions: int = 1

    def __post_init__(self) -> None:
        """Refuse a call that would make nothing."""
        if self.max_partitions < 1:
            raise InvalidDefinition(f"BackfillPolicy: max_partitions must be 1 or more, not {self.max_partitions}")

    @classmethod
    def ranges(cls, max_partitions: int = 100) -> BackfillPolicy:
        """Call the function for up to `max_partitions` consecutive partitions at once.

        The function sees the union of their inputs and must be right for every partition on it; what it returns is
        cut to the requested partitions, and each is checked by itself.
        """
        return cls(max_partitions)


class Backoff(StrEnum):
    """How the delay grows from one retry to the next."""

    CONSTANT = "constant"
    """It does not."""
    LINEAR = "linear"
    """By `delay_s` each time."""
    EXPONENTIAL = "exponential"
    """It doubles each time."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a call that fails is tried again, and after how long.

    What is tried again is a function that raised or a result that could not be computed or written. Data that breaks
    its contract is not: it would break it again. Conflicts with other writers are handled apart from this.
    """

    max_retries: int = 1
    delay_s: float = 1.0
    """Before the first retry."""
    backoff: Backoff = Backoff.EXPONENTIAL
    jitter: float = 0.2
    """The share of each delay that is drawn at random, so that calls that failed together do not come back together."""
    max_delay_s: float = 300.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        for name, value in (("max_retries", self.max_retries), ("delay_s", self.delay_s)):
            if value < 0:
                raise InvalidDefinition(f"RetryPolicy: {name} must be 0 or more, not {value}")
        if not 0 <= self.jitter <= 1:
            raise InvalidDefinition(f"RetryPolicy: jitter must lie between 0 and 1, not {self.jitter}")
        object.__setattr__(self, "backoff", Backoff(self.backoff))

    def delay_before_s(self, retry: int, drawn: float) -> float:
        """Return how long to wait before a retry, counted from 1; `drawn` is a random number from 0 to 1."""
        match self.backoff:
            case Backoff.CONSTANT:
                factor = 1
            case Backoff.LINEAR:
                factor = retry
            case Backoff.EXPONENTIAL:
                factor = 2 ** (retry - 1)
        delay_s = min(self.delay_s * factor, self.max_delay_s)
        return delay_s * (1 - self.jitter + self.jitter * drawn)
