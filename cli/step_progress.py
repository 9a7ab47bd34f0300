"""StepProgress: what a run of a job of ops tells while it goes on, one line each, on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deltaworks.cli.output import write
from deltaworks.cli.pacing import stopping_text
from deltaworks.cli.wording import counted

if TYPE_CHECKING:
    from deltaworks.engine.execution.jobs.step_events import StepEvent


@contextmanager
def step_progress() -> Generator[Callable[[StepEvent], None]]:
    """Yield where the events go; what ops log is shown meanwhile."""
    logger, handler = logging.getLogger("deltaworks"), logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    try:
        yield _tell
    finally:
        logger.removeHandler(handler)


def _tell(event: StepEvent) -> None:
    # Imported here: events belong to the engine, which --help must not load.
    from deltaworks.engine.execution.events import RunEnded, RunNoted, Stopping
    from deltaworks.engine.execution.jobs import step_events as events

    match event:
        case events.JobStarted(run_id, job, ops, kept):
            done = f", {counted(kept, 'step')} done already" if kept else ""
            line = f"run {run_id}: job {job}, {counted(ops, 'op')}{done}"
        case events.StepFinished(step, fate, reason, took_s):
            line = f"{step}: {fate.value}{f': {reason}' if reason else f' ({took_s:.1f} s)'}"
        case events.StepRetried(step, reason, delay_s):
            line = f"{step}: again in {delay_s:.1f} s: {reason}"
        case RunNoted(note):
            line = f"note: {note}"
        case RunEnded():
            return  # the command says so itself
        case Stopping(reason, is_urgent):
            line = stopping_text(reason, is_urgent=is_urgent)
    write(sys.stderr, line)
