"""Processes wait for runs as long as runs come, and so many run at once as may."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from deltaworks.engine.automation.launches import Launch
from deltaworks.engine.automation.run_pool import WARM_S, RunOrder, RunPool

SLEEPS = "import sys, time; sys.stdin.readline(); time.sleep(600)"


def order(run_id: str) -> RunOrder:
    return RunOrder(Launch("eager", "1", run_id, 1), (), {}, "2026-01-02")


@pytest.fixture
def pool() -> Iterator[RunPool]:
    pool = RunPool([sys.executable, "-I", "-S", "-c", SLEEPS], os.environ, most=2, warm=1)
    yield pool
    pool.close()
    pool.terminate()
    while not pool.is_idle:
        pool.poll()


def test_no_more_run_at_once_than_may(pool: RunPool) -> None:
    for run_id in ("r1", "r2", "r3"):
        pool.submit(order(run_id))

    pool.start(0.0)

    assert (pool.running, pool.queued) == ((order("r1"), order("r2")), (order("r3"),))
    assert (pool.has_queued("r2"), pool.has_queued("r3")) == (False, True)
    pool.terminate()
    while not pool.poll():
        pool.start(1.0)
    pool.start(1.0)
    assert order("r3") in pool.running


def test_a_pool_to_which_nothing_comes_keeps_no_process_and_wakes_up_again(pool: RunPool) -> None:
    waiting: list[int] = []
    for now_s in (0.0, WARM_S - 1, WARM_S + 1):
        pool.start(now_s)
        waiting.append(pool.waiting)
    pool.submit(order("r1"))

    pool.start(WARM_S + 2)

    assert waiting == [1, 1, 0]
    assert (pool.running, pool.waiting) == ((order("r1"),), 1)
