"""Policies: for how many partitions at once an asset's function is called, how often again, and how far it may go."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias, cast

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.errors import InvalidDefinition, Place, RunError

_POOL = re.compile("[A-Za-z0-9_-]{1,100}")

_FIRST_GROWTH = 4
"""A call sized by bytes makes at most so many times as many partitions as its size has been learned from."""


@dataclass(frozen=True, slots=True)
class BackfillPolicy:
    """How many consecutive partitions one call of an asset's function makes.

    A function that is called for several sees the union of their inputs and must be right for every partition on it;
    what it returns is cut to the requested partitions, and each is checked by itself. `deltaworks check --range-safe`
    tries whether it is. A call for several that fails is split until the partitions at fault are known.
    """

    max_partitions: int | None = 1
    """None: all that are planned."""
    target_bytes: int | None = None
    """How large the files of one call should be together; none: that does not matter."""

    def __post_init__(self) -> None:
        """Refuse a call that would make nothing."""
        for name, value in (("max_partitions", self.max_partitions), ("target_bytes", self.target_bytes)):
            if value is not None and value < 1:
                raise InvalidDefinition(f"BackfillPolicy: {name} must be 1 or more, not {value}")

    @classmethod
    def ranges(cls, max_partitions: int = 100) -> BackfillPolicy:
        """Call the function for up to `max_partitions` consecutive partitions at once."""
        return cls(max_partitions)

    @classmethod
    def single_run(cls) -> BackfillPolicy:
        """Call the function for all consecutive partitions of a plan, once all that they are made from is there."""
        return cls(None)

    @classmethod
    def auto(cls, target_bytes: int = 256 * 1024 * 1024, max_partitions: int = 1000) -> BackfillPolicy:
        """Call the function for as many partitions as make about `target_bytes` of Parquet, up to `max_partitions`.

        The files of earlier materializations tell how large a partition is. Where there are none, the first call makes
        one partition, and the next ones grow with what is known.
        """
        return cls(max_partitions, target_bytes)

    def within(self, most_bytes: int | None) -> BackfillPolicy:
        """Return the policy with calls that make no more than that, but for one whose calls make all there is."""
        if most_bytes is None or not self.allows_ranges or self.waits_for_all:
            return self
        return replace(self, target_bytes=min(most_bytes, self.target_bytes or most_bytes))

    @property
    def allows_ranges(self) -> bool:
        """Whether one call may make several partitions."""
        return self.max_partitions != 1

    @property
    def waits_for_all(self) -> bool:
        """Whether the function is called only when everything that is planned of the asset can be made."""
        return self.max_partitions is None

    def partitions_a_call(self, known_bytes: int, known_partitions: int) -> int | None:
        """Return how many partitions a call makes at most; none: any number.

        Args:
            known_bytes: how large the partitions are together whose size is known.
            known_partitions: how many these are.
        """
        if self.target_bytes is None or self.max_partitions is None:
            return self.max_partitions
        if not known_partitions:
            return 1
        fitting = self.target_bytes * known_partitions // max(known_bytes, 1)
        return max(1, min(fitting, known_partitions * _FIRST_GROWTH, self.max_partitions))


class Backoff(StrEnum):
    """How the delay grows from one retry to the next."""

    CONSTANT = "constant"
    """It does not."""
    LINEAR = "linear"
    """By `delay_s` each time."""
    EXPONENTIAL = "exponential"
    """It doubles each time."""


ErrorClasses: TypeAlias = Iterable[str | type[BaseException]]
"""Classes of exceptions, or their names: `ConnectionError`, or with the module `httpx.ReadTimeout`."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a call that fails is tried again, and after how long.

    What is tried again is a function that raised or a result that could not be computed or written. Data that breaks
    its contract is not: it would break it again. Conflicts with other writers are handled apart from this. A call for
    several partitions is split first; each partition that fails by itself then has its own retries.
    """

    max_retries: int = 1
    delay_s: float = 1.0
    """Before the first retry."""
    backoff: Backoff = Backoff.EXPONENTIAL
    jitter: float = 0.2
    """The share of each delay that is drawn at random, so that calls that failed together do not come back together."""
    max_delay_s: float = 300.0
    retry_on: ErrorClasses | None = None
    """Only errors of these classes, or of those below them, are tried again; none: all are."""
    give_up_on: ErrorClasses = ()
    """Errors of these classes, or of those below them, are not tried again, whatever `retry_on` says."""

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        for name, value in (("max_retries", self.max_retries), ("delay_s", self.delay_s)):
            if value < 0:
                raise InvalidDefinition(f"RetryPolicy: {name} must be 0 or more, not {value}")
        if not 0 <= self.jitter <= 1:
            raise InvalidDefinition(f"RetryPolicy: jitter must lie between 0 and 1, not {self.jitter}")
        object.__setattr__(self, "backoff", Backoff(self.backoff))
        if self.retry_on is not None:
            object.__setattr__(self, "retry_on", _names("retry_on", self.retry_on))
        object.__setattr__(self, "give_up_on", _names("give_up_on", self.give_up_on))

    def allows(self, error_classes: Iterable[str]) -> bool:
        """Return whether an error is one to try again after, by the names that `error_names` gives it."""
        classes = set(error_classes)
        if self.retry_on is not None and classes.isdisjoint(_names("retry_on", self.retry_on)):
            return False
        return classes.isdisjoint(_names("give_up_on", self.give_up_on))

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


def error_names(error: BaseException) -> tuple[str, ...]:
    """Return by which names policies know an error: its class and those above it, without and with their modules.

    Names travel between processes where the classes themselves need not: a worker may raise what nobody else imports.
    """
    classes = type(error).__mro__[:-1]
    names = (name for each in classes for name in (each.__qualname__, _full_name(each)))
    carried = error.names if isinstance(error, RunError) else ()
    return tuple(dict.fromkeys((*names, *carried)))


def _names(field: str, classes: object) -> tuple[str, ...]:
    if isinstance(classes, str) or not isinstance(classes, Iterable):
        raise InvalidDefinition(f"RetryPolicy: {field} must be a list of classes or of their names, not {classes!r}")
    return tuple(_name(field, each) for each in cast("Iterable[object]", classes))


def _name(field: str, given: object) -> str:
    if isinstance(given, str):
        return given
    if isinstance(given, type) and issubclass(given, BaseException):
        return _full_name(given)
    raise InvalidDefinition(f"RetryPolicy: {field} takes classes of exceptions or their names, not {given!r}")


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How far one call of an asset's function may go. What has any limit runs in a process that can be ended."""

    timeout_s: float | None = None
    """How long a call may take, whatever it waits for."""
    memory_mb: float | None = None
    """How much memory the process of the call may hold, in millions of bytes; Python and Polars take about 150."""
    isolate: bool = False
    """Whether calls run in a process of their own though nothing limits them."""

    def __post_init__(self) -> None:
        """Refuse a limit that nothing could keep."""
        for name, value in (("timeout_s", self.timeout_s), ("memory_mb", self.memory_mb)):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (is_number and 0 < value < math.inf):
                raise InvalidDefinition(f"{name} must be a number above 0, not {value!r}")

    @property
    def need_process(self) -> bool:
        """Whether calls cannot run inside the process of the engine."""
        return self.isolate or self.timeout_s is not None or self.memory_mb is not None


NO_LIMITS = Limits()


def read_limits(
    key: AssetKey, where: Place, timeout_s: float | None, memory_mb: float | None, *, isolate: bool
) -> Limits:
    """Return the limits of the calls of an asset.

    Raises:
        InvalidDefinition: they make no sense.
    """
    try:
        return Limits(timeout_s, memory_mb, isolate)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"asset {str(key)!r}: {error.reason}", where=where, asset=str(key)) from error


def pool_problem(pool: object) -> str | None:
    """Say why something cannot be the name of a pool; none: it can."""
    if pool is None or (isinstance(pool, str) and _POOL.fullmatch(pool)):
        return None
    return f"pool must be a name of letters, digits, dashes and underscores, not {pool!r}"
