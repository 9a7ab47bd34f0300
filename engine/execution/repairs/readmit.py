"""Readmit: judge rows again that rules once left out, and put those that keep the rules now back into their partition.

A partition's new content is its present rows and its rejected ones, judged together as if its function had returned
them. No function is called and no upstream is read, so it can be done when the source is long gone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from deltaworks.engine.definitions.asset_check import When
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.afterwards import Afterwards
from deltaworks.engine.execution.batch import Batch, checks_of, discard, judge_of, reads_of
from deltaworks.engine.execution.call import Call
from deltaworks.engine.execution.check_pins import check_pins
from deltaworks.engine.execution.checking import Checker
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.given import Produced
from deltaworks.engine.execution.in_order import CommitJudge
from deltaworks.engine.execution.opening import open_latest, refuse_external
from deltaworks.engine.execution.repairs.repair import Keys, carry_out
from deltaworks.engine.execution.stage import Stager
from deltaworks.engine.execution.task import Broken, Outcome, Task
from deltaworks.engine.execution.workers.workers import stager_of
from deltaworks.engine.planning.code_version import differ_by_rules_only
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.errors import RequestError
from deltaworks.io.create import verify_table
from deltaworks.io.dtypes import Json
from deltaworks.io.evolution import brought_under
from deltaworks.io.index import load_table
from deltaworks.io.ledger import write_run
from deltaworks.io.record import Group
from deltaworks.io.rejects import Rejected, count_rejects, current_rejects, scan_rejects
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus
from deltaworks.io.scan import scan_table
from deltaworks.io.staged import StagedPartition
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from deltaworks.validation import REJECTED_BY, compile_contract


@dataclass(frozen=True, slots=True)
class Readmission:
    """What came of judging rejected rows again."""

    entry: RunEntry
    """As the ledger keeps it."""
    readmitted: int
    """How many of them are in the table now."""
    still_rejected: int
    """How many of them are not, of the partitions that were committed."""
    broken: Mapping[tuple[str, str | None], Broken]
    """By asset and partition as a failure names them, what is known of those whose rows were refused."""
    warned: Mapping[str, Sequence[str]]
    """What did not pass among those that were committed, by key."""

    @property
    def judged(self) -> int:
        """How many there were in the partitions that were committed."""
        return self.readmitted + self.still_rejected


def readmit(
    definitions: Definitions,
    graph: AssetGraph,
    node: Node,
    store: Store,
    keys: Keys,
    *,
    command: str,
    environ: Mapping[str, str],
    now: Callable[[], dt.datetime],
) -> Readmission:
    """Judge the rejected rows of some partitions again, each together with the rows that are there, in one commit.

    The record keeps what the partitions were made from, so a change of an upstream still makes them stale. They count
    as made by the present code, unless rows were dropped as well, which cannot come back. Those that others have
    changed stay external: what others wrote is judged with the rest and kept. Checks judge them too.

    Args:
        definitions: the resources that checks ask for.
        graph: the assets.
        node: the asset.
        store: the lake.
        keys: which partitions; none: every one that has rejects.
        command: what started this, for the ledger.
        environ: where resources find their `EnvVar`s.
        now: the clock.

    Raises:
        RequestError: others write the table, no partition that is asked for has rejects, or the function changed since
            one was made.
        UnknownPartition: a key is none of its partitions.
        TableMismatch: the table cannot be written by this engine.
        StorageError: the lake cannot be written.
    """
    refuse_external(node.asset, "materialized")
    table = load_table(store, node.asset.table_name)
    asked = keys.resolve(graph, node, table) if table.exists else []
    rejected = _judgeable(node, table, asked, keys)
    _refuse_other_code(node, rejected.values())
    verify_table(table, table.schema(), node.partition_columns, node.scheme)
    stager = stager_of(definitions, graph, store, (node.key,), environ, {})
    with stager.resources.scope.opened():
        checker = Checker(store, stager.resources)
        ordinals = {key: ordinal for key in rejected if (ordinal := node.partitions.ordinal(key)) is not None}
        tables = _read_by_checks(graph, node, table)
        reads = check_pins(graph, tables, node, ordinals.values(), When.BEFORE)
        entry = begin_entry(command, now())
        outcomes = [
            _stage(
                stager,
                table,
                Task(entry.run_id, number, node.key, ordinal, ordinal, {}, is_small=False, checks=reads),
                rejected[key],
            )
            for number, (key, ordinal) in enumerate(ordinals.items(), start=1)
        ]
        batch = Batch(0.0, outcomes)
        staged = {made.partition.key: made for made in batch.staged}
        readmitted = {key: _count_readmitted(node, table, rejected[key]) for key in staged}
        schema = next((outcome.schema for outcome in outcomes if outcome.schema is not None), table.schema())
        judge = judge_of(node, schema, batch, stager.keep, checker)

        def groups_of(parts: Sequence[StagedPartition]) -> Iterator[Group]:
            for part in parts:
                group = _group(node, part, rejected[part.key])
                yield replace(group, reads=reads_of(node, reads.get(ordinals[part.key], {}), table))

        def checks(parts: Sequence[StagedPartition]) -> Mapping[str, Json]:
            found = checks_of([judge.told(staged[part.key]) for part in parts])
            # What was dropped once stays dropped, so no later readmission may take the content for whole.
            lost = [entry for part in parts for entry in rejected[part.key].dropped]
            return {**found, "not_passed": [*found["not_passed"], *lost]}

        done = carry_out(
            table,
            node,
            [each.partition for each in staged.values()],
            groups_of,
            entry,
            now,
            lambda changed: verify_table(changed, schema, node.partition_columns, node.scheme),
            checks_of=checks,
            scope=judge,
            failures=tuple(_failures(node, table, outcomes)),
        )
        assert done.entry is not None, "rejects that are judged again are a run"
        failed = {failure.partition or "" for failure in done.entry.failures}
        for each in staged.values():
            if each.partition.key in failed:
                discard(table, each.partition)
        committed = {key: counts for key, counts in readmitted.items() if key not in failed}
        told = {key: judge.told(staged[key]).not_passed for key in committed}
        made = [ordinals[key] for key in (*done.changed, *done.emptied)]
        return Readmission(
            _judged_afterwards(done.entry, Afterwards(graph, tables, entry.run_id), stager, node, made),
            sum(back for back, _ in committed.values()),
            sum(left for _, left in committed.values()),
            _broken(node, outcomes, judge),
            {key: tuple(map(str, results)) for key, results in told.items() if results},
        )


def _judgeable(node: Node, table: Table, asked: Sequence[str], keys: Keys) -> dict[str, Rejected]:
    """Return the rejects of some partitions that may be others under the present rules, in the definition's order."""
    found = current_rejects(table, asked)
    rejected = {each.key: each for each in sorted(found, key=lambda each: node.partitions.ordinal(each.key) or 0)}
    if not rejected:
        which = "these partitions" if keys.are_given else "its table"
        raise RequestError(f"No rows of {node.key} are kept as rejects: none of {which} was quarantined.")
    beyond = next((key for key in rejected if node.partitions.ordinal(key) is None), None)
    if beyond is not None:
        raise RequestError(f"{node.key} {beyond} has rejects, but it is no partition of the definition now.")
    rejected = {key: each for key, each in rejected.items() if each.group.source != node.code}
    if not rejected:
        raise RequestError(
            f"The rules of {node.key} are those that left its rejects out, so none would come back; change a rule "
            "first."
        )
    return rejected


