"""Which daemons live is told by their heartbeats, of which none is read that says the last word of its daemon."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from deltaworks.engine.automation.peers import Peers
from deltaworks.io.heartbeats import Heartbeat, write_heartbeat
from deltaworks.io.store import Store

NOW = dt.datetime.now(dt.UTC).isoformat()


class ReadingStore(Store):
    """Notes what is read."""

    reads: list[str]

    def read(self, path: str) -> bytes | None:
        self.reads.append(path.rpartition("/")[2])
        return super().read(path)


def test_daemons_that_have_ended_are_read_once(tmp_path: Path) -> None:
    store = ReadingStore(tmp_path, durable=False)
    object.__setattr__(store, "reads", [])  # a store is frozen
    write_heartbeat(store, Heartbeat("lives", "elsewhere", 1, NOW, NOW))
    write_heartbeat(store, Heartbeat("ended", "elsewhere", 2, NOW, NOW, stopped_at=NOW))
    peers = Peers(store, "own")

    peers.look(0.0)
    peers.look(10.0)

    assert sorted(store.reads) == ["ended.json", "lives.json", "lives.json"]
    assert (peers.is_alive("ended", None, 10.0), peers.is_alive("lives", None, 10.0)) == (False, True)
