"""Of two processes that begin the same run at once one goes on; what the dead have taken holds nobody up."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace

import pytest

from deltaworks.engine.execution.attempt import begin_attempt
from deltaworks.errors import RunGoesOn
from deltaworks.io.attempts import FOLDER, take_attempt
from deltaworks.io.ledger import run_paths, write_run
from deltaworks.io.process import Process
from deltaworks.io.run_entry import LOST_AFTER_S, RunStatus


@pytest.fixture
def neighbour() -> Iterator[Process]:
    """Another process of this machine, which lives."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield Process(Process.current().host, process.pid)
        process.kill()


def took(lake, number: int, holder: Process | None) -> str:
    """Let somebody have taken a number, and return where that stands."""
    path = f"{FOLDER}/tick-7/{number:04d}.json"
    lake.store.put(path, b"" if holder is None else json.dumps(asdict(holder)).encode())
    return path


def test_a_number_that_another_process_has_just_taken_is_not_passed_over(lake, neighbour):
    took(lake, 2, neighbour)

    with pytest.raises(RunGoesOn, match=f"Run tick-7 is just being begun by process {neighbour.pid} on "):
        take_attempt(lake.store, "tick-7", 2)

    assert [path[-9:] for path in lake.store.list(f"{FOLDER}/tick-7")] == ["0002.json"], "the number is given back"


def test_what_a_process_took_that_is_gone_or_that_did_not_say_who_it_was_is_passed_over(lake):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    took(lake, 1, Process(Process.current().host, child.pid))
    took(lake, 2, None)

    assert take_attempt(lake.store, "tick-7", 1) == 3
    assert take_attempt(lake.store, "tick-7", 4) == 4


def test_who_is_on_another_machine_has_time_to_begin(lake):
    path = took(lake, 1, Process("elsewhere", 1))

    with pytest.raises(RunGoesOn, match="is just being begun by process 1 on elsewhere"):
        take_attempt(lake.store, "tick-7", 1)

    then = os.stat(lake.store.root / path).st_mtime - 31
    os.utime(lake.store.root / path, (then, then))
    assert take_attempt(lake.store, "tick-7", 1) == 2


def test_an_attempt_is_the_first_whatever_its_number_as_long_as_none_has_begun(lake):
    now = dt.datetime.now(dt.UTC)
    took(lake, 1, None)

    first = begin_attempt(lake.store, "tick-7", "a test", now)
    write_run(lake.store, replace(first, status=RunStatus.FAILURE, ended_at=now.isoformat()))
    second = begin_attempt(lake.store, "tick-7", "a test", now)

    assert (first.attempt, first.is_first) == (2, True)
    assert (second.attempt, second.is_first) == (3, False)


def test_a_run_that_may_still_go_on_elsewhere_is_no_wrong_request_and_goes_on_once_it_is_silent(lake):
    """As when a pod is killed and Kubernetes starts the next one before the run of the first counts as lost."""
    now = dt.datetime.now(dt.UTC)
    first = replace(begin_attempt(lake.store, "job-1", "a test", now), host="pod-1")
    write_run(lake.store, first)

    with pytest.raises(RunGoesOn, match=r"^Run job-1 still goes on \(running on pod-1, process ") as refused:
        begin_attempt(lake.store, "job-1", "a test", now)
    assert refused.value.exit_code == 1, "an orchestrator that takes 2 for final tries this again"

    (path,) = run_paths(lake.store)
    then = now.timestamp() - LOST_AFTER_S - 1
    os.utime(lake.store.root / path, (then, then))
    os.utime(lake.store.root / f"{FOLDER}/job-1/0001.json", (then, then))
    second = begin_attempt(lake.store, "job-1", "a test", now)
    assert (second.attempt, [each.status for each in second.earlier]) == (2, [RunStatus.LOST])
