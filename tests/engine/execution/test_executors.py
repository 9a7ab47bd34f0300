"""What every executor promises a coordinator; a new executor joins by one more parameter."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from deltaworks.engine.execution.task import Outcome
from deltaworks.engine.execution.workers.executor import Executor
from tests.engine.execution import carried_out
from tests.engine.execution.carried_out import (
    RAISED,
    STEPS,
    AnyOutcome,
    AnyTask,
    Work,
    in_processes,
    on_threads,
    outcomes,
    reason_of,
    step,
    task,
    wait_until,
)
from tests.engine.execution.on_dask import on_dask

Make = Callable[[Work], Executor[AnyTask, AnyOutcome]]

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=[on_threads, in_processes, on_dask])
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.syspath_prepend(str(ROOT))  # where other processes find what tasks do
    chosen: Make = request.param
    return chosen


def test_every_task_yields_one_outcome(make: Make) -> None:
    executor = make(carried_out.do_nothing)

    for number in range(100):
        executor.submit(task(number))
        executor.submit(step(number))
    found = outcomes(executor, 200)
    executor.close()

    assert sorted(found) == [*range(100), *range(STEPS, STEPS + 100)]
    assert found[7].task == task(7)
    assert found[STEPS + 7].task == step(7)


def test_more_tasks_than_it_has_room_for_are_worth_submitting(make: Make) -> None:
    executor = make(carried_out.do_nothing)

    assert executor.capacity >= executor.workers == 2
    executor.close()


def test_tasks_run_side_by_side(make: Make, tmp_path: Path) -> None:
    executor = make(carried_out.meet)

    executor.submit(task(1, tmp_path))
    executor.submit(step(2, tmp_path))

    assert outcomes(executor, 2).keys() == {1, STEPS + 2}
    executor.close()


def test_whatever_a_task_raises_becomes_its_failure(make: Make) -> None:
    executor = make(carried_out.raise_by_number)

    for number in range(len(RAISED) + 1):
        executor.submit(task(number))
        executor.submit(step(number))
    found = outcomes(executor, 2 * (len(RAISED) + 1))
    executor.close()

    reasons = [
        "RuntimeError: boom",
        "SystemExit: 3",
        "KeyboardInterrupt",
        "Unpicklable: held",
        "Speechless: and it cannot say what happened",
        "ComputeError: not computed",
        "MemoryError",
    ]
    of_assets, of_ops = (
        [reason_of(found[first + number]) for number in range(len(RAISED) + 1)] for first in (0, STEPS)
    )
    assert of_assets == [*(f"a k0..k2: {reason}" for reason in reasons), "a whole sentence", None]
    assert of_ops == [*reasons, "a whole sentence", None], "of which step it is, stands before it anyway"
    for number in range(len(RAISED)):
        outcome = found[number]
        assert isinstance(outcome, Outcome)
        assert outcome.failures.keys() == {0, 1, 2}
        assert outcome.may_pass_later
        assert found[STEPS + number].may_pass_later


def test_policies_know_errors_by_their_classes_and_those_above(make: Make) -> None:
    executor = make(carried_out.raise_by_number)

    executor.submit(task(3))
    executor.submit(step(3))
    found = outcomes(executor, 2)
    executor.close()

    for outcome in found.values():
        assert {"Unpicklable", f"{carried_out.__name__}.Unpicklable", "Exception"} <= set(outcome.error_names)


def test_large_outcomes_come_whole(make: Make) -> None:
    executor = make(carried_out.say_much)

    for number in range(2):
        executor.submit(task(number))
    executor.submit(step(0))
    found = outcomes(executor, 3)
    executor.close()

    assert {len(reason_of(outcome) or "") for outcome in found.values()} == {20_000_000}


def test_waiting_without_outcomes_ends_after_the_timeout(make: Make) -> None:
    executor = make(carried_out.do_nothing)

    assert list(executor.wait(timeout_s=0.01)) == []
    executor.close()


def test_tasks_that_have_not_begun_are_taken_back(make: Make, tmp_path: Path) -> None:
    executor = make(carried_out.stay)
    for number in range(5):
        executor.submit((task if number % 2 else step)(number, tmp_path))
    wait_until(lambda: len(list(tmp_path.glob("begun-*"))) == 2, "two of them begin")

    taken_back = executor.cancel()
    again = executor.cancel()
    (tmp_path / "go").touch()
    found = outcomes(executor, 2)
    executor.close()

    assert ([each.number for each in taken_back], again) == ([STEPS + 2, 3, STEPS + 4], [])
    assert found.keys() == {STEPS, 1}


def test_nothing_runs_after_it_is_closed(make: Make, tmp_path: Path) -> None:
    executor = make(carried_out.stay)
    for number in range(3):
        executor.submit(task(number, tmp_path))
    wait_until(lambda: len(list(tmp_path.glob("begun-*"))) == 2, "two of them begin")

    threading.Timer(0.3, (tmp_path / "go").touch).start()
    executor.close()

    assert "deltaworks" not in {thread.name.split("_")[0] for thread in threading.enumerate()}
    assert len(list(tmp_path.glob("begun-*"))) == 2


def test_one_that_was_never_used_closes(make: Make) -> None:
    executor = make(carried_out.do_nothing)

    executor.close()

    assert list(executor.wait(timeout_s=0)) == []
