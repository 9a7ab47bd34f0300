"""Afterwards: the checks of what a run has committed, and what they said. They keep nothing from anybody."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from deltaworks.engine.definitions.asset_check import When
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.check_pins import check_pins
from deltaworks.engine.execution.task import Checked, ChecksMade, Outcome, Task
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.errors import DeltaworksError
from deltaworks.io.run_entry import CheckFailure
from deltaworks.io.table import Table
from deltaworks.validation import RuleResult, Severity


@dataclass
class Afterwards:
    """The checks after the commits of one run."""

    graph: AssetGraph
    tables: Mapping[AssetKey, Table]
    run_id: str
    passed: int = 0
    failures: list[CheckFailure] = field(default_factory=list[CheckFailure])
    _waiting: deque[Task] = field(default_factory=deque[Task])
    _versions: dict[tuple[AssetKey, int], int] = field(default_factory=dict[tuple[AssetKey, int], int])

    @property
    def waiting(self) -> int:
        """How many partitions are still to be judged."""
        return len(self._waiting)

    @property
    def has_failed(self) -> bool:
        """Whether a check failed that does not only warn."""
        return any(each.severity == Severity.FAIL for each in self.failures)

    @property
    def in_order(self) -> tuple[CheckFailure, ...]:
        """The failures by asset, partition and check, in whichever order they were found."""
        return tuple(sorted(self.failures, key=lambda each: (each.asset, each.partition or "", each.check)))

    def committed(self, key: AssetKey, ordinals: Iterable[int]) -> Iterator[tuple[int, RuleResult]]:
        """Note that partitions were committed just now; yield what keeps checks from being called on them."""
        node = self.graph.nodes[key]
        if not any(each.check.when is When.AFTER for each in node.checks):
            return
        for ordinal in ordinals:
            self._versions[key, ordinal] = self.tables[key].version
            try:
                reads = check_pins(self.graph, self.tables, node, (ordinal,), When.AFTER)
            except DeltaworksError as error:
                yield from self._note(key, ordinal, self._problem(key, str(error)))
                continue
            partition = node.partitions.key(ordinal)
            task = Task(self.run_id, 0, key, ordinal, ordinal, {}, is_small=True, checks=reads, when=When.AFTER)
            self._waiting.append(replace(task, keys=(partition, partition), code=node.code))

    def take(self, number: int) -> Task | None:
        """Take what is to be judged next, as a task of a number; none: nothing waits."""
        return replace(self._waiting.popleft(), number=number) if self._waiting else None

    def put_back(self, task: Task) -> None:
        """Let a task that was taken wait once more."""
        self._waiting.appendleft(task)

    def note(self, outcome: Outcome) -> Iterator[tuple[int, RuleResult]]:
        """Note what came of a task, and yield what did not pass, with the partition."""
        key = outcome.task.asset
        for ordinal in outcome.task.ordinals:
            made = outcome.checked.get(ordinal)
            problem = outcome.failures.get(ordinal, "the call was lost")
            yield from self._note(key, ordinal, self._problem(key, problem) if made is None else made)

    def _note(self, key: AssetKey, ordinal: int, made: ChecksMade) -> Iterator[tuple[int, RuleResult]]:
        partition = self.graph.nodes[key].partitions.key(ordinal) or None
        for name, each in made.items():
            if each.result is None:
                self.passed += 1
                continue
            self.failures.append(
                CheckFailure(
                    asset=str(key),
                    partition=partition,
                    check=name,
                    severity=each.result.severity.value,
                    problem=str(each.result),
                    version=self._versions[key, ordinal],
                    metadata=dict(each.metadata),
                )
            )
            yield ordinal, each.result

    def _problem(self, key: AssetKey, problem: str) -> ChecksMade:
        """Return the answer of checks that could not be called."""
        checks = (each.check for each in self.graph.nodes[key].checks if each.check.when is When.AFTER)
        return {
            check.name: Checked(RuleResult(None, check.name, Severity.FAIL, None, problem=problem, is_check=True), {})
            for check in checks
        }
