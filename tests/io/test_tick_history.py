"""What ticks of long ago have left goes, and nothing that was decided is decided again."""

import datetime as dt
import json
import os
from dataclasses import replace

import pytest

from deltaworks.io.heartbeats import FOLDER as HEARTBEATS
from deltaworks.io.heartbeats import Heartbeat, write_heartbeat
from deltaworks.io.marks import Mark, advance_mark
from deltaworks.io.run_keys import FOLDER, find_foldable_keys, fold_keys, own_run_key
from deltaworks.io.tick_history import (
    KEPT_TICKS,
    drop_folders_of_ticks,
    find_old_claims,
    find_old_heartbeats,
    find_old_ticks,
)
from deltaworks.io.ticks import (
    CLAIMS,
    LEDGER,
    TickClaim,
    TickEntry,
    TickKind,
    TickOutcome,
    claim_tick,
    decide_tick,
    note_tick,
    number_id,
    open_ticks,
    read_ticks,
)
from tests.exactness.failing_store import Crash, FailingStore, Moment, Trigger

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
BEFORE = NOW - dt.timedelta(days=30)


def entry(number: int) -> TickEntry:
    at = NOW.isoformat()
    return TickEntry("eager", TickKind.SENSOR, number_id(number), at, at, TickOutcome.SKIPPED)


def claim(number: int) -> TickClaim:
    return TickClaim("eager", number_id(number), TickKind.SENSOR, 1, "d1", None)


def age(lake, *folders, days=40):
    """Let all that lies in some folders be written so long ago."""
    at = (NOW - dt.timedelta(days=days)).timestamp()
    for path in (path for folder in folders for path in lake.store.list(folder)):
        os.utime(lake.store.root / path, (at, at))


def test_ticks_of_long_ago_go_but_for_the_latest_and_those_that_are_open(lake):
    for number in range(1, KEPT_TICKS + 5):
        decide_tick(lake.store, entry(number))
    note_tick(lake.store, replace(entry(1), is_decided=False))
    claim_tick(lake.store, claim(2))
    advance_mark(lake.store, "eager", Mark(number_id(KEPT_TICKS + 4)))
    assert list(find_old_ticks(lake.store, BEFORE)) == []
    age(lake, LEDGER)

    old = list(find_old_ticks(lake.store, BEFORE))

    assert sorted(file.name for file in old) == [
        f"{number_id(1)}.json",
        f"{number_id(1)}.note.json",
        f"{number_id(3)}.json",
        f"{number_id(4)}.json",
    ]
    for file in old:
        lake.store.delete(file.path)
    drop_folders_of_ticks(lake.store, old)
    assert len(read_ticks(lake.store, "eager")) == KEPT_TICKS + 1


def test_ticks_that_no_mark_is_past_stay(lake):
    for number in range(1, KEPT_TICKS + 5):
        decide_tick(lake.store, entry(number))
    age(lake, LEDGER)
    assert list(find_old_ticks(lake.store, BEFORE)) == []

    advance_mark(lake.store, "eager", Mark(number_id(2)))

    assert [file.name for file in find_old_ticks(lake.store, BEFORE)] == [f"{number_id(1)}.json"]


def test_claims_and_heartbeats_of_long_ago_go_and_those_of_who_is_at_it_stay(lake):
    for number in (1, 2):
        claim_tick(lake.store, claim(number))
        lake.store.put(f"{CLAIMS}/eager/{number_id(number)}/r1/0001.json", b"{}")
    for name in ("old", "new"):
        write_heartbeat(lake.store, Heartbeat(name, "h", 1, NOW.isoformat(), NOW.isoformat()))
    age(lake, CLAIMS, HEARTBEATS)
    age(lake, f"{CLAIMS}/eager/{number_id(2)}/r1", days=1)
    os.utime(lake.store.root / HEARTBEATS / "new.json", (NOW.timestamp(), NOW.timestamp()))

    old = list(find_old_claims(lake.store, BEFORE))

    assert [file.name for file in find_old_heartbeats(lake.store, BEFORE)] == ["old.json"]
    for file in old:
        lake.store.delete(file.path)
    drop_folders_of_ticks(lake.store, old)
    assert [each.tick_id for each in open_ticks(lake.store)] == [number_id(2)]
    assert lake.store.names(f"{CLAIMS}/eager") == [number_id(2)]


def fill(lake) -> None:
    """Give a run key to a tick of long ago, and as many to others as are worth a fold with it."""
    assert own_run_key(lake.store, "eager", "key", "t1") == "t1"
    (path,) = lake.store.list(FOLDER)
    start = path.removesuffix(".json")[:-30]
    for number in range(20):
        lake.store.put(f"{start}{number:030x}.json", json.dumps({"tick_id": "t1"}).encode())
    age(lake, FOLDER)


def test_a_run_key_is_of_its_first_tick_when_it_is_folded_too(lake):
    fill(lake)
    assert own_run_key(lake.store, "eager", "another", "t2") == "t2"

    fold_keys(lake.store, find_foldable_keys(lake.store, BEFORE))

    assert len(list(lake.store.list(FOLDER))) == 2
    assert [own_run_key(lake.store, "eager", key, "t3") for key in ("key", "another")] == ["t1", "t2"]
    assert len(list(lake.store.list(FOLDER))) == 2
    assert find_foldable_keys(lake.store, BEFORE) == {}


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize(("method", "call"), [("put", 1), ("delete", 1), ("delete", 7)])
def test_a_crash_while_keys_are_folded_frees_none(lake, method, call, moment):
    fill(lake)
    store = FailingStore(lake.store.root, False, Trigger(method, call, moment))

    with pytest.raises(Crash):
        fold_keys(store, find_foldable_keys(store, BEFORE))

    assert own_run_key(lake.store, "eager", "key", "t2") == "t1"
