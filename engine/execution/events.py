"""Events: what a run tells while it goes on, for progress bars and logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.io.asset_outcome import AssetOutcome


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins to carry out a plan."""

    run_id: str
    planned: Mapping[AssetKey, int]
    """How many partitions of each asset."""


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A call is given to the executor."""

    step: str
    """The asset and its partitions, as in `daily 2024-01-01..2024-01-03`."""
    number: int
    """Unique in the run."""


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A call is over."""

    step: str
    number: int
    staged: int
    """How many partitions wait for their commit."""
    failed: int


@dataclass(frozen=True, slots=True)
class RunProgressed:
    """A run goes on; told every second or so, and of no lasting interest."""

    assets: tuple[AssetOutcome, ...]
    """How far each has come, upstreams first."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run is over."""

    status: str
    reason: str | None
    """Why it was stopped."""


@dataclass(frozen=True, slots=True)
class PartitionsCommitted:
    """A commit has made partitions visible."""

    asset: AssetKey
    version: int
    partitions: int
    rows: int


@dataclass(frozen=True, slots=True)
class PartitionFailed:
    """A partition could not be made."""

    asset: AssetKey
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class PartitionRetried:
    """A partition could not be made and will be tried again."""

    asset: AssetKey
    key: str
    reason: str
    delay_s: float


@dataclass(frozen=True, slots=True)
class PartitionSkipped:
    """A partition was made by somebody else meanwhile, and what they made will do."""

    asset: AssetKey
    key: str
    version: int
    by: str


@dataclass(frozen=True, slots=True)
class PartitionWarned:
    """Rules that only warn, or that leave rows out, did not pass for a partition."""

    asset: AssetKey
    key: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartitionBlocked:
    """A partition was not tried, since one that it is made from could not be made or is not there any more."""

    asset: AssetKey
    key: str
    because: str
    """The upstream partition."""
    is_gone: bool = False
    """Whether that is not there any more; else this run did not make it."""

    @property
    def fate(self) -> str:
        """What became of the upstream partition, for a sentence."""
        return "is not there" if self.is_gone else "was not made"


@dataclass(frozen=True, slots=True)
class SourceObserved:
    """A source was asked which version there is of its data."""

    asset: AssetKey
    partitions: int
    """How many have changed or are gone."""
    error: str | None
    """Why it could not be observed."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """Somebody asked the run to stop: nothing more is begun."""

    reason: str | None = None
    """Who asked, if that is known."""
    is_urgent: bool = False
    """Whether what runs has a moment to end; else it is finished and committed."""


@dataclass(frozen=True, slots=True)
class RunNoted:
    """Something that changes nothing about the result but that somebody may want to mend."""

    note: str


Event: TypeAlias = (
    RunStarted
    | RunEnded
    | RunProgressed
    | StepStarted
    | StepEnded
    | PartitionsCommitted
    | PartitionFailed
    | PartitionRetried
    | PartitionSkipped
    | PartitionWarned
    | PartitionBlocked
    | SourceObserved
    | Stopping
    | RunNoted
)
EventSink: TypeAlias = Callable[[Event], None]
