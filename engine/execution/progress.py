"""Progress: what a run has come to so far, as its entry in the ledger tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.events import PartitionBlocked, PartitionSkipped
from deltaworks.engine.execution.task import Broken
from deltaworks.engine.planning.plan import Plan
from deltaworks.io.ledger import AssetOutcome, Failure, RunEntry, RunStatus
from deltaworks.io.rejects import LeftOut


@dataclass
class Progress:
    """Of one run. The coordinator adds to it; another thread may look at it meanwhile."""

    plan: Plan
    open: dict[tuple[str, str | None], Failure] = field(default_factory=dict[tuple[str, str | None], Failure])
    """What failed in an earlier attempt and was not settled in this one yet, by asset and partition."""
    made: Counter[AssetKey] = field(default_factory=Counter[AssetKey])
    """How many partitions of each asset are committed."""
    left_out: dict[AssetKey, LeftOut] = field(default_factory=dict[AssetKey, LeftOut])
    """How many rows of each asset the commits left out."""
    calls: Counter[AssetKey] = field(default_factory=Counter[AssetKey])
    """How many calls gave partitions of each asset that could be committed."""
    calls_s: dict[AssetKey, float] = field(default_factory=dict[AssetKey, float])
    """How long these took together."""
    commits: int = 0
    skipped: list[PartitionSkipped] = field(default_factory=list[PartitionSkipped])
    failures: list[Failure] = field(default_factory=list[Failure])
    blocked: list[PartitionBlocked] = field(default_factory=list[PartitionBlocked])
    broken: dict[tuple[str, str | None], Broken] = field(default_factory=dict[tuple[str, str | None], Broken])

    def __post_init__(self) -> None:
        """Name every asset at once: a dict that grows cannot be looked through by another thread.

        What is held back has failed before anything begins.
        """
        self.made.update(dict.fromkeys(self.plan.planned, 0))
        self.left_out.update(dict.fromkeys(self.plan.planned, LeftOut()))
        self.calls.update(dict.fromkeys(self.plan.planned, 0))
        self.calls_s.update(dict.fromkeys(self.plan.planned, 0.0))
        self.failures += held_back(self.plan)

    def called(self, key: AssetKey, took_s: float) -> None:
        """Note that a call has staged partitions of an asset."""
        self.calls[key] += 1
        self.calls_s[key] += took_s

    def commit(self, key: AssetKey, partitions: Sequence[str], left_out: LeftOut) -> None:
        """Note that a commit has made partitions of an asset visible, and how many rows it left out."""
        self.made[key] += len(partitions)
        self.left_out[key] += left_out
        self.commits += 1
        if self.open:
            for partition in partitions:
                self.open.pop((str(key), partition or None), None)

    def fail(self, failure: Failure) -> None:
        """Note that a partition could not be made."""
        self.failures.append(failure)
        self.open.pop((failure.asset, failure.partition), None)

    def entry(self, begun: RunEntry, status: RunStatus, at: str) -> RunEntry:
        """Return the entry of the run as it is at an instant."""
        failures = tuple(
            sorted((*self.failures, *self.open.values()), key=lambda each: (each.asset, each.partition or ""))
        )
        left_out = sum(self.left_out.values(), LeftOut())
        return replace(
            begun,
            status=status,
            ended_at=at if status.is_over else None,
            heartbeat_at=at,
            materialized=self.made.total(),
            failed=len(self.failures),
            skipped=self.plan.left_out_count + len(self.blocked) + len(self.skipped),
            commits=self.commits,
            dropped=left_out.dropped,
            quarantined=left_out.quarantined,
            failures=failures,
            steps=tuple(self._steps()),
        )

    def _steps(self) -> list[AssetOutcome]:
        failed = Counter(each.asset for each in self.failures)
        skipped = Counter(str(each.asset) for each in self.blocked)
        skipped.update(str(each.asset) for each in self.skipped)
        planned: Mapping[AssetKey, int] = {key: len(part) for key, part in self.plan.planned.items()}
        return [
            AssetOutcome(
                str(key),
                count,
                self.made[key],
                failed[str(key)],
                skipped[str(key)],
                self.calls[key],
                round(self.calls_s[key], 6),
            )
            for key, count in planned.items()
        ]


def held_back(plan: Plan) -> list[Failure]:
    """Return why some assets cannot be made or read at all; it is said of no version, so no later commit settles it."""
    return [Failure(str(key), None, why, -1) for key, why in plan.held.items()]
