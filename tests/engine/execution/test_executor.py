"""What every executor promises a coordinator; a new executor joins by one more parameter."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import pytest

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.executor import Executor, ThreadExecutor
from deltaworks.engine.execution.task import Outcome, Task

MakeExecutor = Callable[[Callable[[Task], Outcome]], Executor]


@pytest.fixture(params=["threads"])
def make() -> MakeExecutor:
    return lambda work: ThreadExecutor(work, workers=2)


def task(number: int) -> Task:
    return Task("run", number, AssetKey("a"), 0, 2, {}, is_small=True)


def all_outcomes(executor: Executor, count: int) -> list[Outcome]:
    outcomes: list[Outcome] = []
    deadline = time.monotonic() + 20
    while len(outcomes) < count:
        assert time.monotonic() < deadline, f"{len(outcomes)} of {count} outcomes came"
        outcomes += executor.wait(timeout_s=0.1)
    return outcomes


def test_every_task_yields_one_outcome(make: MakeExecutor) -> None:
    executor = make(Outcome)

    for number in range(200):
        executor.submit(task(number))
    outcomes = all_outcomes(executor, 200)
    executor.close()

    assert sorted(outcome.task.number for outcome in outcomes) == list(range(200))


def test_tasks_run_side_by_side(make: MakeExecutor) -> None:
    both = threading.Barrier(2, timeout=10)

    def work(task: Task) -> Outcome:
        both.wait()
        return Outcome(task)

    executor = make(work)
    executor.submit(task(1))
    executor.submit(task(2))

    assert len(all_outcomes(executor, 2)) == 2
    executor.close()


@pytest.mark.parametrize("raised", [RuntimeError("boom"), SystemExit(3)])
def test_whatever_a_task_raises_becomes_the_failure_of_its_partitions(
    make: MakeExecutor, raised: BaseException
) -> None:
    def work(task: Task) -> Outcome:
        if task.number == 1:
            raise raised
        return Outcome(task)

    executor = make(work)
    executor.submit(task(1))
    executor.submit(task(2))
    outcomes = {outcome.task.number: outcome for outcome in all_outcomes(executor, 2)}
    executor.close()

    assert set(outcomes[1].failures) == {0, 1, 2}
    assert type(raised).__name__ in outcomes[1].failures[0]
    assert not outcomes[2].failures


def test_waiting_without_outcomes_ends_after_the_timeout(make: MakeExecutor) -> None:
    executor = make(Outcome)

    assert list(executor.wait(timeout_s=0.01)) == []
    executor.close()


def test_close_waits_for_what_is_running(make: MakeExecutor) -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(task: Task) -> Outcome:
        begun.set()
        time.sleep(0.2)
        ended.set()
        return Outcome(task)

    executor = make(work)
    executor.submit(task(1))
    assert begun.wait(10)
    executor.close()

    assert ended.is_set()
    assert "deltaworks" not in {thread.name.split("_")[0] for thread in threading.enumerate()}, sys.version