def _read_by_checks(graph: AssetGraph, node: Node, table: Table) -> dict[AssetKey, Table]:
    """Return the table of an asset and those that its checks read."""
    others = {edge.upstream for each in node.checks for edge in each.others if edge.upstream != node.key}
    return {node.key: table} | {key: open_latest(table.store, graph.nodes[key].asset) for key in others}


def _judged_afterwards(
    entry: RunEntry, afterwards: Afterwards, stager: Stager, node: Node, made: Sequence[int]
) -> RunEntry:
    """Call the checks of what is committed now, and add what they said to the run's entry."""
    told, number = [*afterwards.committed(node.key, made)], len(made)
    while (task := afterwards.take(number := number + 1)) is not None:
        told += afterwards.note(stager.stage(task))
    if not told and not afterwards.passed:
        return entry
    entry = replace(
        entry,
        status=RunStatus.FAILURE if afterwards.has_failed else entry.status,
        checks_passed=afterwards.passed,
        check_failures=afterwards.in_order,
    )
    write_run(stager.store, entry)
    return entry


def _refuse_other_code(node: Node, rejected: Iterable[Rejected]) -> None:
    for each in rejected:
        if not differ_by_rules_only(each.group.source, node.code):
            raise RequestError(
                f"{f'{node.key} {each.key}'.rstrip()} was made by other code than there is now, not only under other "
                f"rules: `deltaworks materialize {node.key}` without --from-rejects makes it anew."
            )


