"""What tasks do in the tests of executors. A task tells by its number what, and by its run where the test looks."""

from __future__ import annotations

import ctypes
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.execution.children import Children
from deltaworks.engine.execution.executor import Executor, ThreadExecutor, Work
from deltaworks.engine.execution.task import Outcome, Task
from deltaworks.errors import DeltaworksError

PATIENCE_S = 60.0


def task(number: int, folder: object = "run") -> Task:
    return Task(str(folder), number, AssetKey("a"), 0, 2, {}, is_small=True, keys=("k0", "k2"))


def on_threads(work: Work) -> Executor:
    return ThreadExecutor(work, workers=2)


def in_processes(work: Work, limits: Limits | None = None) -> Executor:
    children = Children(Given(work), os.environ, lambda _: limits or Limits(), count=2, sink=lambda _: None)
    return ThreadExecutor(children.carry_out, 2, children.close)


class Given:
    """Makes work that is there already."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def __call__(self) -> Work:
        return self._work


class NeverMade:
    """Takes longer to make its work than anybody waits."""

    def __call__(self) -> Work:
        time.sleep(600)
        raise AssertionError


def outcomes(executor: Executor, count: int) -> dict[int, Outcome]:
    """Wait for so many outcomes, by their tasks' numbers, and make sure that no more come."""
    found: list[Outcome] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} outcomes came"
        found += executor.wait(timeout_s=0.1)
    found += executor.wait(timeout_s=0.05)
    assert len(found) == count
    return {outcome.task.number: outcome for outcome in found}


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def do_nothing(task: Task) -> Outcome:
    return Outcome(task)


def meet(task: Task) -> Outcome:
    """Come back once another task is here as well."""
    folder = Path(task.run_id)
    (folder / str(task.number)).touch()
    wait_until(lambda: len(list(folder.iterdir())) == 2, "nobody came")
    return Outcome(task)


def stay(task: Task) -> Outcome:
    """Say that it has begun, and come back when the test says so."""
    folder = Path(task.run_id)
    (folder / f"begun-{task.number}").touch()
    wait_until((folder / "go").exists, "nobody said go")
    return Outcome(task)


class Unpicklable(Exception):
    def __init__(self) -> None:
        super().__init__("held")
        self.lock = threading.Lock()


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


RAISED: tuple[BaseException, ...] = (
    RuntimeError("boom"),
    SystemExit(3),
    KeyboardInterrupt(),
    Unpicklable(),
    Speechless(),
    pl.exceptions.ComputeError("not computed"),
    MemoryError(),
    DeltaworksError("a whole sentence"),
)


def raise_by_number(task: Task) -> Outcome:
    if task.number < len(RAISED):
        raise RAISED[task.number]
    return Outcome(task)


def say_much(task: Task) -> Outcome:
    return Outcome(task, failures={0: "x" * 20_000_000})


def is_main(task: Task) -> Outcome:
    print("said to nobody")
    logging.getLogger("deltaworks.asset").warning("%s is here", task.number, extra={"lock": threading.Lock(), "n": 5})
    threads = str(pl.thread_pool_size())
    return Outcome(task, error_names=(str(os.getpid()), threads))


DEATHS: tuple[Callable[[], object], ...] = (
    lambda: os._exit(7),
    lambda: os._exit(0),
    lambda: os.kill(os.getpid(), signal.SIGKILL),
    lambda: os.kill(os.getpid(), signal.SIGSEGV),
    os.abort,
    lambda: os.closerange(3, 256),
)


def die_by_number(task: Task) -> Outcome:
    if task.number < len(DEATHS):
        DEATHS[task.number]()
    return Outcome(task)


def sleep_on(task: Task) -> Outcome:
    """Never come back, and neither does a process that it starts; both ignore being asked to."""
    if task.number:
        return Outcome(task)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    started = subprocess.Popen([sys.executable, "-c", deaf])
    _note_pids(task, started.pid)
    time.sleep(600)
    return Outcome(task)


def hold_the_lock(task: Task) -> Outcome:
    """Compute in one step for longer than anybody waits, so that no other thread gets Python's lock."""
    _note_pids(task)
    if sys.platform == "linux":
        re.match(r"(a+)+$", "a" * 64 + "b")
    time.sleep(600)
    return Outcome(task)


def note_pid(task: Task) -> Outcome:
    _note_pids(task)
    return Outcome(task)


def _note_pids(task: Task, *others: int) -> None:
    part = Path(task.run_id) / "pids.part"
    part.write_text(" ".join(map(str, (os.getpid(), *others))))
    part.rename(part.with_name("pids"))


def eat(task: Task) -> Outcome:
    eaten: list[bytearray] = []
    while task.number == 0:
        eaten.append(bytearray(10_000_000))
        ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(eaten[-1])), 1, 10_000_000)
    return Outcome(task)


def lives(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(shown.strip()) and not shown.startswith("Z")
