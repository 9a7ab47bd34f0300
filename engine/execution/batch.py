"""Batch: staged partitions of one asset that wait to be committed together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

import polars as pl

from deltaworks.engine.execution.checking import Checker
from deltaworks.engine.execution.described import description_of
from deltaworks.engine.execution.in_order import CommitJudge, earlier_ordinals
from deltaworks.engine.execution.keep import Keep
from deltaworks.engine.execution.migration import addable, migration_to
from deltaworks.engine.execution.table_scope import TableScope
from deltaworks.engine.execution.task import ChecksRead, Outcome, StagedOutcome
from deltaworks.engine.planning.graph import Node
from deltaworks.errors import TableMismatch
from deltaworks.io.commit import Committed, commit_partitions
from deltaworks.io.create import create_table, verify_table
from deltaworks.io.dtypes import Json, schema_difference
from deltaworks.io.evolution import addition, grown
from deltaworks.io.kept import KeptFile
from deltaworks.io.record import Group, Pin, Record
from deltaworks.io.rejects import drop_rejects
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.staged import StagedPartition
from deltaworks.io.table import Table

ENGINE = "deltaworks"

BATCH_PARTITIONS = 50
"""Partitions a commit: 50 in one are 11 to 29 times cheaper than 50 commits."""

BATCH_AGE_S = 2.0
"""How long a staged partition waits for others at most."""


@dataclass
class Batch:
    """What has been staged since the last commit of its table."""

    since_s: float
    """When the first of it arrived, on the monotonic clock."""
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    schema: pl.Schema = field(default_factory=pl.Schema)
    """The columns of the table with those that the batch adds; known once its misfits are refused."""

    @property
    def staged(self) -> list[StagedOutcome]:
        """The staged partitions, in the order of the definition."""
        staged = [each for outcome in self.outcomes for each in outcome.staged]
        return sorted(staged, key=lambda each: each.ordinal)

    def is_due(self, now_s: float) -> bool:
        """Return whether the batch is large or old enough to be committed."""
        staged = sum(len(outcome.staged) for outcome in self.outcomes)
        return now_s - self.since_s >= BATCH_AGE_S or staged >= BATCH_PARTITIONS


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

    A column that may be null is added to the table. One that is not there yet will have the columns of the batch's
    first partition, and those that others add.
    """
    if not batch.outcomes:
        return {}
    batch.outcomes.sort(key=lambda outcome: outcome.task.first)
    batch.schema = table.schema() if table.exists else _schema(batch.outcomes[0])
    refused: dict[int, str] = {}
    fitting: list[Outcome] = []
    for outcome in batch.outcomes:
        try:
            if not fitting or fitting[-1].schema != outcome.schema:
                batch.schema = _verify(table, node, batch.schema, outcome)
            fitting.append(outcome)
        except TableMismatch as error:
            for each in outcome.staged:
                discard(table, each.partition)
                refused[each.ordinal] = f"{node.key} {each.partition.key}".rstrip() + f": {error}"
    batch.outcomes[:] = fitting
    return refused


def _verify(table: Table, node: Node, there: pl.Schema, outcome: Outcome) -> pl.Schema:
    """Return the columns that there are with those that an outcome adds."""
    found = _schema(outcome)
    if table.exists:
        migration = migration_to(node, table, found)
        if migration is not None:
            raise migration.refusal
        verify_table(table, table.schema(), node.partition_columns, node.scheme)
    schema, difference = grown(there, found, addable(node, found))
    if difference is not None:
        told = schema_difference(schema, found) or difference
        raise TableMismatch(
            f"its columns differ from those of the partitions before it: {told}. Nothing was committed for it."
        )
    return schema


def _schema(outcome: Outcome) -> pl.Schema:
    assert outcome.schema is not None, "what was staged has a schema"
    return outcome.schema


