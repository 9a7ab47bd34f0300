"""Silence: for how long a process on another machine has written nothing, whatever its clock and one's own show.

The clocks of machines may differ by minutes, so only the store's own counts: when an object was written, and what the
store's clock shows now. The latter is asked by writing an object; who may not write goes by the clock on the wall.
"""

from __future__ import annotations

import datetime as dt
import time
import uuid
from dataclasses import dataclass
from functools import lru_cache

from deltaworks.errors import StorageError
from deltaworks.io.process import Process
from deltaworks.io.store import ENGINE_FOLDER, Store

CLOCK_FOLDER = f"{ENGINE_FOLDER}/claims/clock"
"""Where objects are put and deleted again by which the store is asked for the time."""

_ASKED_AGAIN_S = 300.0
"""How often one process asks for the time: clocks drift by less than a millisecond in a minute."""


@dataclass(frozen=True, slots=True)
class Silence:
    """How old an object was when it was read; as long as nobody has written it since, it goes on."""

    at_first_s: float
    read_at_s: float
    """By the clock of this process that nobody turns."""

    @property
    def seconds(self) -> float:
        """How long it has lasted by now."""
        return self.at_first_s + time.monotonic() - self.read_at_s


def silence_of(store: Store, path: str, process: Process | None) -> Silence | None:
    """Return for how long an object of a process has not been written; none: it is this machine's, or is gone.

    A process of this machine has the same clock on the wall.

    Cost: a look at the object, and now and then what it takes to ask the store for the time.

    Raises:
        StorageError: the lake cannot be read.
    """
    if process is None or process.host == Process.current().host:
        return None
    written_at = store.modified_at(path)
    return None if written_at is None else silence_since(store, written_at, process)


def silence_since(store: Store, written_at: dt.datetime, process: Process) -> Silence | None:
    """Return for how long an object of a process has not been written of which it is known when it was.

    Cost: now and then what it takes to ask the store for the time, if the process is on another machine.
    """
    if process.host == Process.current().host:
        return None
    now = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=_ahead_s(store, int(time.monotonic() // _ASKED_AGAIN_S)))
    return Silence((now - written_at).total_seconds(), time.monotonic())


@lru_cache(maxsize=16)
def _ahead_s(store: Store, period: int) -> float:  # noqa: ARG001 - asked anew in each period
    """Return by how much the store's clock is ahead of the one on the wall; 0 if it cannot be asked."""
    path = f"{CLOCK_FOLDER}/{uuid.uuid4().hex}"
    try:
        store.put(path, b"")
        shown = store.modified_at(path)
        store.delete(path)
    except StorageError:
        return 0.0
    return 0.0 if shown is None else (shown - dt.datetime.now(dt.UTC)).total_seconds()
