"""Swap: put a whole table in the place of the one that is there, in one commit, once all of it is staged.

What a run computed stands beside what was carried over; a reader sees the former table or the new one. If a single
partition could not be made, or somebody else changed the table meanwhile, it stays as it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deltaworks.engine.execution.batch import ENGINE, Batch, checks_of, discard, groups_of, judge_of, metadata_of
from deltaworks.engine.execution.checking import Checker
from deltaworks.engine.execution.described import description_of
from deltaworks.engine.execution.in_order import CommitJudge
from deltaworks.engine.execution.keep import Keep
from deltaworks.engine.execution.migration import addable, expected_schema, migration_to
from deltaworks.engine.execution.table_scope import Part
from deltaworks.engine.planning.graph import Node
from deltaworks.errors import CommitConflict, RunError, TableMismatch
from deltaworks.io.carry import carry
from deltaworks.io.commit import Committed, commit_whole
from deltaworks.io.create import verify_writable
from deltaworks.io.dtypes import schema_difference
from deltaworks.io.evolution import described_anew, grown
from deltaworks.io.log import SCHEME
from deltaworks.io.record import Record
from deltaworks.io.restore import RestoredPartition, restored_groups
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.table import Table


@dataclass(frozen=True, slots=True)
class Swap:
    """What the new table is to consist of."""

    made: int
    """How many partitions the run makes."""
    carried: tuple[str, ...] = ()
    """The partitions whose rows are only brought under the new columns."""

    def commit(
        self,
        table: Table,
        node: Node,
        batch: Batch,
        decided_at: Mapping[str, int],  # noqa: ARG002 - it is the version that the table is at, for all of it
        run: RunEntry,
        now: dt.datetime,
        keep: Keep | None,
        checker: Checker,
    ) -> tuple[Committed, CommitJudge]:
        """Commit everything, or drop what was staged.

        Returns:
            What the commit did, and what came of judging the partitions together.

        Raises:
            RunError: not all of it was made, or it breaks a rule of the whole table.
            CommitConflict: somebody else changed the table since it was decided on.
            TableMismatch: partitions that are carried over do not fit under the new columns.
            StorageError: the lake cannot be written.
        """
        carried: list[RestoredPartition] = []
        try:
            return self._commit(table, node, batch, carried, run, int(now.timestamp() * 1000), keep, checker)
        except (RunError, CommitConflict, TableMismatch):  # of nothing else it is sure that no commit names the files
            for each in batch.staged:
                discard(table, each.partition)
            for path in (file.path for part in carried for file in part.files):
                table.store.delete(f"{table.name}/{path}")
            raise

    def _commit(
        self,
        table: Table,
        node: Node,
        batch: Batch,
        carried: list[RestoredPartition],
        run: RunEntry,
        now_ms: int,
        keep: Keep | None,
        checker: Checker,
    ) -> tuple[Committed, CommitJudge]:
        staged = batch.staged
        if len(staged) < self.made:
            failed = self.made - len(staged)
            raise RunError(f"its table stays as it is, since {failed:,} of {self.made:,} partitions were not made")
        schema = _schema(node, table, batch)
        migration = migration_to(node, table, schema)
        if self.carried and migration is not None and not migration.is_mechanical:
            raise cannot_carry(migration.asset, self.carried)
        judge = judge_of(node, schema, batch, keep, checker)
        refused = judge.refuse(table, [each.partition for each in staged])
        if refused:
            raise RunError(f"its table stays as it is: {next(iter(refused.values()))}")
        carried += carry(table, self.carried, schema, run.run_id, now_ms)
        by_partition = {id(each): outcome for outcome in batch.outcomes for each in outcome.staged}
        chosen = [(by_partition[id(each)], each) for each in staged]
        groups = groups_of(node, chosen, table)
        record = Record(
            run_id=run.run_id,
            asset=str(node.key),
            engine=ENGINE,
            started_at=run.started_at,
            groups=(*groups, *restored_groups(carried, is_partitioned=bool(node.partition_columns))),
            checks=checks_of([judge.told(each) for each in staged]),
            metadata={
                **metadata_of(node, chosen),
                "migration": [] if migration is None else [str(change) for change in migration.changes],
            },
        )
        metadata = described_anew(table, schema, description_of(node))
        scheme = {} if node.scheme is None else {SCHEME: node.scheme}
        metadata |= {
            "partitionColumns": list(node.partition_columns),
            "configuration": {**(metadata.get("configuration") or {}), **scheme},
        }
        parts: list[Part] = [*(each.partition for each in staged), *carried]
        return Committed(commit_whole(table, parts, record, metadata, verify_writable, now_ms), ()), judge


def cannot_carry(asset: str, keys: Sequence[str]) -> TableMismatch:
    """Return what is raised where partitions cannot be made again and do not fit under the new columns as they are."""
    shown = ", ".join(key or "the whole table" for key in keys[:5])
    more = f" and {len(keys) - 5:,} more" if len(keys) > 5 else ""
    named = "".join(f" --partition {key}" for key in keys[:5] if key) or " --yes"
    return TableMismatch(
        f"{asset}: no function makes the rows of {shown}{more}, which were written from outside, rolled back or lie "
        "beyond the definition, and they do not fit under the new columns. Nothing was written. To give them up, "
        f"`deltaworks wipe {asset}{named}`, and migrate then."
    )


def _schema(node: Node, table: Table, batch: Batch) -> pl.Schema:
    """Return the columns of the new table: those that its partitions have, or that its asset declares."""
    schemas = [outcome.schema for outcome in batch.outcomes if outcome.schema is not None]
    if not schemas:
        return pl.Schema(expected_schema(node, table))
    schema = schemas[0]
    for each in schemas[1:]:
        schema, difference = grown(schema, each, addable(node, each))
        if difference is not None:
            told = schema_difference(schema, each) or difference
            raise TableMismatch(f"its partitions have different columns: {told}. Nothing was written.")
    return schema
