"""Peers: which of the daemons on a lake live, as one of them sees it."""

from __future__ import annotations

from deltaworks.io.heartbeats import LEASE_S, Heartbeat, read_heartbeats
from deltaworks.io.process import Process
from deltaworks.io.store import Store


class Peers:
    """The daemons of a lake, judged by their processes and by whether their heartbeats change; never by their clocks.

    A wrong judgement costs work and changes nothing: what a tick asks for is decided once, and a run is begun once.
    """

    def __init__(self, store: Store, own_id: str, lease_s: float = LEASE_S) -> None:
        """Begin with nobody seen; who has been silent for the lease is taken for dead."""
        self._store, self._own_id, self._lease_s = store, own_id, lease_s
        self._seen: dict[str, tuple[int, float]] = {}
        """By daemon: the number of its last heartbeat, and when that was first seen; -1: there is none."""
        self._gone: set[str] = set()
        self._ended: dict[str, Heartbeat] = {}

    def look(self, running_s: float) -> None:
        """Read the heartbeats.

        Raises:
            StorageError: the lake cannot be read.
        """
        beats = read_heartbeats(self._store, self._ended)
        self._gone = {beat.daemon_id for beat in beats if beat.is_gone}
        for beat in beats:
            if self._seen.get(beat.daemon_id, (-1, 0.0))[0] != beat.count:
                self._seen[beat.daemon_id] = beat.count, running_s

    def is_alive(self, daemon_id: str, process: Process | None, running_s: float) -> bool:
        """Return whether a daemon lives, for all that is known."""
        if daemon_id == self._own_id:
            return True
        if daemon_id in self._gone or (process is not None and process.is_gone()):
            return False
        _, since_s = self._seen.setdefault(daemon_id, (-1, running_s))
        return running_s - since_s <= self._lease_s
