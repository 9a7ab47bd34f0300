"""Processes that carry out tasks: what ends them, what becomes of their tasks, and that none is left behind."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.execution.workers import children as children_module
from deltaworks.engine.execution.workers.children import Children
from deltaworks.engine.execution.workers.executor import ThreadExecutor, guarded
from deltaworks.errors import InvalidDefinition
from tests.engine.execution import carried_out
from tests.engine.execution.carried_out import DEATHS, Work, in_processes, lives, outcomes, reason_of, task, wait_until

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))  # where other processes find what tasks do


def test_a_process_that_dies_takes_its_own_task_with_it_and_no_other() -> None:
    executor = in_processes(carried_out.die_by_number)

    for number in range(len(DEATHS) + 4):
        executor.submit(task(number))
    found = outcomes(executor, len(DEATHS) + 4)
    executor.close()

    assert [reason_of(found[number]) for number in sorted(found)] == [
        "a k0..k2: the worker process ended with exit code 7",
        "a k0..k2: the worker process ended with exit code 0",
        "a k0..k2: the worker process was killed by signal 9 (SIGKILL), as happens when memory runs out",
        "a k0..k2: the worker process was killed by signal 11 (SIGSEGV)",
        "a k0..k2: the worker process was killed by signal 6 (SIGABRT)",
        "a k0..k2: the worker process ended with exit code 1",
        *[None] * 4,
    ]
    assert {outcome.may_pass_later for outcome in found.values() if reason_of(outcome)} == {True}
    assert "WorkerDied" in found[0].error_names


def test_a_call_that_takes_too_long_is_ended_with_all_that_it_has_started(tmp_path: Path) -> None:
    executor = in_processes(carried_out.sleep_on, Limits(timeout_s=1))

    for number in range(6):
        executor.submit(task(number, tmp_path))
    found = outcomes(executor, 6)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    executor.close()

    assert reason_of(found[0]) == "a k0..k2: ran longer than timeout_s=1, so its process was ended"
    assert "CallTimedOut" in found[0].error_names
    assert not any(reason_of(found[number]) for number in range(1, 6))
    assert [pid for pid in pids if lives(pid)] == []


def test_a_call_that_takes_too_much_memory_is_ended() -> None:
    executor = in_processes(carried_out.eat, Limits(memory_mb=400))

    for number in range(4):
        executor.submit(task(number))
    found = outcomes(executor, 4)
    executor.close()

    assert "MB of memory, more than memory_mb=400, and was ended" in reason_of(found[0])
    assert "CallOutOfMemory" in found[0].error_names
    assert not any(reason_of(found[number]) for number in (1, 2, 3))


def test_processes_are_used_again_and_have_the_threads_that_they_are_given(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("POLARS_MAX_THREADS", "3")
    caplog.set_level(logging.WARNING, "deltaworks")
    executor = in_processes(carried_out.is_main)

    for number in range(20):
        executor.submit(task(number))
    found = outcomes(executor, 20)
    executor.close()

    pids, threads = zip(*(outcome.error_names for outcome in found.values()), strict=True)
    assert 1 <= len(set(pids) - {str(os.getpid())}) <= 2
    assert set(threads) == {"3"}
    out, err = capfd.readouterr()
    assert out == "", "stdout is the answer alone"
    assert err.count("said to nobody") == 20
    assert sorted(caplog.messages) == sorted(f"{number} is here" for number in range(20))
    assert {vars(record)["n"] for record in caplog.records} == {5}


def test_closing_ends_what_runs_whether_it_wants_to_or_not(tmp_path: Path) -> None:
    executor = in_processes(carried_out.sleep_on)
    executor.submit(task(0, tmp_path))
    wait_until((tmp_path / "pids").exists, "the task begins")

    executor.close()

    assert [pid for pid in map(int, (tmp_path / "pids").read_text().split()) if lives(pid)] == []


def test_a_project_that_does_not_load_in_time_fails_what_would_have_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children_module, "START_S", 0.5)
    children = Children(carried_out.NeverMade(), os.environ, lambda _: Limits(), count=1, sink=lambda _: None)
    executor = ThreadExecutor(guarded(children.carry_out), 1, children.close)

    executor.submit(task(1))
    found = outcomes(executor, 1)
    executor.close()

    assert reason_of(found[1]) == ("a k0..k2: its worker process did not load the project within 0.5 s, and was ended")


class _Unloadable:
    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __call__(self) -> Work:
        raise self._error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InvalidDefinition("module 'tables' is gone"), "module 'tables' is gone"),
        (SystemExit(2), "SystemExit: 2"),
    ],
)
def test_a_project_that_cannot_be_loaded_fails_what_would_have_run(error: BaseException, reason: str) -> None:
    children = Children(_Unloadable(error), os.environ, lambda _: Limits(), count=1, sink=lambda _: None)
    executor = ThreadExecutor(guarded(children.carry_out), 1, children.close)

    executor.submit(task(1))
    found = outcomes(executor, 1)
    executor.close()

    assert reason_of(found[1]) == f"a k0..k2: its worker process cannot load the project: {reason}"


COORDINATOR = """
import sys, time
sys.path.insert(0, {root!r})
from tests.engine.execution import carried_out
executor = carried_out.in_processes(carried_out.{work})
executor.submit(carried_out.task(0, {folder!r}))
time.sleep(600)
"""


@pytest.mark.parametrize("work", ["sleep_on", "hold_the_lock"])
def test_processes_do_not_outlive_a_coordinator_that_is_killed(tmp_path: Path, work: str) -> None:
    program = COORDINATOR.format(root=str(ROOT), work=work, folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path) as coordinator:
        wait_until((tmp_path / "pids").exists, "the task begins")
        coordinator.send_signal(signal.SIGKILL)

    child = int((tmp_path / "pids").read_text().split()[0])

    wait_until(lambda: not lives(child), "the child ends")


def test_idle_processes_do_not_outlive_a_coordinator_that_is_killed(tmp_path: Path) -> None:
    program = COORDINATOR.format(root=str(ROOT), work="note_pid", folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path) as coordinator:
        wait_until((tmp_path / "pids").exists, "the task is done")
        coordinator.send_signal(signal.SIGKILL)

    child = int((tmp_path / "pids").read_text())

    wait_until(lambda: not lives(child), "the child ends")
