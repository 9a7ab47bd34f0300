"""In order: checks that hang on earlier partitions of their asset, judged at the commit.

Partitions are judged as if they were committed one after the other, in the order of the definition, however they are
put together in calls and commits: each sees those before it as the commit will leave them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from deltaworks.engine.execution.checking import Checker, refusals_of, staged_files, staged_pin
from deltaworks.engine.execution.table_scope import Part, TableScope
from deltaworks.engine.execution.task import Broken, Checked, CheckRead, ChecksMade, Outcome, PinnedInput, StagedOutcome
from deltaworks.engine.planning.check_nodes import CheckNode
from deltaworks.engine.planning.graph import Edge, Node
from deltaworks.io.known_statistics import KnownStatistics
from deltaworks.io.log import LiveFile
from deltaworks.io.partition_statistics import PartitionStatistics, added_up
from deltaworks.io.staged import StagedPartition
from deltaworks.io.table import Table
from deltaworks.validation import RuleResult


@dataclass
class CommitJudge:
    """Judges staged partitions of one asset by all that hangs on what its table holds when they are committed."""

    scope: TableScope
    """The rules over the whole table."""
    staged: Mapping[str, tuple[Outcome, StagedOutcome]]
    """By key."""
    checker: Checker
    checked: Mapping[str, ChecksMade] = field(default_factory=dict[str, "ChecksMade"])
    """By key, what the checks said of all that were judged by some, as of the last time."""

    @property
    def broken(self) -> Mapping[str, Broken]:
        """By key, what is to be told of those that were refused for the values of their rows."""
        return self.scope.broken

    @property
    def warned(self) -> Mapping[str, tuple[RuleResult, ...]]:
        """By key, what does not pass and is only to warn of, beside what was known before."""
        found = {key: self.told(each).not_passed[len(each.not_passed) :] for key, (_, each) in self.staged.items()}
        return {key: results for key, results in found.items() if results}

    def told(self, staged: StagedOutcome) -> StagedOutcome:
        """Add what was found of a partition that may be committed."""
        more = self.scope.warned.get(staged.partition.key, ())
        found = replace(staged, passed=staged.passed - len(more), not_passed=(*staged.not_passed, *more))
        return found.with_checks(self.checked.get(staged.partition.key, {}))

    def refuse(self, table: Table, parts: Sequence[Part]) -> Mapping[str, str]:
        """Return why some partitions cannot be committed, by key.

        Args:
            table: the table, at the version that the commit follows.
            parts: the partitions, in the order of the definition.
        """
        left, dropped = [self.staged[part.key] for part in parts], dict[str, str]()
        while True:
            by_rules = self.scope.refuse(table, [each.partition for _, each in left])
            kept = [each for each in left if each[1].partition.key not in by_rules]
            by_checks, self.checked = _judge_checks(table, self.scope.node, self.scope.schema, kept, self.checker)
            first = next((each for each in left if each[1].partition.key in by_checks), None)
            if first is None or not by_rules:
                return {**dropped, **by_rules, **by_checks}
            # What a rule found in others may be found no more without it.
            key = first[1].partition.key
            dropped[key] = by_checks[key]
            left.remove(first)


def earlier_ordinals(node: Node, ordinal: int) -> Iterator[int]:
    """Yield the partitions whose fate must be known before a partition can be judged."""
    for check in node.checks:
        if check.goes_by_order:
            for edge in check.earlier:
                yield from (each for each in edge.correspondence.upstream_of(ordinal, ordinal) if each != ordinal)


def _judge_checks(
    table: Table,
    node: Node,
    schema: pl.Schema,
    staged: Sequence[tuple[Outcome, StagedOutcome]],
    checker: Checker,
) -> tuple[dict[str, str], dict[str, ChecksMade]]:
    checks = [each for each in node.checks if each.goes_by_order]
    refused: dict[str, str] = {}
    checked: dict[str, ChecksMade] = {}
    before = _Before(table, node, schema)
    for outcome, each in staged if checks else ():
        reads = outcome.task.checks.get(each.ordinal, {})
        made: dict[str, Checked] = {}
        for check in checks:
            if check.check.name in reads:
                made[check.check.name] = _judge(check, each, reads[check.check.name], before, checker)
        checked[each.partition.key] = made
        failed = refusals_of(made)
        if failed:
            whose = f"{node.key} {each.partition.key}".rstrip()
            refused[each.partition.key] = f"{whose}: {'; '.join(map(str, failed))}. Nothing was committed for it."
        else:
            before.accepted[each.ordinal] = each.partition
    return refused, checked


@dataclass
class _Before:
    """The partitions before a judged one, as the commit will leave them."""

    table: Table
    node: Node
    schema: pl.Schema
    accepted: dict[int, StagedPartition] = field(default_factory=dict[int, StagedPartition])
    """By ordinal, those that will be committed together with it."""
    known: KnownStatistics = field(init=False)

    def __post_init__(self) -> None:
        self.known = KnownStatistics(self.table)

    def files(self, ordinals: Sequence[int]) -> Iterator[LiveFile]:
        """Yield the files of some partitions."""
        for ordinal in ordinals:
            if ordinal in self.accepted:
                yield from staged_files(self.accepted[ordinal])
            else:
                yield from self.table.files([self.node.partitions.key(ordinal)])

    def statistics(self, ordinals: Sequence[int]) -> Iterator[PartitionStatistics]:
        """Yield the statistics of those partitions that there are."""
        for ordinal in ordinals:
            if ordinal in self.accepted:
                yield staged_statistics(self.accepted[ordinal])
            else:
                found = self.known.of(self.node.partitions.key(ordinal))
                if found is not None:
                    yield found


def _judge(check: CheckNode, staged: StagedOutcome, read: CheckRead, before: _Before, checker: Checker) -> Checked:
    ordinal = staged.ordinal
    if check.check.comparison is not None:
        (edge,) = check.earlier
        trailing = list(before.statistics(_mapped(edge, ordinal)))
        return checker.compare(check, staged_statistics(staged.partition), trailing)
    judged = staged_pin(before.node, staged.partition, before.schema)
    earlier: dict[str, PinnedInput] = {
        edge.argument.argument: replace(judged, files=tuple(before.files(_mapped(edge, ordinal))))
        for edge in check.earlier
    }
    return checker.judge(check, ordinal, judged, CheckRead({**read.inputs, **earlier}, read.cuts))


def staged_statistics(partition: StagedPartition) -> PartitionStatistics:
    """Return the statistics of a staged partition."""
    found = added_up(partition.key, (file.statistics for file in partition.files))
    assert found is not None, "what is staged says how many rows it has"
    return found


def _mapped(edge: Edge, ordinal: int) -> list[int]:
    return list(edge.correspondence.upstream_of(ordinal, ordinal))
