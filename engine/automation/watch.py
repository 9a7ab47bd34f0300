"""Watch: when a schedule or a sensor is due, seen from the daemon, which runs none of the project's code.

How schedules and sensors plug into the daemon:

- In the code location, which has the project loaded, each of them is described by a `Watched`: a plain value that
  pickles, without user code. `asking.described(definitions)` lists them.
- In the daemon, `Watched.watch(store)` makes a `Watch` of it. Its `due` is called every `POLL_S` while the schedule or
  sensor is on, and says which ticks are due, the oldest first. It must be cheap: one look at a clock, one look for a
  file name. A schedule compares clocks, a sensor its interval, an asset sensor looks for the next commit of a table.
- The daemon claims a due tick, lets the code location answer it (`asking.ask`, which calls the user's function and
  returns an `Evaluation`), records the decision, moves the mark, starts the runs, and tells the watch by `settled`. It
  tries again what failed. None of that is the watch's business; time limits, retries, claims and takeover neither.

A sensor's tick is numbered: `next_id(read_mark(store, name, kind))`, with the cursor of that mark. So two daemons that
see the same commit ask for the same tick, and one decision is made. An answer without requests, keys or a new cursor
takes no number: it is noted, and the same tick is due again when the watch says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from deltaworks.io.store import Store
from deltaworks.io.ticks import TickEntry, TickKind

POLL_S = 0.4
"""How often watches are asked."""

_FIRST_DELAY_S = 5.0
_LONGEST_DELAY_S = 300.0


def backoff_s(failures: int) -> float:
    """Return how long after so many failures in a row something is tried again."""
    return min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0 ** (min(failures, 10) - 1))


@dataclass(frozen=True, slots=True)
class Moment:
    """What two clocks show."""

    now: dt.datetime
    """The clock on the wall, in UTC; people and time servers turn it."""
    running_s: float
    """A clock that nobody turns, and that goes on while the machine sleeps; only differences mean something."""


@dataclass(frozen=True, slots=True)
class DueTick:
    """A tick that is due."""

    tick_id: str
    scheduled_at: dt.datetime
    """The instant that it stands for; of a sensor, now."""
    cursor: str | None = None
    """That of the mark before it."""
    is_catchup: bool = False
    """Whether it was due while no daemon ran."""


class Watch(Protocol):
    """Says when one schedule or sensor is due, in the daemon."""

    def due(self, moment: Moment) -> Sequence[DueTick]:
        """Return the ticks that are due and, as far as the watch knows, not decided; the oldest first.

        The daemon leaves out those that it is at, that wait to be tried again, and that others are at.

        Raises:
            StorageError: the lake cannot be read; the daemon tells it, and asks again later.
        """
        ...

    def settled(self, entry: TickEntry) -> None:
        """Hear what has come of a tick: it is decided, or noted as failed or as having found nothing."""
        ...


class Watched(Protocol):
    """What the daemon knows of a schedule or sensor; a value that pickles."""

    @property
    def name(self) -> str:
        """The name; no schedule and no sensor has the same."""
        ...

    @property
    def kind(self) -> TickKind:
        """What its ticks are."""
        ...

    @property
    def is_on(self) -> bool:
        """Whether it runs unless somebody stopped it."""
        ...

    @property
    def timeout_s(self) -> float:
        """How long its function may take."""
        ...

    @property
    def max_attempts(self) -> int | None:
        """How often a tick is tried before it counts as failed for good; none: until it is answered."""
        ...

    @property
    def looks_into_lake(self) -> bool:
        """Whether its watch looks into a store at each poll; in an object store that is a request."""
        ...

    def watch(self, store: Store) -> Watch:
        """Return what says when it is due."""
        ...
