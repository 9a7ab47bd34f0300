"""Readmit: judge rows again that rules once left out, and put those that keep the rules now back into their partition.

A partition's new content is its present rows and its rejected ones, judged together as if its function had returned
them. No function is called and no upstream is read, so it can be done when the source is long gone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from deltaworks.engine.definitions.asset_check import When
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.execution.afterwards import Afterwards
from deltaworks.engine.execution.batch import checks_of, reads_of, with_verdicts
from deltaworks.engine.execution.call import Call
from deltaworks.engine.execution.check_pins import check_pins
from deltaworks.engine.execution.checking import Checker
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.in_order import Verdicts, judge_with_table
from deltaworks.engine.execution.launch import resources_of
from deltaworks.engine.execution.opening import open_latest, refuse_external
from deltaworks.engine.execution.repair import Keys, Repair, carry_out
from deltaworks.engine.execution.stage import Stager
from deltaworks.engine.execution.task import Outcome, Task
from deltaworks.engine.planning.code_version import differ_by_rules_only
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.errors import RequestError
from deltaworks.io.create import verify_table
from deltaworks.io.dtypes import Json
from deltaworks.io.index import load_table
from deltaworks.io.ledger import Failure, RunStatus, write_run
from deltaworks.io.record import Group
from deltaworks.io.rejects import Rejected, current_rejects, scan_rejects
from deltaworks.io.scan import scan_table
from deltaworks.io.staged import StagedPartition
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from deltaworks.validation import REJECTED_BY


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
) -> Repair:
    """Judge the rejected rows of some partitions again, each together with the rows that are there, in one commit.

    The record keeps what the partitions were made from, so a change of an upstream still makes them stale. They count
    as made by the present code, unless rows were dropped as well, which cannot come back. Checks judge them too.

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
    rejected = {each.key: each for each in current_rejects(table, asked)}
    if not rejected:
        which = "these partitions" if keys.are_given else "its table"
        raise RequestError(f"No rows of {node.key} are kept as rejects: none of {which} was quarantined.")
    beyond = next((key for key in rejected if node.partitions.ordinal(key) is None), None)
    if beyond is not None:
        raise RequestError(f"{node.key} {beyond} has rejects, but it is no partition of the definition now.")
    rejected = {key: each for key, each in rejected.items() if each.made.source != node.code}
    if not rejected:
        raise RequestError(
            f"The rules of {node.key} are those that left its rejects out, so none would come back; change a rule "
            "first."
        )
    _refuse_other_code(node, rejected.values())
    verify_table(table, table.schema(), node.partition_columns, node.scheme)
    stager = Stager(store, {str(node.key): node}, resources_of(definitions, node, environ))
    checker = Checker(store, stager.resources)
    tables = {node.key: table} | {
        edge.upstream: open_latest(store, graph.nodes[edge.upstream].asset)
        for each in node.checks
        for edge in each.others
        if edge.upstream != node.key
    }
    ordinals = {key: ordinal for key in rejected if (ordinal := node.partitions.ordinal(key)) is not None}
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
    staged = {made.partition.key: (outcome, made) for outcome in outcomes for made in outcome.staged}
    verdicts = Verdicts()
    schema = next((outcome.schema for outcome in outcomes if outcome.schema is not None), table.schema())

    def groups_of(parts: Sequence[StagedPartition]) -> Iterator[Group]:
        for part in parts:
            group = _group(node, part, rejected[part.key])
            yield replace(group, reads=reads_of(node, reads.get(ordinals[part.key], {}), table))

    def judge(changed: Table, parts: Sequence[StagedPartition]) -> Mapping[str, str]:
        nonlocal verdicts
        verdicts = judge_with_table(changed, node, schema, [staged[part.key] for part in parts], checker)
        return verdicts.refused

    def checks(parts: Sequence[StagedPartition]) -> Mapping[str, Json]:
        found = checks_of([with_verdicts(staged[part.key][1], verdicts) for part in parts])
        # What was dropped once stays dropped, so no later readmission may take the content for whole.
        lost = [entry for part in parts for entry in rejected[part.key].dropped]
        return {**found, "not_passed": [*found["not_passed"], *lost]}

    done = carry_out(
        table,
        node,
        [each.partition for _, each in staged.values()],
        groups_of,
        entry,
        now,
        lambda changed: verify_table(changed, schema, node.partition_columns, node.scheme),
        checks_of=checks,
        judge=judge,
        failures=tuple(_failures(node, table, outcomes)),
    )
    return _judged_afterwards(done, Afterwards(graph, tables, entry.run_id), stager, node, ordinals)


def _judged_afterwards(
    done: Repair, afterwards: Afterwards, stager: Stager, node: Node, ordinals: Mapping[str, int]
) -> Repair:
    """Call the checks of what is committed now, and add what they said to the run's entry."""
    assert done.entry is not None, "rejects that are judged again are a run"
    told = [*afterwards.committed(node.key, [ordinals[key] for key in (*done.changed, *done.emptied)])]
    number = len(ordinals)
    while (task := afterwards.take(number := number + 1)) is not None:
        told += afterwards.note(stager.stage(task))
    if not told and not afterwards.passed:
        return done
    status = RunStatus.FAILURE if afterwards.has_failed else done.entry.status
    entry = replace(
        done.entry,
        status=status,
        checks_passed=afterwards.passed,
        check_failures=tuple(afterwards.failures),
    )
    write_run(stager.store, entry)
    return replace(done, entry=entry)


def _refuse_other_code(node: Node, rejected: Iterable[Rejected]) -> None:
    for each in rejected:
        if not differ_by_rules_only(each.made.source, node.code):
            raise RequestError(
                f"{f'{node.key} {each.key}'.rstrip()} was made by other code than there is now, not only under other "
                f"rules: `deltaworks materialize {node.key}` without --from-rejects makes it anew."
            )


def _stage(stager: Stager, table: Table, task: Task, rejected: Rejected) -> Outcome:
    call = Call(stager.nodes[str(task.asset)], task)

    def rows() -> pl.LazyFrame:
        columns = [name for name in table.schema() if name not in call.node.computed_columns]
        rejects = scan_rejects(table.store, rejected.file).drop(REJECTED_BY)
        return pl.concat([scan_table(table, [rejected.key]).select(columns), rejects.select(columns)])

    return stager.stage_rows(call, rows)


def _failures(node: Node, table: Table, outcomes: Sequence[Outcome]) -> Iterator[Failure]:
    for outcome in outcomes:
        for ordinal, reason in outcome.failures.items():
            key = node.partitions.key(ordinal) or None
            yield Failure(str(node.key), key, reason, table.version, table.table_id)


def _group(node: Node, part: StagedPartition, before: Rejected) -> Group:
    return Group(
        keys=(part.key,) if node.partition_columns else None,
        rows=(part.rows,),
        source=before.made.source if before.dropped else node.code,
        override=before.made.override,
        inputs=before.made.inputs,
        rejects=None if part.rejects is None else (part.rejects.name,),
    )
