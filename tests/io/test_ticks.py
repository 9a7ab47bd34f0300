"""A tick is decided once, whoever else is at it; what it asks for is known before anything starts."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from deltaworks.errors import StorageError
from deltaworks.io.marks import Mark, advance_mark, next_id, read_mark
from deltaworks.io.process import Process
from deltaworks.io.run_keys import own_run_key
from deltaworks.io.switches import read_switch, set_switch
from deltaworks.io.ticks import (
    AskedRun,
    TickClaim,
    TickEntry,
    TickKind,
    TickOutcome,
    claim_tick,
    close_tick,
    decide_tick,
    instant_id,
    instant_of,
    leave_tick,
    note_tick,
    number_id,
    open_ticks,
    read_tick,
    read_ticks,
    tick_run_id,
)

SIX = dt.datetime(2026, 1, 2, 6, 0, tzinfo=dt.UTC)
TICK = instant_id(SIX)


def claim(number: int = 1, daemon: str = "d1", tick_id: str = TICK) -> TickClaim:
    return TickClaim("morning", tick_id, TickKind.SCHEDULE, number, daemon, Process.current())


def entry(**changes) -> TickEntry:
    at = SIX.isoformat()
    asked = (AskedRun("r1", "daily", "2026-01-01", "k", {"n": 1}, {"team": "ops"}),)
    made = TickEntry("morning", TickKind.SCHEDULE, TICK, at, at, TickOutcome.REQUESTED, at, requests=asked)
    return replace(made, **changes)


def test_of_many_that_decide_a_tick_at_once_one_does_and_all_know_its_decision(lake):
    barrier = Barrier(8)

    def decide(number: int) -> TickEntry:
        barrier.wait()
        return decide_tick(lake.store, entry(requests=(AskedRun(f"r{number}", "daily"),)))

    with ThreadPoolExecutor(8) as pool:
        decided = list(pool.map(decide, range(8)))

    assert len({each.requests[0].run_id for each in decided}) == 1
    assert read_tick(lake.store, "morning", TICK) == decided[0]


def test_a_decision_is_read_as_it_was_written(lake):
    full = entry(new_keys={"regions": ("us", "é/☃")}, cursor="17", attempt=3, is_catchup=True)

    decide_tick(lake.store, full)

    assert read_tick(lake.store, "morning", TICK) == full


def test_an_attempt_has_one_owner_and_the_last_one_counts(lake):
    assert claim_tick(lake.store, claim())
    assert not claim_tick(lake.store, claim(daemon="d2"))
    assert claim_tick(lake.store, claim(2, "d2"))
    assert claim_tick(lake.store, claim(tick_id=instant_id(SIX + dt.timedelta(days=1))))

    (first, second) = open_ticks(lake.store)

    assert first == claim(2, "d2")
    assert second.tick_id == "2026-01-03T0600Z"
    close_tick(lake.store, "morning", TICK)
    assert open_ticks(lake.store) == [second]
    assert not lake.store.exists(f"_deltaworks/claims/ticks/morning/{TICK}")


def test_the_ten_thousandth_claim_is_the_last_one(lake):
    for number in (9_999, 10_000):
        claim_tick(lake.store, claim(number))

    assert [each.number for each in open_ticks(lake.store)] == [10_000]


def test_a_tick_that_is_left_is_nobodys_until_somebody_claims_it(lake):
    claim_tick(lake.store, replace(claim(), failed=2))

    leave_tick(lake.store, "morning", TICK)

    assert open_ticks(lake.store) == [replace(claim(2, ""), process=None, failed=2)]
    assert claim_tick(lake.store, claim(3, "d2"))
    assert not claim_tick(lake.store, claim(3))


def test_a_claim_that_cannot_be_read_is_nobodys(lake):
    lake.store.put(f"_deltaworks/claims/ticks/eager/{number_id(7)}/0001.json", b"{")

    (found,) = open_ticks(lake.store)

    assert (found.kind, found.number, found.daemon_id, found.process) == ("sensor", 1, "somebody unknown", None)


def test_a_failed_attempt_is_no_decision(lake):
    failed = entry(requests=(), outcome=TickOutcome.FAILED, error="boom", is_decided=False, retry_at=SIX.isoformat())
    note_tick(lake.store, failed)

    assert read_tick(lake.store, "morning", TICK) is None
    assert read_ticks(lake.store, "morning") == [failed]
    assert read_ticks(lake.store, "morning") == [failed]
    decided = decide_tick(lake.store, entry(attempt=2))
    assert read_ticks(lake.store, "morning") == [decided]


def test_ticks_are_listed_the_latest_first(lake):
    for number in (9, 10, 1000, 2):
        decide_tick(lake.store, entry(name="eager", kind=TickKind.SENSOR, tick_id=number_id(number)))

    assert [int(each.tick_id) for each in read_ticks(lake.store, "eager", 3)] == [1000, 10, 9]
    assert read_ticks(lake.store, "unknown") == []


def test_a_damaged_tick_is_told_with_what_to_do(lake):
    decide_tick(lake.store, entry())
    (path,) = lake.store.list("_deltaworks/ledger/ticks")
    lake.store.put(path, b'{"name": "morning"')

    with pytest.raises(StorageError, match=r"2026-01-02T0600Z\.json is damaged .* delete it: only this tick's history"):
        read_tick(lake.store, "morning", TICK)


def test_a_mark_never_moves_back(lake):
    assert read_mark(lake.store, "eager", TickKind.SENSOR) is None
    assert next_id(None) == number_id(1)
    for number, cursor in ((1, "a"), (12, "c"), (2, "b")):
        advance_mark(lake.store, "eager", Mark(number_id(number), cursor))

    assert read_mark(lake.store, "eager", TickKind.SENSOR) == Mark(number_id(12), "c")
    assert next_id(read_mark(lake.store, "eager", TickKind.SENSOR)) == number_id(13)
    assert len(list(lake.store.list("_deltaworks/state/ticks"))) == 1


@pytest.mark.parametrize(
    ("tick_id", "kind"),
    [(TICK, TickKind.SENSOR), (number_id(12), TickKind.SCHEDULE), ("2026-13-01T0600Z", TickKind.SCHEDULE)],
)
def test_a_mark_of_the_other_kind_is_none(lake, tick_id, kind):
    advance_mark(lake.store, "eager", Mark(tick_id, "c"))

    told = f"{tick_id}.json says how far something else named 'eager' was, and no {kind}; give the {kind} another name"
    with pytest.raises(StorageError, match=told):
        read_mark(lake.store, "eager", kind)


def test_a_daemon_that_wakes_up_between_the_looks_of_others_moves_no_mark_back(lake):
    advance_mark(lake.store, "eager", Mark(number_id(12), "c"))

    lake.store.put_new(f"_deltaworks/state/ticks/eager/{number_id(3)}.json", b'{"cursor": "old"}')

    assert read_mark(lake.store, "eager", TickKind.SENSOR) == Mark(number_id(12), "c")


def test_a_run_key_is_of_the_first_tick_that_asks_for_ever(lake):
    assert own_run_key(lake.store, "eager", "file/a b.csv", number_id(3)) == number_id(3)
    assert own_run_key(lake.store, "eager", "file/a b.csv", number_id(3)) == number_id(3)
    assert own_run_key(lake.store, "eager", "file/a b.csv", number_id(4)) == number_id(3)
    assert own_run_key(lake.store, "another", "file/a b.csv", number_id(4)) == number_id(4)


def test_run_ids_are_told_by_name_tick_and_run_key():
    given = [("a", TICK, "k", 0), ("b", TICK, "k", 0), ("a", "x", "k", 0), ("a", TICK, "l", 0), ("a", TICK, None, 0)]

    ids = [tick_run_id(name, tick_id, SIX, key, place) for name, tick_id, key, place in given]

    assert len(set(ids)) == len(given)
    assert tick_run_id("a", TICK, SIX, "k", 5) == ids[0]
    assert tick_run_id("a", TICK, SIX, None, 1) not in ids
    assert ids[0].startswith("20260102T060000-")


def test_an_instant_is_told_by_its_id():
    chicago = dt.timezone(dt.timedelta(hours=-6))

    assert instant_id(dt.datetime(2026, 1, 2, 0, 0, tzinfo=chicago)) == TICK
    assert instant_of(TICK) == SIX


def test_a_switch_says_what_was_said_last(lake):
    assert read_switch(lake.store, "morning") is None
    set_switch(lake.store, "morning", is_on=False, by="ann", at=SIX)
    set_switch(lake.store, "morning", is_on=True, by="bob", at=SIX)

    switch = read_switch(lake.store, "morning")

    assert switch is not None
    assert (switch.is_on, switch.by) == (True, "bob")
