"""Repair: a run that gives partitions of one table other content without calling any function.

Rollbacks and wipes are such runs. Each is one commit, made by the same compare-and-swap as any other: what somebody
else changed since it was decided on is left as it is and reported.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import polars as pl

from deltaworks.engine.execution.batch import ENGINE
from deltaworks.engine.execution.in_order import CommitJudge
from deltaworks.engine.execution.table_scope import Part, TableScope
from deltaworks.engine.execution.task import Broken
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.request import request
from deltaworks.errors import CommitConflict, StorageError
from deltaworks.io.commit import commit_partitions
from deltaworks.io.create import verify_partitions
from deltaworks.io.dtypes import Json
from deltaworks.io.index import save_index_if_due
from deltaworks.io.ledger import write_run
from deltaworks.io.record import Group, Kind, Record
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus
from deltaworks.io.table import Table

P = TypeVar("P", bound=Part)


@dataclass(frozen=True, slots=True)
class Keys:
    """Which partitions a command names: keys one by one, or a range with both ends; none: every one of the table."""

    named: Sequence[str] = ()
    from_key: str | None = None
    to_key: str | None = None

    @property
    def are_given(self) -> bool:
        """Whether any partition is named."""
        return bool(self.named) or self.from_key is not None or self.to_key is not None

    def resolve(self, graph: AssetGraph, node: Node, *tables: Table) -> list[str]:
        """Return the keys that are meant; of every one, those that any version in `tables` has or had.

        A key that the definition does not have is meant as well if the table has it: outside content can be repaired.

        Raises:
            UnknownPartition: a key is neither the definition's nor the table's.
            RequestError: the range is none.
            TableMismatch: the table's partitions are of another kind than the asset's, so its keys mean nothing there.
        """
        if not self.are_given:
            return _known(node, tables)
        verify_partitions(tables[0], node.partition_columns, node.scheme)
        beyond = [
            key
            for key in dict.fromkeys(self.named)
            if node.partitions.ordinal(key) is None and any(table.changed_at(key) >= 0 for table in tables)
        ]
        defined = [key for key in self.named if key not in beyond]
        if not defined and self.from_key is None and self.to_key is None:
            return beyond
        asked = request(graph, (node.key,), defined, self.from_key, self.to_key).partitions[node.key]
        return [*(node.partitions.key(ordinal) for ordinal in asked), *beyond]


@dataclass(frozen=True, slots=True)
class Repair:
    """What a rollback or a wipe did."""

    entry: RunEntry | None
    """As the ledger keeps it; none: there was nothing to do, so there was no run."""
    version: int | None = None
    """The version that its commit made; none: it committed nothing."""
    changed: tuple[str, ...] = ()
    """The partitions that have other content now."""
    emptied: tuple[str, ...] = ()
    """The partitions that have no content any more."""
    unchanged: tuple[str, ...] = ()
    """The partitions that were asked for and needed nothing."""
    conflicts: tuple[CommitConflict, ...] = ()
    """One for each partition that somebody else changed meanwhile; it was left as it is."""
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    """Why others were left as they are, by key: their new content does not go together with the rest of the table."""
    warned: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """What does not pass among the changed ones and is only to warn of, by key."""
    broken: Mapping[tuple[str, str | None], Broken] = field(default_factory=dict[tuple[str, str | None], Broken])
    """By asset and partition as a failure names them, what is known of those whose rows were refused."""
    note: str | None = None
    """What did not go well but changes nothing about the result."""


def carry_out(
    table: Table,
    node: Node,
    parts: Sequence[P],
    groups_of: Callable[[Sequence[P]], Iterable[Group]],
    entry: RunEntry,
    now: Callable[[], dt.datetime],
    verify: Callable[[Table], None],
    describe: Callable[[Table, Sequence[P]], Json] | None = None,
    checks_of: Callable[[Sequence[P]], Mapping[str, Json]] = lambda _: {},
    failures: Sequence[Failure] = (),
    scope: TableScope | CommitJudge | None = None,
) -> Repair:
    """Commit the new content of partitions, with the ledger's entry before and after.

    Args:
        table: the table, at the version on which the content was decided.
        node: its asset.
        parts: the new content.
        groups_of: what the record says of those that are committed.
        entry: the run that begins.
        now: the clock.
        verify: see `commit_partitions`.
        describe: see `commit_partitions`.
        checks_of: what the record says of the checks of those that are committed.
        failures: what failed before there was anything to commit.
        scope: judges it together with the rest of the table.

    Raises:
        StorageError: the lake cannot be written; nothing was committed.
        TableMismatch: the table cannot be written by this engine any more.
    """
    then = table.version, table.table_id

    def record_of(chosen: Sequence[P]) -> Record:
        return Record(
            run_id=entry.run_id,
            asset=str(node.key),
            engine=ENGINE,
            started_at=entry.started_at,
            groups=tuple(groups_of(chosen)),
            checks=checks_of(chosen),
            kind=entry.kind,
        )

    write_run(table.store, entry)
    try:
        decided_at = {part.key: table.version for part in parts}
        committed = commit_partitions(
            table,
            parts,
            decided_at,
            record_of,
            verify,
            int(now().timestamp() * 1000),
            describe,
            None if scope is None else scope.refuse,
        )
    except BaseException:
        write_run(table.store, replace(entry, status=RunStatus.FAILURE, ended_at=now().isoformat()))
        raise
    conflicts = [
        Failure(str(node.key), key or None, str(conflict), *then)
        for conflict in committed.conflicts
        for key in conflict.partitions or ("",)
    ]
    refused = [Failure(str(node.key), key or None, reason, *then) for key, reason in committed.refused.items()]
    failed = {failure.partition or "" for failure in (*conflicts, *refused)}
    failures = (*failures, *conflicts, *refused)
    made = [part for part in parts if part.key not in failed]
    done = [part.key for part in made]
    changed = sum(len(group.rows) for group in groups_of(made))
    checks = checks_of(made)
    ended = replace(
        entry,
        status=RunStatus.FAILURE if failures else RunStatus.SUCCESS,
        ended_at=now().isoformat(),
        failed=len(failures),
        commits=0 if committed.version is None else 1,
        failures=failures,
        materialized=changed if entry.kind is Kind.MATERIALIZE else 0,
        replaced=0 if entry.kind is Kind.MATERIALIZE else changed,
        dropped=checks.get("dropped", 0),
        quarantined=checks.get("quarantined", 0),
    )
    note = None
    try:
        write_run(table.store, ended)
    except StorageError as error:
        note = f"the ledger does not show this: {error}"  # what is committed stands
    save_index_if_due(table)
    return Repair(
        ended,
        committed.version,
        changed=tuple(key for key in done if table.has_content(key)),
        emptied=tuple(key for key in done if not table.has_content(key)),
        conflicts=committed.conflicts,
        refused=committed.refused,
        warned={} if scope is None else {key: tuple(map(str, found)) for key, found in scope.warned.items()},
        broken={} if scope is None else {(str(node.key), key or None): each for key, each in scope.broken.items()},
        note=note,
    )


def _known(node: Node, tables: Sequence[Table]) -> list[str]:
    """Return every partition that tables have or had, spelled as the definition does, else by its place."""
    places = pl.concat([table.partitions()["key"] for table in tables]).unique(maintain_order=True)
    ordinals = node.partitions.ordinals(places)
    known = pl.DataFrame({"place": places, "ordinal": ordinals}).sort("ordinal", "place", nulls_last=True)
    defined, beyond = known.drop_nulls("ordinal"), known.filter(pl.col("ordinal").is_null())["place"]
    spelled = [*node.partitions.keys(defined["ordinal"]), *map(node.partitions.key_beyond, beyond)]
    found = zip(spelled, [*defined["place"], *beyond], strict=True)
    # An instant that others spelled otherwise in a column of texts lies elsewhere than the definition's partition.
    return [key if tables[0].places.of_key(key) == place else place for key, place in found]
