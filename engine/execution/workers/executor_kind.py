"""ExecutorKind: which executors there are, for settings and commands, which need none of them."""

from __future__ import annotations

from enum import StrEnum


class ExecutorKind(StrEnum):
    """Where the functions of a run are called."""

    THREADS = "threads"
    """In the process of the run, but for calls with limits: Polars computes outside of Python's lock."""
    PROCESSES = "processes"
    """In processes of their own, which may crash, hang and be ended without harm to anything else."""
    DASK = "dask"
    """In such processes of the workers of a Dask cluster, on other machines or on this one."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether functions are called in other processes, which must be able to load the project."""
        return self is not ExecutorKind.THREADS