def _stage(stager: Stager, table: Table, task: Task, rejected: Rejected) -> Outcome:
    call = Call(stager.nodes[str(task.asset)], task)
    return stager.stage_rows(call, lambda: Produced(_rows(call.node, table, rejected).drop(REJECTED_BY)))


def _rows(node: Node, table: Table, rejected: Rejected) -> pl.LazyFrame:
    """Return the rows that a partition has and those that it left out; of these, `REJECTED_BY` is not null."""
    columns = {name: dtype for name, dtype in table.schema().items() if name not in node.computed_columns}
    there = scan_table(table, [rejected.key]).select(*columns)
    # Others may have come to the table since these were left out.
    apart = scan_rejects(table.store, rejected.file)
    apart = apart.select(*brought_under(columns, apart.collect_schema()), REJECTED_BY)
    return pl.concat([there, apart], how="diagonal")


def _count_readmitted(node: Node, table: Table, rejected: Rejected) -> tuple[int, int]:
    """Return how many of the rejected rows of a partition break no rule that leaves them out, and how many others.

    All rows of the partition are judged: some rules look at more than one.
    """
    lf = _rows(node, table, rejected)
    judged = lf.drop(REJECTED_BY)
    contract = compile_contract(node.asset.model, judged.collect_schema())
    residual = contract.judge_residual(judged.collect()) if contract.residual else ()
    kept = contract.sieve.kept(contract.sieve.marked(lf, residual))
    back: int = kept.select(pl.col(REJECTED_BY).count()).collect(engine="streaming").item()
    return back, count_rejects(table.store, rejected.file) - back


def _failures(node: Node, table: Table, outcomes: Sequence[Outcome]) -> Iterator[Failure]:
    for outcome in outcomes:
        for ordinal, reason in outcome.failures.items():
            key = node.partitions.key(ordinal) or None
            yield Failure(str(node.key), key, reason, table.version, table.table_id)


def _broken(node: Node, outcomes: Sequence[Outcome], judge: CommitJudge) -> Mapping[tuple[str, str | None], Broken]:
    staged = {node.partitions.key(ordinal): each for outcome in outcomes for ordinal, each in outcome.broken.items()}
    return {(str(node.key), key or None): each for key, each in {**staged, **judge.broken}.items()}


def _group(node: Node, part: StagedPartition, before: Rejected) -> Group:
    return Group(
        keys=(part.key,) if node.partition_columns else None,
        rows=(part.rows,),
        source=before.group.source if before.dropped else node.code,
        override=before.group.override,
        config_hash=before.group.config_hash,
        inputs=before.group.inputs,
        rejects=None if part.rejects is None else (part.rejects.name,),
        is_external=before.is_changed,
    )
