"""ChildScope: the resources of a process that carries out tasks, put away when it ends, also when it is asked to."""

from __future__ import annotations

import atexit
import signal
import sys
from contextlib import ExitStack

from deltaworks.engine.execution.resource_scope import ResourceScope


def open_to_the_end(scope: ResourceScope) -> None:
    """Open the resources of this process until it ends; see `ResourceScope.opened`."""
    stack = ExitStack()
    stack.enter_context(scope.opened(_note))
    atexit.register(stack.close)
    if scope.is_set_up:
        signal.signal(signal.SIGTERM, _leave)


def _note(problem: str) -> None:
    print(f"note: {problem}", file=sys.stderr)


def _leave(_signal: int, _frame: object) -> None:
    """End this process as Python programs end, so that resources are put away."""
    raise SystemExit(128 + signal.SIGTERM)
