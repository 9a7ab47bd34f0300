"""Commits: what happened to a table since a sensor was last asked, told by the table's own log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Operation(StrEnum):
    """What a commit did to its partitions."""

    MATERIALIZE = "materialize"
    """A run made them."""
    OBSERVE = "observe"
    """A new version of a source was observed."""
    ROLLBACK = "rollback"
    """They were given back an earlier content."""
    WIPE = "wipe"
    """They were deleted by `deltaworks wipe`."""
    WRITE = "write"
    """Somebody else wrote or deleted them; `delta_operation` has the word that they used."""


class WrittenBy(StrEnum):
    """Whose commits are meant."""

    OURS = "ours"
    """Those of this lake's runs and commands."""
    OUTSIDE = "outside"
    """Those of everybody else."""


@dataclass(frozen=True, slots=True)
class CommitEvent:
    """A commit that changed data."""

    version: int
    operation: Operation
    delta_operation: str
    """As the commit calls it: `WRITE`, `MERGE`, `DELETE`."""
    written_by: WrittenBy
    run_id: str | None
    """Of whichever lake; none: its writer says nothing of runs."""
    engine: str
    """The program that wrote it."""
    at: dt.datetime | None
    """By its writer's clock, in UTC."""
    keys: tuple[str, ...]
    """The partitions that it changed, in their order; none of a table without partitions."""
    undefined: tuple[str, ...]
    """What it changed that is no partition of the asset's definition, or not yet: a day that is not over."""
    rows: int | None
    """How many there are in these partitions now; none: the log does not say."""


@dataclass(frozen=True, slots=True)
class Commits:
    """The commits of a table after a version, oldest first. Commits that only move or describe rows are no events."""

    asset: str
    after: int
    """The version that the sensor had seen; -1: nothing."""
    version: int
    """The version up to which these are all."""
    events: tuple[CommitEvent, ...]
    ordered_keys: tuple[str, ...] = ()
    """The partitions that any of them changed, in the order of the definition."""
    key_ranges: tuple[tuple[str, str], ...] = ()
    """The same as stretches without a gap, both ends included."""
    note: str | None = None
    """What is to be known about them, such as that the table was made anew."""

    def partitions(self) -> Sequence[str]:
        """Return the keys of all partitions that were changed, each once, in the order of the definition."""
        return self.ordered_keys

    def ranges(self) -> Sequence[tuple[str, str]]:
        """Return the changed partitions as stretches of consecutive ones, first and last key of each."""
        return self.key_ranges

    def __iter__(self) -> Iterator[CommitEvent]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)
