"""What tasks do in the tests of executors. A task tells by its number what, and by its folder where the test looks.

Those of assets and those of ops go through one executor, side by side: it knows neither.
"""

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
from typing import Any, TypeAlias

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.ops.sources import Constant
from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.execution.jobs.step_task import StepOutcome, StepTask
from deltaworks.engine.execution.task import Outcome, Task
from deltaworks.engine.execution.workers.children import Children
from deltaworks.engine.execution.workers.executor import Executor, ThreadExecutor, guarded
from deltaworks.engine.planning.step_graph import StepId
from deltaworks.errors import DeltaworksError

AnyTask: TypeAlias = Task | StepTask
AnyOutcome: TypeAlias = Outcome | StepOutcome
Work = Callable[[Any], AnyOutcome]

PATIENCE_S = 60.0

STEPS = 1000
"""From here on numbers are those of tasks of ops, which do as the others do that have less by so much."""


def task(number: int, folder: object = "run") -> Task:
    """A task of an asset."""
    return Task(str(folder), number, AssetKey("a"), 0, 2, {}, is_small=True, keys=("k0", "k2"))


def step(number: int, folder: object = "run") -> StepTask:
    """A task of an op."""
    return StepTask(StepId(("a",)), "a", STEPS + number, 1, {"folder": Constant(str(folder))})


def done(task: AnyTask, *names: str) -> AnyOutcome:
    return Outcome(task, error_names=names) if isinstance(task, Task) else StepOutcome(task, error_names=names)


def reason_of(outcome: AnyOutcome) -> str | None:
    return outcome.failures.get(0) if isinstance(outcome, Outcome) else outcome.reason


def folder_of(task: AnyTask) -> Path:
    if isinstance(task, Task):
        return Path(task.run_id)
    argument = task.arguments["folder"]
    assert isinstance(argument, Constant)
    return Path(str(argument.value))


def on_threads(work: Work) -> Executor[AnyTask, AnyOutcome]:
    return ThreadExecutor(guarded(work), workers=2)


def in_processes(work: Work, limits: Limits | None = None) -> Executor[AnyTask, AnyOutcome]:
    children: Children[AnyTask, AnyOutcome] = Children(
        Given(work), os.environ, lambda _: limits or Limits(), count=2, sink=lambda _: None
    )
    return ThreadExecutor(guarded(children.carry_out), 2, children.close)


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


def outcomes(executor: Executor[AnyTask, AnyOutcome], count: int) -> dict[int, AnyOutcome]:
    """Wait for so many outcomes, by their tasks' numbers, and make sure that no more come."""
    found: list[AnyOutcome] = []
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


def do_nothing(task: AnyTask) -> AnyOutcome:
    return done(task)


def meet(task: AnyTask) -> AnyOutcome:
    """Come back once another task is here as well."""
    folder = folder_of(task)
    (folder / str(task.number)).touch()
    wait_until(lambda: len(list(folder.iterdir())) == 2, "nobody came")
    return done(task)


def stay(task: AnyTask) -> AnyOutcome:
    """Say that it has begun, and come back when the test says so."""
    folder = folder_of(task)
    (folder / f"begun-{task.number}").touch()
    wait_until((folder / "go").exists, "nobody said go")
    return done(task)


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


def raise_by_number(task: AnyTask) -> AnyOutcome:
    if task.number % STEPS < len(RAISED):
        raise RAISED[task.number % STEPS]
    return done(task)


def say_much(task: AnyTask) -> AnyOutcome:
    text = "x" * 20_000_000
    return Outcome(task, failures={0: text}) if isinstance(task, Task) else StepOutcome(task, reason=text)


def is_main(task: AnyTask) -> AnyOutcome:
    print("said to nobody")
    logging.getLogger("deltaworks.asset").warning("%s is here", task.number, extra={"lock": threading.Lock(), "n": 5})
    threads = str(pl.thread_pool_size())
    return done(task, str(os.getpid()), threads)


DEATHS: tuple[Callable[[], object], ...] = (
    lambda: os._exit(7),
    lambda: os._exit(0),
    lambda: os.kill(os.getpid(), signal.SIGKILL),
    lambda: os.kill(os.getpid(), signal.SIGSEGV),
    os.abort,
    lambda: os.closerange(3, 256),
)


def die_by_number(task: AnyTask) -> AnyOutcome:
    if task.number < len(DEATHS):
        DEATHS[task.number]()
    return done(task)


def sleep_on(task: AnyTask) -> AnyOutcome:
    """Never come back, and neither does a process that it starts; both ignore being asked to."""
    if task.number:
        return done(task)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    started = subprocess.Popen([sys.executable, "-c", deaf])
    _note_pids(task, started.pid)
    time.sleep(600)
    return done(task)


def hold_the_lock(task: AnyTask) -> AnyOutcome:
    """Compute in one step for longer than anybody waits, so that no other thread gets Python's lock."""
    _note_pids(task)
    if sys.platform == "linux":
        re.match(r"(a+)+$", "a" * 64 + "b")
    time.sleep(600)
    return done(task)


def note_pid(task: AnyTask) -> AnyOutcome:
    _note_pids(task)
    return done(task)


def _note_pids(task: AnyTask, *others: int) -> None:
    part = folder_of(task) / "pids.part"
    part.write_text(" ".join(map(str, (os.getpid(), *others))))
    part.rename(part.with_name("pids"))


def eat(task: AnyTask) -> AnyOutcome:
    eaten: list[bytearray] = []
    while task.number == 0:
        eaten.append(bytearray(10_000_000))
        ctypes.memset(ctypes.addressof(ctypes.c_char.from_buffer(eaten[-1])), 1, 10_000_000)
    return done(task)


def lives(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(shown.strip()) and not shown.startswith("Z")
