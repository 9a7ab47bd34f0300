"""What `cluster.py` has carried out; apart, so that processes of workers can load it by its name."""

from __future__ import annotations

from collections.abc import Callable

from deltaworks.engine.execution.task import Outcome, Task


def nothing(task: Task) -> Outcome:
    """Carry a task out."""
    return Outcome(task)


class Nothing:
    """Makes what carries tasks out."""

    def __call__(self) -> Callable[[Task], Outcome]:
        """Return it."""
        return nothing