def commit_batch(
    table: Table,
    node: Node,
    batch: Batch,
    decided_at: Mapping[str, int],
    run: RunEntry,
    now: dt.datetime,
    keep: Keep | None,
    checker: Checker,
) -> tuple[Committed, CommitJudge]:
    """Commit a batch without misfits, creating its table first if there is none.

    Columns that the table lacks are added by the same commit, by whatever of the batch is committed then.

    Returns:
        What the commit did, and what came of judging the batch together with the rest of the table.

    Raises:
        TableMismatch: the table cannot take these columns.
        StorageError: the lake cannot be written.
    """
    schema = batch.schema
    verify = partial(_verify_again, node, schema)
    if not table.exists:
        create_table(table, schema, node.partition_columns, description_of(node), node.scheme)
        verify(table)
    by_key = {each.partition.key: (outcome, each) for outcome in batch.outcomes for each in outcome.staged}
    judge = judge_of(node, schema, batch, keep, checker)

    def describe(table: Table, partitions: Sequence[StagedPartition]) -> Json | None:
        wanted = {name for partition in partitions for name in _schema(by_key[partition.key][0])}
        return addition(table, {name: schema[name] for name in schema if name in wanted}, description_of(node))

    def record_of(partitions: Sequence[StagedPartition]) -> Record:
        chosen = [by_key[partition.key] for partition in partitions]
        return Record(
            run_id=run.run_id,
            asset=str(node.key),
            engine=ENGINE,
            started_at=run.started_at,
            groups=tuple(groups_of(node, chosen, table)),
            checks=checks_of([judge.told(each) for _, each in chosen]),
            metadata=metadata_of(node, chosen),
        )

    committed = commit_partitions(
        table,
        [each.partition for each in batch.staged],
        decided_at,
        record_of,
        verify,
        int(now.timestamp() * 1000),
        describe,
        judge=judge.refuse,
    )
    return committed, judge


def judge_of(node: Node, schema: pl.Schema, batch: Batch, keep: Keep | None, checker: Checker) -> CommitJudge:
    """Return what judges a batch together with what its table holds."""
    by_key = {each.partition.key: (outcome, each) for outcome in batch.outcomes for each in outcome.staged}
    return CommitJudge(TableScope(node, schema, keep, kept_files(batch.outcomes)), by_key, checker)


def kept_files(outcomes: Iterable[Outcome]) -> dict[str, KeptFile]:
    """Return under which name the rows of each staged partition are kept if it may not be committed, by key."""
    return {
        each.partition.key: KeptFile(
            str(outcome.task.asset), outcome.task.run_id, f"{outcome.task.file_number}-{each.ordinal}.parquet"
        )
        for outcome in outcomes
        for each in outcome.staged
    }


def _verify_again(node: Node, schema: pl.Schema, table: Table) -> None:
    verify_table(table, schema, node.partition_columns, node.scheme, addable(node, schema))


def discard(table: Table, partition: StagedPartition) -> None:
    """Delete the files of a partition that is not to be committed."""
    for file in partition.files:
        table.store.delete(f"{table.name}/{file.path}")
    if partition.rejects is not None:
        drop_rejects(table.store, partition.rejects)


_Pins: TypeAlias = tuple[tuple[str, Pin], ...]


def groups_of(node: Node, chosen: Sequence[tuple[Outcome, StagedOutcome]], table: Table) -> Iterator[Group]:
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
            config_hash=chosen[0][0].task.config_hash,
        )


def metadata_of(node: Node, chosen: Sequence[tuple[Outcome, StagedOutcome]]) -> Mapping[str, Json]:
    """Return what a record keeps of what functions want to be remembered: of a partitioned asset by partition."""
    by_key = {each.partition.key: outcome.metadata for outcome, each in chosen if outcome.metadata}
    return by_key if node.is_partitioned else by_key.get("", {})


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


def checks_of(staged: Sequence[StagedOutcome]) -> Mapping[str, Json]:
    """Return what a record says of the checks of partitions, and how many rows are left out.

    In detail it says what did not pass, and what checks want to be remembered.
    """
    not_passed = [
        {**result.to_json(), "partition": each.partition.key or None} for each in staged for result in each.not_passed
    ]
    metadata = [
        {"check": check, "partition": each.partition.key or None, "values": dict(values)}
        for each in staged
        for check, values in each.metadata.items()
    ]
    found: dict[str, Json] = {
        "passed": sum(each.passed for each in staged),
        "not_passed": not_passed,
        "dropped": sum(each.left_out.dropped for each in staged),
        "quarantined": sum(each.left_out.quarantined for each in staged),
    }
    return {**found, "metadata": metadata} if metadata else found
