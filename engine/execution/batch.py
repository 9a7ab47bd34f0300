"""Batch: staged partitions of one asset that wait to be committed together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from deltaworks.engine.execution.checking import Checker
from deltaworks.engine.execution.described import description_of
from deltaworks.engine.execution.in_order import Verdicts, earlier_ordinals, judge_with_table
from deltaworks.engine.execution.task import ChecksRead, Outcome, StagedOutcome
from deltaworks.engine.planning.graph import Node
from deltaworks.errors import TableMismatch
from deltaworks.io.commit import Committed, commit_partitions
from deltaworks.io.create import create_table, verify_table
from deltaworks.io.dtypes import Json, schema_difference
from deltaworks.io.ledger import RunEntry
from deltaworks.io.record import Group, Pin, Record
from deltaworks.io.rejects import drop_rejects
from deltaworks.io.staged import StagedPartition
from deltaworks.io.table import Table
from deltaworks.validation import RuleResult

ENGINE = "deltaworks"


@dataclass
class Batch:
    """What has been staged since the last commit of its table."""

    since_s: float
    """When the first of it arrived, on the monotonic clock."""
    outcomes: list[Outcome] = field(default_factory=list[Outcome])

    @property
    def staged(self) -> list[StagedOutcome]:
        """The staged partitions, in the order of the definition."""
        staged = [each for outcome in self.outcomes for each in outcome.staged]
        return sorted(staged, key=lambda each: each.ordinal)

    def is_due(self, partitions: int, age_s: float, now_s: float) -> bool:
        """Return whether the batch is large or old enough to be committed."""
        return now_s - self.since_s >= age_s or sum(len(outcome.staged) for outcome in self.outcomes) >= partitions


def hold_back(node: Node, batch: Batch, is_open: Callable[[int], bool]) -> list[Outcome]:
    """Take out of a batch what has to wait for the fate of earlier partitions, and return it.

    Args:
        node: the asset.
        batch: what is staged of it.
        is_open: whether a partition is yet to be made, committed or given up.
    """
    if not any(check.goes_by_order for check in node.checks):
        return []
    going: set[int] = set()
    for each in batch.staged:
        if all(earlier in going or not is_open(earlier) for earlier in earlier_ordinals(node, each.ordinal)):
            going.add(each.ordinal)
    held: list[Outcome] = []
    going_outcomes: list[Outcome] = []
    for outcome in batch.outcomes:
        for outcomes, is_going in ((going_outcomes, True), (held, False)):
            part = tuple(each for each in outcome.staged if (each.ordinal in going) is is_going)
            if part:
                outcomes.append(replace(outcome, staged=part))
    batch.outcomes[:] = going_outcomes
    return held


def refuse_misfits(table: Table, node: Node, batch: Batch) -> dict[int, str]:
    """Take out of a batch what its table cannot take, and return why, by ordinal.

    A table that is not there yet will have the columns of the batch's first partition.
    """
    batch.outcomes.sort(key=lambda outcome: outcome.task.first)
    refused: dict[int, str] = {}
    fitting: list[Outcome] = []
    for outcome in batch.outcomes:
        try:
            _verify(table, node, batch.outcomes[0], outcome)
            fitting.append(outcome)
        except TableMismatch as error:
            for each in outcome.staged:
                discard(table, each.partition)
                refused[each.ordinal] = f"{node.key} {each.partition.key}".rstrip() + f": {error}"
    batch.outcomes[:] = fitting
    return refused


def _verify(table: Table, node: Node, first: Outcome, outcome: Outcome) -> None:
    assert first.schema is not None, "what was staged has a schema"
    assert outcome.schema is not None, "what was staged has a schema"
    if table.exists:
        verify_table(table, outcome.schema, node.partition_columns, node.scheme)
        return
    difference = schema_difference(first.schema, outcome.schema)
    if difference is not None:
        raise TableMismatch(
            f"its columns differ from those of the other partitions, with which the table is made: {difference}. "
            "Nothing was committed for it."
        )


@dataclass(frozen=True, slots=True)
class BatchCommit:
    """What became of a batch."""

    committed: Committed
    warned: Mapping[int, tuple[RuleResult, ...]]
    """By ordinal, what did not pass when it was committed and did not keep it back."""


def commit_batch(
    table: Table,
    node: Node,
    batch: Batch,
    decided_at: Mapping[str, int],
    run: RunEntry,
    now: dt.datetime,
    checker: Checker,
) -> BatchCommit:
    """Commit a batch without misfits, creating its table first if there is none.

    Raises:
        TableMismatch: the table cannot take these columns.
        StorageError: the lake cannot be written.
    """
    schema = batch.outcomes[0].schema
    assert schema is not None, "what was staged has a schema"
    if not table.exists:
        create_table(table, schema, node.partition_columns, description_of(node), node.scheme)
        verify_table(table, schema, node.partition_columns, node.scheme)
    by_key = {each.partition.key: (outcome, each) for outcome in batch.outcomes for each in outcome.staged}
    verdicts = Verdicts()

    def judge(table: Table, partitions: Sequence[StagedPartition]) -> Mapping[str, str]:
        nonlocal verdicts
        staged = [by_key[partition.key] for partition in partitions]
        verdicts = judge_with_table(table, node, schema, staged, checker)
        return verdicts.refused

    def record_of(partitions: Sequence[StagedPartition]) -> Record:
        chosen = [by_key[partition.key] for partition in partitions]
        return Record(
            run_id=run.run_id,
            asset=str(node.key),
            engine=ENGINE,
            started_at=run.started_at,
            groups=tuple(_groups(node, chosen, table)),
            checks=checks_of([with_verdicts(each, verdicts) for _, each in chosen]),
        )

    committed = commit_partitions(
        table,
        [each.partition for each in batch.staged],
        decided_at,
        record_of,
        lambda changed: verify_table(changed, schema, node.partition_columns, node.scheme),
        int(now.timestamp() * 1000),
        judge=judge,
    )
    left_out = {*committed.refused, *("".join(conflict.partitions) for conflict in committed.conflicts)}
    staged = [each for each in batch.staged if each.partition.key not in left_out]
    warned = {each.ordinal: with_verdicts(each, verdicts).not_passed[len(each.not_passed) :] for each in staged}
    return BatchCommit(committed, {ordinal: results for ordinal, results in warned.items() if results})


def discard(table: Table, partition: StagedPartition) -> None:
    """Delete the files of a partition that is not to be committed."""
    for file in partition.files:
        table.store.delete(f"{table.name}/{file.path}")
    if partition.rejects is not None:
        drop_rejects(table.store, partition.rejects)


_Pins: TypeAlias = tuple[tuple[str, Pin], ...]


def _groups(node: Node, chosen: Sequence[tuple[Outcome, StagedOutcome]], table: Table) -> Iterator[Group]:
    """Yield one group for each set of upstream versions that partitions were made from and checked against."""
    by_inputs: dict[tuple[_Pins, _Pins], list[StagedOutcome]] = {}
    for outcome, each in chosen:
        pins: dict[str, Pin] = {}
        place = each.ordinal - outcome.task.first
        for argument, pinned in outcome.task.inputs.items():
            if pinned.table_id is not None:
                known = pins.get(pinned.table_id, Pin(str(pinned.asset), pinned.version))
                members = tuple((argument, told) for told in pinned.members[place : place + 1])
                pins[pinned.table_id] = replace(known, members=(*known.members, *members))
        reads = tuple(reads_of(node, outcome.task.checks.get(each.ordinal, {}), table).items())
        by_inputs.setdefault((tuple(pins.items()), reads), []).append(each)
    for (inputs, reads), made in by_inputs.items():
        yield Group(
            keys=tuple(each.partition.key for each in made) if node.partition_columns else None,
            rows=tuple(each.partition.rows for each in made),
            rejects=_rejects(made),
            source=node.code,
            override=node.asset.code_version,
            columns=next((outcome.fingerprints for outcome, _ in chosen if outcome.fingerprints), None),
            inputs=dict(inputs),
            reads=dict(reads),
        )


def reads_of(node: Node, checks: ChecksRead, table: Table) -> dict[str, Pin]:
    """Return what the checks of a partition read, by table id; of its own table the version that is committed on.

    That is what they were judged by: whatever somebody changed since was looked at again, or left the partition out.
    """
    found = {
        pinned.table_id: Pin(str(pinned.asset), pinned.version)
        for read in checks.values()
        for pinned in read.inputs.values()
        if pinned.table_id is not None and pinned.asset != node.key
    }
    if table.table_id is not None and any(
        each.committed or each.earlier for each in node.checks if each.check.name in checks
    ):
        found[table.table_id] = Pin(str(node.key), table.version)
    return found


def _rejects(made: Sequence[StagedOutcome]) -> tuple[str | None, ...] | None:
    names = tuple(None if each.partition.rejects is None else each.partition.rejects.name for each in made)
    return names if any(names) else None


def with_verdicts(staged: StagedOutcome, verdicts: Verdicts) -> StagedOutcome:
    """Add what was found about a partition when it was judged together with what its table holds."""
    more = verdicts.warned.get(staged.partition.key, ())
    found = replace(staged, passed=staged.passed - len(more), not_passed=(*staged.not_passed, *more))
    return found.with_checks(verdicts.checked.get(staged.partition.key, {}))


def checks_of(staged: Sequence[StagedOutcome]) -> Mapping[str, Json]:
    """Return what a record says of the checks of partitions: in detail what did not pass, and what is to be kept."""
    not_passed = [
        {**result.to_json(), "partition": each.partition.key or None} for each in staged for result in each.not_passed
    ]
    metadata = [
        {"check": check, "partition": each.partition.key or None, "values": dict(values)}
        for each in staged
        for check, values in each.metadata.items()
    ]
    found = {"passed": sum(each.passed for each in staged), "not_passed": not_passed}
    return {**found, "metadata": metadata} if metadata else found
