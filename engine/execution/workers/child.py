"""Child: what a process does that carries out tasks for a coordinator elsewhere.

It loads the project by itself, once, and then carries out one task after the other. It has nothing to say to the user:
what it logs is passed on, what it prints goes to stderr, and it does not outlive its coordinator.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeAlias

from deltaworks.engine.execution.workers.capture import Line, capture
from deltaworks.engine.execution.workers.executor import guarded
from deltaworks.errors import DeltaworksError

_PR_SET_PDEATHSIG = 1
_OOM_SCORE = 500
"""Of -1000 to 1000: if memory runs out, the kernel is to end a child that is large rather than the coordinator."""


@dataclass(frozen=True, slots=True)
class Instructions:
    """The first thing that a child is told."""

    make: Callable[[], Callable[[Any], Any]]
    """Loads the project and returns what carries out tasks; it pickles by its name and by what it is made with."""
    log_level: int


@dataclass(frozen=True, slots=True)
class Ready:
    """The child can take tasks."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """The child cannot load what it needs, and ends."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a task."""

    outcome: Any


Said: TypeAlias = Ready | Unfit | Done | Line | logging.LogRecord
"""What a child says."""


def serve(descriptor: int) -> None:
    """Carry out tasks until the coordinator says that it has no more, or is not there any more.

    Args:
        descriptor: one end of a socket; the coordinator has the other.
    """
    os.set_inheritable(descriptor, False)  # else what user code starts would keep the coordinator waiting
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr] # a process of its own has plain files
    die_with_parent()
    wire = _Wire(Connection(descriptor))
    instructions: Instructions = wire.connection.recv()
    logger = logging.getLogger("deltaworks")
    logger.setLevel(instructions.log_level)
    logger.addHandler(_PassOn(wire))
    tasks: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_receive, args=(wire, tasks), name="deltaworks-wire", daemon=True).start()
    try:
        work = guarded(instructions.make())
    except DeltaworksError as error:
        wire.send(Unfit(str(error)))
        return
    except BaseException as error:  # noqa: BLE001 - a module may raise anything while it is imported
        wire.send(Unfit(f"{type(error).__name__}: {error}"))
        return
    wire.send(Ready())
    own = os.getpid()
    while (task := tasks.get()) is not None:
        with capture(task.where, wire.send_printed):
            outcome = work(task)
        if os.getpid() != own:
            os._exit(0)  # user code has forked, and this copy came back from it: only the other one may say so
        wire.send(Done(outcome))


class _Wire:
    """The connection to the coordinator, which several threads send through.

    User code may fork, and a copy has the connection too. What it said would get mixed up with what this process says,
    so it says nothing.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._owner = os.getpid()
        self._lock = threading.Lock()

    def send(self, said: Said) -> None:
        if os.getpid() != self._owner:
            return
        with self._lock:
            self.connection.send(said)

    def send_printed(self, line: Line) -> None:
        if line.stream != "log":  # the coordinator gets log records as such
            self.send(line)


class _PassOn(QueueHandler):
    """Hands log records to the coordinator, as texts; of what authors add to them, only what any process can read."""

    def __init__(self, wire: _Wire) -> None:
        super().__init__(SimpleQueue())
        self._wire = wire

    def enqueue(self, record: logging.LogRecord) -> None:
        plain = {name: each for name, each in vars(record).items() if isinstance(each, str | int | float | None)}
        self._wire.send(logging.makeLogRecord(plain))


def _receive(wire: _Wire, tasks: SimpleQueue[Any]) -> None:
    """Take in what the coordinator sends; once it is gone, end this process and all that user code has started."""
    try:
        while True:
            tasks.put(wire.connection.recv())
    except (EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.EBADF:
            os._exit(1)  # user code has closed the connection: the coordinator is there, sees it, and ends the rest
        os.killpg(os.getpgrp(), signal.SIGKILL)


def die_with_parent() -> None:
    """Ask the kernel to end this process with the one that started it, and before it; only Linux can be asked.

    Elsewhere, and for one that ended before this was asked, the thread that receives does the same, unless user code
    holds Python's lock.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError):  # a container may forbid it
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), "ascii")
