"""Roster: the workers of a cluster, as one run knows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from deltaworks.engine.execution.workers.dask.bundle import Unfit

DROUGHT_S: Final = 20.0
"""For how long there may be no worker that is fit before somebody is told."""


@dataclass(frozen=True, slots=True)
class Present:
    """The workers that a scheduler has."""

    threads: Mapping[str, int] = field(default_factory=dict[str, int])
    """By the address of each."""
    resources: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """By address, the names of those that each offers."""


class Roster:
    """Which workers are there, which of them are fit for the run, and what they have offered."""

    def __init__(self, scheduler: Callable[[], str], note: Callable[[str], None]) -> None:
        """Know of none yet.

        Args:
            scheduler: says where it is.
            note: is told, once, of each worker that is not fit, and that there is none that is.
        """
        self._scheduler, self._note = scheduler, note
        self._present = Present()
        self._unfit: dict[str, Unfit] = {}
        """By address, those that are there."""
        self._offered: frozenset[str] = frozenset()
        """Since the run began: a worker that died, and comes again, is waited for."""
        self._dry_since_s: float | None = None
        self._is_told = False

    @property
    def threads(self) -> int:
        """How many tasks those that are fit carry out at once."""
        return sum(threads for worker, threads in self._present.threads.items() if worker not in self._unfit)

    def fit_for(self, asked: Mapping[str, float]) -> Sequence[str] | None:
        """Return the addresses of those that a task should go to that asks for resources; none: all are fit."""
        if not self._unfit:
            return None
        offered = self._present.resources
        return [
            worker for worker in self._present.threads if worker not in self._unfit and set(asked) <= offered[worker]
        ]

    def has_any(self, workers: Collection[str]) -> bool:
        """Return whether any of some workers is there."""
        return not self._present.threads.keys().isdisjoint(workers)

    @property
    def verdict(self) -> Unfit | None:
        """Why no task can be carried out: for long there were only workers that are not fit. None: one may be."""
        if self._dry_since_s is None or time.monotonic() - self._dry_since_s < DROUGHT_S:
            return None
        return next(iter(self._unfit.values()), None)

    def see(self, present: Present, waiting: int) -> None:
        """Take in which workers there are, and how many tasks wait for them."""
        self._present = present
        self._offered = self._offered.union(*present.resources.values())
        self._unfit = {worker: unfit for worker, unfit in self._unfit.items() if worker in present.threads}
        if self.threads or not waiting:
            self._dry_since_s, self._is_told = None, False
            return
        if self._dry_since_s is None:
            self._dry_since_s = time.monotonic()
        dry_s = time.monotonic() - self._dry_since_s
        if dry_s >= DROUGHT_S and not self._is_told:
            self._is_told = True
            scheduler, that_is_fit = self._scheduler(), " that is fit" if self._unfit else ""
            self._note(
                f"the Dask scheduler at {scheduler} has had no worker{that_is_fit} for {dry_s:.0f} s, and {waiting:,} "
                f"calls wait; start one with `dask worker {scheduler} --nthreads 1`, or cancel the run"
            )

    def lacking(self, asked: Mapping[str, float]) -> Sequence[str]:
        """Return the names of those resources that no worker has offered."""
        return sorted(set(asked) - self._offered)

    def avoid(self, unfit: Unfit) -> None:
        """Let tasks go to other workers than one."""
        if unfit.worker not in self._unfit:
            self._unfit = {**self._unfit, unfit.worker: unfit}
            self._note(f"{unfit.reason}; what it is given of this run goes to others")
