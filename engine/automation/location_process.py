"""LocationProcess: what the process does that has the project loaded, and calls the functions of its schedules.

It answers each question in a thread of its own, so that a function that hangs holds up no other. It records nothing;
whoever asked may end it at any moment and start another.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import TypeAlias

from deltaworks.engine.automation.asking import Surroundings, ask, described
from deltaworks.engine.automation.evaluation import Evaluation
from deltaworks.engine.automation.watch import Watched
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.engine.execution.workers.child import die_with_parent
from deltaworks.errors import DeltaworksError

Load: TypeAlias = Callable[[], Surroundings]
"""Loads the project; it pickles by its name and by what it is made with."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The project is loaded."""

    watched: tuple[Watched, ...]
    problems: tuple[str, ...] = ()
    """Why some code locations are not loaded, or not all of what they define."""


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """The project cannot be loaded, and the process ends."""

    reason: str


@dataclass(frozen=True, slots=True)
class Question:
    """A tick that is to be answered."""

    number: int
    tick: Tick


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question."""

    number: int
    evaluation: Evaluation | None
    """None: it failed."""
    error: str | None = None


Told: TypeAlias = Loaded | NotLoaded | Answer


def serve(descriptor: int) -> None:
    """Load a project and answer questions until whoever asks has gone.

    Args:
        descriptor: one end of a socket; whoever asks has the other.
    """
    os.set_inheritable(descriptor, False)  # else what user code starts would keep the daemon waiting
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr] # a process of its own has plain files
    die_with_parent()
    wire, lock = Connection(descriptor), threading.Lock()
    load: Load = wire.recv()

    def tell(told: Told) -> None:
        with lock:
            wire.send(told)

    try:
        around = load()
        tell(Loaded(described(around.definitions), around.problems))
    except DeltaworksError as error:
        tell(NotLoaded(str(error)))
        return
    except BaseException as error:  # noqa: BLE001 - a module may raise anything while it is imported
        tell(NotLoaded(f"{type(error).__name__}: {error}"))
        return
    while True:
        try:
            question: Question = wire.recv()
        except (EOFError, OSError):
            break
        name = f"deltaworks-tick-{question.tick.name}"
        threading.Thread(target=_answer, args=(around, question, tell), name=name, daemon=True).start()
    os.killpg(os.getpgrp(), signal.SIGKILL)  # the daemon is gone, and with it goes all that user code has started


def _answer(around: Surroundings, question: Question, tell: Callable[[Told], None]) -> None:
    own = os.getpid()
    try:
        evaluation = ask(replace(around, now=datetime.now(UTC)), question.tick)
        answer = Answer(question.number, evaluation)
    except DeltaworksError as error:
        answer = Answer(question.number, None, str(error))
    except BaseException as error:  # noqa: BLE001 - user code
        answer = Answer(question.number, None, _said(error))
    if os.getpid() != own:
        os._exit(0)  # user code has forked, and this copy came back from it: only the other one may say so
    tell(answer)


def _said(error: BaseException) -> str:
    """Return what user code raised, with its last line that was run."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - user code
        text = "its text cannot be read"
    return f"{type(error).__name__}: {text}{where}"
