"""Heartbeats: which daemons run on a lake, and when others have run.

A daemon writes `_deltaworks/ledger/daemons/<daemon id>.json` every few seconds. Whether another one lives is told by
its process, if that is on the same machine, or by whether its heartbeat changes, on one's own clock that nobody turns.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace

from deltaworks.io.process import Process
from deltaworks.io.silence import Silence, silence_since
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.together import together

FOLDER = f"{ENGINE_FOLDER}/ledger/daemons"

BEAT_S = 5.0
"""How often a daemon writes its heartbeat."""

LEASE_S = 20.0
"""A daemon whose heartbeat has not changed for so long is taken for dead, and its ticks are taken over."""

_KEPT = 20
"""How many heartbeats of daemons that have ended are kept."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a daemon says of itself."""

    daemon_id: str
    host: str
    pid: int
    started_at: str
    beaten_at: str
    """By the clock on its wall."""
    count: int = 0
    """Of its heartbeats: each is another one, whatever its clock shows."""
    born: str | None = None
    """See `Process`."""
    stopped_at: str | None = None
    """When it said that it ends; none: it runs, or died."""
    facts: Mapping[str, int | float | str | None] = field(default_factory=dict[str, "int | float | str | None"])
    """How it is: what it watches, runs and waits for."""
    watched: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict[str, Sequence[Sequence[str]]])
    """By schedule: from when to when it was watched, by the clock on the wall."""
    silence: Silence | None = field(default=None, compare=False)
    """For how long it has not beaten, if it runs on another machine; it is not written."""

    @property
    def process(self) -> Process:
        """The daemon's process."""
        return Process(self.host, self.pid, self.born)

    @property
    def is_gone(self) -> bool:
        """Whether it said that it ends, or its process is seen to have ended."""
        return self.stopped_at is not None or self.process.is_gone()

    def silent_s(self, now: dt.datetime) -> float:
        """Return for how long it has not beaten."""
        if self.silence is not None:
            return self.silence.seconds
        return (now - dt.datetime.fromisoformat(self.beaten_at)).total_seconds()

    def up(self, name: str) -> list[tuple[dt.datetime, dt.datetime]]:
        """Return from when to when it has watched a schedule, as far as this tells."""
        instant = dt.datetime.fromisoformat
        return [(instant(start), instant(end)) for start, end in self.watched.get(name, ())]


def write_heartbeat(store: Store, beat: Heartbeat) -> None:
    """Write a heartbeat in place of the one before.

    Raises:
        StorageError: the lake cannot be written.
    """
    document = {name: value for name, value in asdict(beat).items() if name != "silence"}
    store.put(f"{FOLDER}/{beat.daemon_id}.json", json.dumps(document, indent=1).encode())


def read_heartbeats(store: Store, ended: dict[str, Heartbeat] | None = None) -> list[Heartbeat]:
    """Return the last heartbeat of every daemon that is known, the latest first; what cannot be read is left out.

    Args:
        store: the lake.
        ended: those of daemons that said that they end, by path, if they were read before: nothing comes after them, so
            they are not read again. It is added to.

    Cost: a listing, and a read a daemon.

    Raises:
        StorageError: the lake cannot be read.
    """
    known = {} if ended is None else ended
    files = [file for file in store.files(FOLDER) if file.path.endswith(".json")]
    beats_there = together(store, lambda file: known.get(file.path) or _read(store.read(file.path)), files)
    found = list(zip(files, beats_there, strict=True))
    known.update((file.path, beat) for file, beat in found if beat is not None and beat.stopped_at is not None)
    beats = (
        beat if beat.is_gone else replace(beat, silence=silence_since(store, file.modified_at, beat.process))
        for file, beat in found
        if beat is not None
    )
    return sorted(beats, key=lambda beat: beat.beaten_at, reverse=True)


def forget_heartbeats(store: Store) -> None:
    """Delete the heartbeats of daemons that have ended, but for the latest ones.

    Raises:
        StorageError: the lake cannot be written.
    """
    for beat in [beat for beat in read_heartbeats(store) if beat.is_gone][_KEPT:]:
        store.delete(f"{FOLDER}/{beat.daemon_id}.json")


def _read(content: bytes | None) -> Heartbeat | None:
    try:
        document = json.loads(content or b"")
        known = {each.name for each in fields(Heartbeat)} - {"silence"}
        beat = Heartbeat(**{name: value for name, value in document.items() if name in known})
        _ = dt.datetime.fromisoformat(beat.beaten_at), [beat.up(name) for name in beat.watched]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return beat
