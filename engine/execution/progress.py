"""Progress: what a run has come to so far, as its entry in the ledger tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.events import PartitionBlocked, PartitionSkipped
from deltaworks.engine.execution.pace import Pace
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.execution.task import Broken
from deltaworks.engine.planning.plan import Plan
from deltaworks.io.asset_outcome import AssetOutcome
from deltaworks.io.rejects import LeftOut
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus


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
    rows: Counter[AssetKey] = field(default_factory=Counter[AssetKey])
    """How many rows of each asset the commits have made visible."""
    paces: dict[AssetKey, Pace] = field(default_factory=dict[AssetKey, Pace])
    """How fast the calls of each asset give partitions."""
    commits: int = 0
    skipped: list[PartitionSkipped] = field(default_factory=list[PartitionSkipped])
    failures: list[Failure] = field(default_factory=list[Failure])
    blocked: list[PartitionBlocked] = field(default_factory=list[PartitionBlocked])
    failed_of: Counter[str] = field(default_factory=Counter[str])
    """How many failures there are of each asset."""
    skipped_of: Counter[str] = field(default_factory=Counter[str])
    """How many partitions of each asset are skipped or blocked."""
    failing: dict[str, set[str]] = field(init=False)
    """What failed in earlier runs and was not settled in this one yet, by asset."""
    broken: dict[tuple[str, str | None], Broken] = field(default_factory=dict[tuple[str, str | None], Broken])

    def __post_init__(self) -> None:
        """Name every asset at once: a dict that grows cannot be looked through by another thread.

        What is held back has failed before anything begins.
        """
        self.failing = {str(key): set(failed) for key, failed in self.plan.failing.items()}
        self.made.update(dict.fromkeys(self.plan.planned, 0))
        self.left_out.update(dict.fromkeys(self.plan.planned, LeftOut()))
        for failure in held_back(self.plan):
            self.fail(failure)
        self.rows.update(dict.fromkeys(self.plan.planned, 0))
        self.paces.update((key, Pace()) for key in self.plan.planned)

    def commit(self, key: AssetKey, partitions: Sequence[str], rows: int, left_out: LeftOut) -> None:
        """Note that a commit has made partitions of an asset visible with their rows, and how many rows it left out."""
        self.made[key] += len(partitions)
        self.rows[key] += rows
        self.left_out[key] += left_out
        self.commits += 1
        self.failing.get(str(key), set()).difference_update(partitions)
        if self.open:
            for partition in partitions:
                self.open.pop((str(key), partition or None), None)

    def fail(self, failure: Failure) -> None:
        """Note that a partition could not be made."""
        self.failures.append(failure)
        self.failed_of[failure.asset] += 1
        self.open.pop((failure.asset, failure.partition), None)
        self.failing.get(failure.asset, set()).discard(failure.partition or "")

    def skip(self, event: PartitionSkipped) -> None:
        """Note that others have made a partition."""
        self.skipped.append(event)
        self.failing.get(str(event.asset), set()).discard(event.key)
        self.skipped_of[str(event.asset)] += 1

    def block(self, event: PartitionBlocked) -> None:
        """Note that a partition is not tried."""
        self.blocked.append(event)
        self.skipped_of[str(event.asset)] += 1

    def report(self, ended: RunEntry, left_calls: int) -> RunReport:
        """Return what came of the run, of which so many calls still go on."""
        return RunReport(
            ended,
            tuple(self.blocked),
            tuple(self.skipped),
            broken=self.broken,
            left_out={key: rows for key, rows in self.left_out.items() if rows},
            left_calls=left_calls,
        )

    def entry(self, begun: RunEntry, status: RunStatus, at: str) -> RunEntry:
        """Return the entry of the run as it is at an instant."""
        failures = tuple(
            sorted((*self.failures, *self.open.values()), key=lambda each: (each.asset, each.partition or ""))
        )
        left_out, steps = sum(self.left_out.values(), LeftOut()), self.outcomes()
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
            steps=tuple(replace(each, left_s=None, current=None) for each in steps) if status.is_over else steps,
        )

    def outcomes(self) -> tuple[AssetOutcome, ...]:
        """Return how far each asset has come."""
        failed, skipped = self.failed_of, self.skipped_of
        found: list[AssetOutcome] = []
        for key, planned in self.plan.planned.items():
            name, pace, made = str(key), self.paces[key], self.made[key]
            rate = pace.rate
            left = max(0, len(planned) - made - failed[name] - skipped[name])
            found.append(
                AssetOutcome(
                    name,
                    len(planned),
                    made,
                    failed[name],
                    skipped[name],
                    pace.calls,
                    round(pace.calls_s, 6),
                    self.rows[key],
                    None if rate is None else round(rate, 3),
                    round(left / rate, 3) if rate and left else None,
                    pace.current,
                    len(self.failing.get(name, ())),
                )
            )
        return tuple(found)


def held_back(plan: Plan) -> list[Failure]:
    """Return why some assets cannot be made or read at all; it is said of no version, so no later commit settles it."""
    return [Failure(str(key), None, why, -1) for key, why in plan.held.items()]
