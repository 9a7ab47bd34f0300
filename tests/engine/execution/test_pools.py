"""Places in pools: a run has no more of them than it can use, and what waits for one is decided when there is one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from pathlib import Path

import pytest

from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.pools import Pools
from deltaworks.engine.execution.sharing import Sharing
from deltaworks.io.ledger import write_run
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.store import Store


class Calls:
    """Calls by name, `<pool>-<number>`, of which each pool's come in their order."""

    def __init__(self, *names: str) -> None:
        self.left = list(names)

    def take(self, closed: Collection[str]) -> str | None:
        found = next((name for name in self.left if pool_of(name) not in closed), None)
        if found is not None:
            self.left.remove(found)
        return found


def pool_of(name: str) -> str | None:
    pool = name.partition("-")[0]
    return None if pool == "none" else pool


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, durable=False)


def pools_of(store: Store, limit: int, entry: RunEntry | None = None) -> Pools[str]:
    """The pools of a run of this process; none: a new one."""
    entry = entry or begin_entry("a test", dt.datetime.now(dt.UTC))
    write_run(store, entry)
    sharing = Sharing(pools={"sea": limit, "sky": limit})
    return Pools(store, entry, sharing, pool_of, ("sea", "sky"))


def places(store: Store) -> int:
    return len(list(store.list("_deltaworks/claims/pools")))


def test_a_call_that_would_not_begin_at_once_takes_no_place(store: Store) -> None:
    pools, calls = pools_of(store, limit=9), Calls("sea-1", "sky-1", "sea-2", "none-1")

    taken = [pools.take(calls.take, begins=begins) for begins in (True, False, False, True)]

    assert taken == ["sea-1", "none-1", None, "sky-1"]
    assert places(store) == 2
    assert pools.want_worker
    assert pools.take(calls.take, begins=True) == "sea-2"
    assert not pools.want_worker


def test_parts_of_a_run_that_different_processes_carry_out_share_the_places(store: Store) -> None:
    entry = begin_entry("a test", dt.datetime.now(dt.UTC))
    first, second = (pools_of(store, limit=1, entry=entry) for _ in range(2))

    assert first.take(Calls("sea-1").take, begins=True) == "sea-1"
    assert second.take(Calls("sea-2").take, begins=True) is None


def test_calls_of_a_pool_without_room_stay_undecided_but_for_the_first(store: Store) -> None:
    other, pools = pools_of(store, limit=1), pools_of(store, limit=1)
    calls = Calls("sea-1", "sea-2", "sea-3", "sky-1", "none-1")
    other.take(Calls("sea-0").take, begins=True)

    taken = [pools.take(calls.take, begins=True) for _ in range(3)]

    assert taken == ["sky-1", "none-1", None]
    assert calls.left == ["sea-2", "sea-3"]
    assert pools.hold_any


def test_a_run_that_begins_nothing_more_waits_for_no_place(store: Store) -> None:
    other, pools = pools_of(store, limit=1), pools_of(store, limit=1)
    other.take(Calls("sea-0").take, begins=True)
    assert pools.take(Calls("sea-1").take, begins=True) is None
    assert places(store) == 2

    assert pools.withdraw() == ["sea-1"]

    assert places(store) == 1
    assert not pools.hold_any
    other.close()
    assert places(store) == 0
