"""Parcel: a task as a process hands it on that does not look into it, and so needs not to know what it is made of."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.execution.workers.executor import guarded

EXECUTIONS: Final = 10**9
"""Executions of a task are numbers below this."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A pickled task."""

    where: str
    """What is called, for messages."""
    limits: Limits
    execution: int
    """Which one of several executions of the task that there may be."""
    content: bytes

    def opened(self) -> Any:
        """Return the task."""
        return pickle.loads(self.content).as_one(self.execution)  # noqa: S301 - the run's own coordinator packed it

    def failed(self, reason: str, error: BaseException) -> Reply:
        """Return the reply if it could not be carried out."""
        return Reply.of(self.opened().failed(reason, error))


@dataclass(frozen=True, slots=True)
class Reply:
    """A pickled outcome."""

    content: bytes
    took_s: float
    """How long it took to carry the task out."""

    @classmethod
    def of(cls, outcome: Any) -> Reply:
        """Return the reply that holds an outcome."""
        return cls(pickle.dumps(outcome), outcome.took_s)

    def masked(self, _masked: Callable[[str], str]) -> Reply:
        """Return it as it is: whoever opens it masks it."""
        return self


@dataclass(frozen=True, slots=True)
class Opening:
    """Makes what carries out parcels, of what makes what carries out tasks, pickled."""

    make: bytes

    def __call__(self) -> Callable[[Parcel], Reply]:
        """Load the project."""
        work: Callable[[Any], Any] = guarded(pickle.loads(self.make)())  # noqa: S301 - likewise

        def carry_out(parcel: Parcel) -> Reply:
            return Reply.of(work(parcel.opened()))

        return carry_out
