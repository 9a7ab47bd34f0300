"""Folding: one entry of a run, out of what its parts tell while they go on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.events import (
    Event,
    EventSink,
    PartitionBlocked,
    PartitionsCommitted,
    RunEnded,
    RunProgressed,
    RunStarted,
    Stopping,
)
from deltaworks.engine.execution.progress import held_back
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.planning.plan import Plan
from deltaworks.io.asset_outcome import AssetOutcome
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus


class Fold:
    """What the parts of one run come to. They tell in threads of their own."""

    def __init__(self, plan: Plan, entry: RunEntry, tell: EventSink) -> None:
        """Begin without any part.

        Args:
            plan: all of the run.
            entry: the run as it began.
            tell: receives what happens, but for what only the run as a whole can say.
        """
        self._plan, self._begun, self._tell = plan, entry, tell
        self._lock = threading.Lock()
        self._parts: dict[int, RunEntry] = {}
        self._made: dict[AssetKey, Counter[str]] = {}
        self._reports: list[RunReport] = []
        self._failures: list[Failure] = held_back(plan)
        self.blocked: list[PartitionBlocked] = []
        """What was not tried, since a part before has not made what it is made from."""
        self.skipped = 0
        """How many partitions others had made before anything began."""

    @property
    def has_failed(self) -> bool:
        """Whether anything failed by now."""
        parts = self._parts.values()
        return bool(self._failures) or any(each.failures or each.check_failures for each in parts)

    def part_entry(self, number: int, entry: RunEntry) -> None:
        """Take in how a part is now."""
        with self._lock:
            self._parts[number] = entry
            outcomes = self._outcomes()
        self._tell(RunProgressed(outcomes))

    def part_event(self, event: Event) -> None:
        """Take in what happened in a part."""
        match event:
            case PartitionsCommitted():
                with self._lock:
                    found = self._made.setdefault(event.asset, Counter())
                    found.update(partitions=event.partitions, rows=event.rows, commits=1)
            case RunStarted() | RunEnded() | RunProgressed() | Stopping():
                return
            case _:
                pass
        self._tell(event)

    def part_ended(self, number: int, report: RunReport) -> None:
        """Take in how a part ended."""
        with self._lock:
            self._parts[number] = report.entry
            self._reports.append(report)

    def part_lost(self, number: int, assets: Sequence[AssetKey], failures: Sequence[Failure]) -> None:
        """Take in that a part's process was lost, and what of its assets is not made."""
        with self._lock:
            self._parts.pop(number, None)
            self._failures += failures
            failed = Counter(each.asset for each in failures)
            steps = tuple(
                AssetOutcome(
                    str(key),
                    len(self._plan.planned[key]),
                    made["partitions"],
                    failed[str(key)],
                    rows=made["rows"],
                )
                for key in assets
                for made in [self._made.get(key, Counter())]
            )
            commits = sum(self._made.get(key, Counter())["commits"] for key in assets)
            self._parts[number] = replace(
                self._begun,
                materialized=sum(each.materialized for each in steps),
                failed=0,  # they are among those of the whole
                failures=(),
                skipped=0,
                commits=commits,
                steps=steps,
            )

    def entry(self, status: RunStatus, at: str) -> RunEntry:
        """Return the entry of the run as it is at an instant."""
        with self._lock:
            parts = list(self._parts.values())
            started = {step.asset for part in parts for step in part.steps}
            open_still = [each for each in self._begun.failures if each.asset not in started]
            failures = [*open_still, *self._failures, *(each for part in parts for each in part.failures)]
            return replace(
                self._begun,
                status=status,
                heartbeat_at=at,
                ended_at=at if status.is_over else None,
                materialized=sum(each.materialized for each in parts),
                failed=len(self._failures) + sum(each.failed for each in parts),
                skipped=self._plan.left_out_count
                + self.skipped
                + len(self.blocked)
                + sum(each.skipped for each in parts),
                commits=sum(each.commits for each in parts),
                dropped=sum(each.dropped for each in parts),
                quarantined=sum(each.quarantined for each in parts),
                failures=tuple(sorted(failures, key=lambda each: (each.asset, each.partition or ""))),
                steps=self._outcomes(),
                config={**self._begun.config, **{name: each for part in parts for name, each in part.config.items()}},
                checks_passed=sum(each.checks_passed for each in parts),
                check_failures=tuple(each for part in parts for each in part.check_failures),
            )

    def report(self, entry: RunEntry) -> RunReport:
        """Return the report of the whole run."""
        reports = self._reports
        return RunReport(
            entry,
            (*(each for report in reports for each in report.blocked), *self.blocked),
            tuple(each for report in reports for each in report.skipped),
            broken={name: each for report in reports for name, each in report.broken.items()},
            left_out={name: each for report in reports for name, each in report.left_out.items()},
        )

    def _outcomes(self) -> tuple[AssetOutcome, ...]:
        known = {step.asset: step for part in self._parts.values() for step in part.steps}
        blocked = Counter(str(each.asset) for each in self.blocked)
        found: list[AssetOutcome] = []
        for key, planned in self._plan.planned.items():
            step = known.get(str(key), AssetOutcome(str(key), len(planned)))
            found.append(replace(step, planned=len(planned), skipped=step.skipped + blocked[str(key)]))
        return tuple(found)
