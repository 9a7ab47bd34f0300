"""Attempt: one try of one step of a run, as its function and its hooks see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a step may know about the run that it belongs to.

    Ops are run at least once: `run_id` and `step` together are the key under which something outside is done only once.
    """

    run_id: str
    """That of the first run, where this one goes on from its failure."""
    job: str
    step: str
    """The address: `announce.notify`, `fan[key].inner`."""
    number: int
    """Counted from 1; more than 1 after retries."""
    partition: str | None = None
    """The key, in a partitioned job."""
