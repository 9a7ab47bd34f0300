"""No more tickets are held than fit, the order is kept, and what the dead have left gives way."""

import datetime as dt
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from deltaworks.io.ledger import write_run
from deltaworks.io.process import Process
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.tickets import FOLDER, Line, Ticket

NOW = dt.datetime.now(dt.UTC).isoformat()


def begin(lake, run_id: str, **facts) -> Ticket:
    """Write the entry of a run of this process, and return a ticket of it."""
    here = Process.current()
    entry = RunEntry(
        run_id, RunStatus.RUNNING, "x", NOW, heartbeat_at=NOW, host=here.host, pid=here.pid, born=here.born
    )
    entry = replace(entry, **facts)
    write_run(lake.store, entry)
    return Ticket(run_id, run_id, NOW, str(entry.process), asked_at=run_id)


def one(others) -> bool:
    return not others


def test_the_second_waits_until_the_first_leaves(lake):
    line, first, second = Line(lake.store, "x"), begin(lake, "a"), begin(lake, "b")

    assert line.ask(first, one)
    assert not line.ask(second, one)
    assert line.holders(second) == ["a"]
    line.leave(first)
    assert line.ask(second, one)
    line.leave(second)

    assert list(lake.store.list(f"{FOLDER}/x")) == []


def test_who_asked_first_goes_first_and_who_is_urgent_before_that(lake):
    line, holder = Line(lake.store, "x"), begin(lake, "a")
    first, second, urgent = begin(lake, "b"), begin(lake, "c"), replace(begin(lake, "d"), priority=1)
    assert line.ask(holder, one)
    assert not any(line.ask(each, one) for each in (first, second, urgent))

    line.leave(holder)

    assert [line.ask(each, one) for each in (second, first, urgent)] == [False, False, True]
    line.leave(urgent)
    assert [line.ask(each, one) for each in (second, first)] == [False, True]


@pytest.mark.parametrize("limit", [1, 3])
def test_of_many_that_ask_at_once_never_more_than_fit_hold_one(lake, limit):
    held, most, lock = 0, 0, threading.Lock()
    start = threading.Barrier(8)

    def work(number: int) -> None:
        nonlocal held, most
        line = Line(lake.store, "x")
        ticket = begin(lake, f"r{number}")
        start.wait()
        for turn in range(3):
            mine = replace(ticket, name=f"r{number}-{turn}")
            while not line.ask(mine, lambda others: len(others) < limit):
                pass
            with lock:
                held += 1
                most = max(most, held)
            with lock:
                held -= 1
            line.leave(mine)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    assert most <= limit
    assert list(lake.store.list(f"{FOLDER}/x")) == []


def test_the_ticket_of_a_run_that_has_ended_or_died_gives_way_at_once(lake):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    line, mine = Line(lake.store, "x"), begin(lake, "z")
    ended, retried = {"status": RunStatus.FAILURE}, {"pid": 1}
    for run_id, facts, then in (("a", {}, ended), ("b", {}, retried), ("c", {"pid": child.pid, "born": None}, {})):
        left = begin(lake, run_id, **facts)
        assert line.ask(left, one)
        begin(lake, run_id, **facts, **then)

        assert line.ask(mine, one)
        line.leave(mine)


def test_a_run_elsewhere_must_be_silent_for_a_while(lake):
    now_s = 1000.0
    line = Line(lake.store, "x", clock_s=lambda: now_s)
    far, mine = begin(lake, "far", host="elsewhere"), begin(lake, "z")
    assert line.ask(far, one)
    assert not line.ask(mine, one)

    now_s += 25
    begin(lake, "far", host="elsewhere", heartbeat_at="2020-01-01T00:00:00+00:00")
    assert not line.ask(mine, one), "whatever its clock says, it has given a sign of life"
    now_s += 29
    assert not line.ask(mine, one)
    now_s += 2
    assert line.ask(mine, one)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null"])
def test_a_ticket_that_cannot_be_read_is_nobodys(lake, content):
    lake.store.put(f"{FOLDER}/x/broken.json", content)

    assert Line(lake.store, "x").ask(begin(lake, "a"), one)


def test_a_ticket_that_somebody_deletes_is_put_again(lake):
    line, first, second = Line(lake.store, "x"), begin(lake, "a"), begin(lake, "b")
    assert line.ask(first, one)
    assert not line.ask(second, one)
    for path in list(lake.store.list(f"{FOLDER}/x")):
        lake.store.delete(path)

    assert line.ask(second, one)
    line.leave(first)
