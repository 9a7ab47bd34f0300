"""Lapse: since when a source could not be observed, as the ledger tells; it changes no status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deltaworks.io.record import Kind
from deltaworks.io.run_entry import RunEntry


@dataclass(frozen=True, slots=True)
class Lapse:
    """Attempts to observe a source that failed one after the other, and none since that did not."""

    since: str
    """When the first of them began, as an instant in UTC."""
    reason: str
    """Why the last of them failed."""


def lapses(runs: Iterable[RunEntry]) -> Mapping[str, Lapse]:
    """Return the lapse of every source that could not be observed the last time, from the ledger, oldest run first."""
    found: dict[str, Lapse] = {}
    for run in runs:
        if run.kind is not Kind.OBSERVE:
            continue
        for asset in run.observed:
            found.pop(asset, None)
        for failure in run.failures:
            before = found.get(failure.asset)
            found[failure.asset] = Lapse(before.since if before else run.started_at, failure.error)
    return found
