"""Bundle: tasks that go to a worker together, since by what such ones took before each of them takes but a moment.

A task costs Dask about a millisecond, whatever it does. A bundle costs it that once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import groupby
from operator import attrgetter
from typing import Final, Generic, TypeAlias

from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.execution.workers.executor import P
from deltaworks.errors import DeltaworksError

MOMENT_S: Final = 0.02
"""How long a bundle may take: much longer than it travels, and so short that nobody waits for its end."""

MOST: Final = 32
"""How many tasks a bundle holds at most."""


@dataclass(frozen=True, slots=True)
class Load:
    """A task as a worker gets it."""

    key: str
    """No other task of any run has it, and none that was sent again."""
    where: str
    limits: Limits
    content: bytes
    """The task, pickled."""


class Unbegun(Enum):
    """Why a worker has not begun with a task of a bundle."""

    TAKEN_BACK = auto()
    PUT_OFF = auto()
    """Those before it took longer than bundles may."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """A worker cannot carry out any task of the run."""

    worker: str
    """Its address."""
    reason: str


Answer: TypeAlias = bytes | DeltaworksError | Unbegun | Unfit
"""What a worker says of a task: its outcome, pickled; what ended the call; or why there was none."""


@dataclass(frozen=True, slots=True)
class Sent(Generic[P]):
    """A task that has no outcome yet."""

    task: P
    load: Load
    kind: str
    """The asset or op."""
    resources: tuple[tuple[str, float], ...]
    """What its worker must offer."""

    @property
    def key(self) -> str:
        """What workers know it by."""
        return self.load.key


class Sizes:
    """How many tasks of a kind go together, by what those took that are back."""

    def __init__(self) -> None:
        """Know of none: each goes alone until one of its kind is back."""
        self._took_s: dict[str, float] = {}
        self._alone: set[str] = set()

    def of(self, kind: str) -> int:
        """Return how many of a kind go together at most."""
        took_s = self._took_s.get(kind)
        if took_s is None or kind in self._alone:
            return 1
        return MOST if took_s * MOST <= MOMENT_S else max(1, int(MOMENT_S / took_s))

    def note(self, kind: str, took_s: float) -> None:
        """Note how long one took: what is slower counts at once, what is faster little by little."""
        before_s = self._took_s.get(kind, took_s)
        self._took_s[kind] = max(took_s, before_s + (took_s - before_s) / 4)

    def keep_apart(self, kinds: Iterable[str]) -> None:
        """Let those go alone from now on whose worker was lost: any of them may be why."""
        self._alone.update(kinds)

    def bundles(self, sent: Sequence[Sent[P]], share: int) -> Iterator[Sequence[Sent[P]]]:
        """Yield tasks of the same kind and needs that go together.

        Args:
            sent: all that are to go, in their order.
            share: how many in one bundle leave something to do for every thread.
        """
        for (kind, _), group in groupby(sent, key=attrgetter("kind", "resources")):
            alike, size = list(group), max(1, min(self.of(kind), share))
            for first in range(0, len(alike), size):
                yield alike[first : first + size]
