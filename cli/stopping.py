"""Stopping: Ctrl-C and SIGTERM ask a run to stop."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deltaworks.engine.execution.stop import Stop


@contextmanager
def stoppable() -> Generator[Stop]:
    """Turn the first Ctrl-C into a request to stop; a second one ends the process at once. SIGTERM cancels."""
    # Imported here: --help must not load the engine.
    from deltaworks.engine.execution.stop import Stop

    stop = Stop()

    def ask(_signal: int, _frame: object) -> None:
        if stop.is_asked:
            # A call may hang for ever; what is committed is safe whenever the process ends. The cursor comes back.
            os.write(2, b"\x1b[?25h\n" if sys.stderr.isatty() else b"")
            os._exit(130)
        stop.finish("interrupted by Ctrl-C")

    def cancel(_signal: int, _frame: object) -> None:
        stop.cancel("canceled by SIGTERM")

    before = {number: signal.signal(number, act) for number, act in ((signal.SIGINT, ask), (signal.SIGTERM, cancel))}
    try:
        yield stop
    finally:
        for number, act in before.items():
            signal.signal(number, act)
