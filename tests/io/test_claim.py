"""One holder at a time, and a dead one gives way: at once where it is surely dead, else later."""

import datetime as dt
import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from deltaworks.errors import ClaimHeld
from deltaworks.io.claim import STALE_AFTER, claimed, stale_claims
from deltaworks.io.process import Process

PATH = "_deltaworks/claims/maintain.json"


@pytest.fixture
def dead() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def leave_behind(lake, pid: int, *, host: str | None = None, hours_ago: float = 2, born: str | None = None) -> None:
    who = {"purpose": "deltaworks maintain", "host": host or socket.gethostname(), "pid": pid, "nonce": "x"}
    if born is not None:
        who["born"] = born
    lake.store.put(PATH, json.dumps(who).encode())
    then = time.time() - hours_ago * 3600
    os.utime(lake.store.root / PATH, (then, then))


def test_a_second_holder_is_refused_until_the_first_is_done(lake):
    with (
        claimed(lake.store, "maintain", "deltaworks maintain") as claim,
        pytest.raises(ClaimHeld, match=rf"maintain\.json is held by deltaworks maintain \(process {os.getpid()} on"),
        claimed(lake.store, "maintain", "deltaworks rollback"),
    ):
        pass

    assert claim.taken_over_from is None
    with claimed(lake.store, "maintain", "deltaworks rollback"):
        assert lake.store.exists(PATH)
    assert not lake.store.exists(PATH)


def test_the_claim_of_a_dead_process_is_taken_over_and_said(lake, dead):
    leave_behind(lake, dead)

    with claimed(lake.store, "maintain", "x") as claim:
        assert claim.taken_over_from == f"deltaworks maintain (process {dead} on {socket.gethostname()})"

    assert list(lake.store.list("_deltaworks/claims")) == []


def test_a_dead_process_that_claimed_lately_is_waited_for(lake, dead):
    leave_behind(lake, dead, hours_ago=0.9 * STALE_AFTER.total_seconds() / 3600)

    with pytest.raises(ClaimHeld, match=r"which is gone: it is taken over after \d\d:\d\d UTC; .* delete it"):
        claimed(lake.store, "maintain", "x").__enter__()

    assert list(lake.store.list("_deltaworks/claims")) == [PATH]


def test_a_process_that_is_surely_dead_is_not_waited_for(lake, dead):
    sight = (Process.current().born or "").rpartition(" ")[0]
    if not sight:
        pytest.skip("this system does not tell a process from others that had its id")
    leave_behind(lake, dead, hours_ago=0, born=f"{sight} 1")

    with claimed(lake.store, "maintain", "x") as claim:
        assert claim.taken_over_from == f"deltaworks maintain (process {dead} on {socket.gethostname()})"


@pytest.mark.parametrize("host", ["elsewhere", None])
def test_a_process_that_lives_or_cannot_be_seen_keeps_its_claim(lake, dead, host):
    leave_behind(lake, dead if host else os.getppid(), host=host)

    with pytest.raises(ClaimHeld, match="wait for the end; if its process is gone, delete it"):
        claimed(lake.store, "maintain", "x").__enter__()


def test_a_process_elsewhere_that_is_at_it_for_longer_than_a_day_has_died(lake):
    leave_behind(lake, 7, host="a-pod-of-yesterday", hours_ago=25)

    with claimed(lake.store, "maintain", "x") as claim:
        assert claim.taken_over_from == "deltaworks maintain (process 7 on a-pod-of-yesterday)"

    assert list(lake.store.list("_deltaworks/claims")) == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{}"])
def test_a_claim_that_cannot_be_read_is_held_by_somebody(lake, content):
    lake.store.put(PATH, content)

    with pytest.raises(ClaimHeld, match="held by somebody unknown"):
        claimed(lake.store, "maintain", "x").__enter__()


@pytest.mark.parametrize("leaves_one", [False, True])
def test_of_many_that_start_at_once_exactly_one_gets_it(lake, dead, leaves_one):
    if leaves_one:
        leave_behind(lake, dead)
    start, end = Barrier(8), Barrier(8)

    def attempt(_: int) -> bool:
        start.wait()
        try:
            with claimed(lake.store, "maintain", "x"):
                end.wait()
                return True
        except ClaimHeld:
            end.wait()
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attempt, range(8))) == [False] * 7 + [True]


def test_doctor_tells_of_claims_and_of_nothing_else_that_lies_there(lake, dead):
    leave_behind(lake, dead)
    lake.store.put("_deltaworks/claims/ticks/s/t/0001.json", lake.store.read(PATH))

    assert [(claim.path, claim.is_dead) for claim in stale_claims(lake.store, dt.datetime.now(dt.UTC))] == [
        (PATH, True)
    ]


def test_a_failure_inside_releases_it(lake):
    with pytest.raises(KeyError), claimed(lake.store, "maintain", "x"):
        raise KeyError

    assert not lake.store.exists(PATH)
