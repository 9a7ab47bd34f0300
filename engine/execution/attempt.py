"""Attempt: try a run again where it stopped, with what it was to make and the versions that it was to read.

What commits with its id hold is done, whatever the ledger says. Attempts are claimed by number, so no two of them have
the same one.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.again import Again
from deltaworks.engine.execution.decide import Decision, Question
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.events import PartitionSkipped
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.opening import no_table, open_version
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.plan import Only, Plan, Step, failing_keys
from deltaworks.engine.planning.request import Request
from deltaworks.errors import RequestError, RunGoesOn
from deltaworks.io.attempts import take_attempt
from deltaworks.io.ledger import write_run
from deltaworks.io.log import records
from deltaworks.io.record import Kind
from deltaworks.io.run_entry import Attempt, RunEntry, RunStatus
from deltaworks.io.run_lookup import look_up_run
from deltaworks.io.run_plan import PlannedTable, RunPlan, read_run_plan, write_run_plan
from deltaworks.io.scan import refuse_removed_files
from deltaworks.io.stop_request import forget_stop_requests
from deltaworks.io.store import Store
from deltaworks.io.table import Table

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Retry:
    """What is left of a run."""

    decision: Decision
    """What is to be made now, and the tables as it is made from them."""
    done: int
    """How many partitions the run has committed."""
    made_by_others: tuple[PartitionSkipped, ...]
    """What others have changed since the run began; it stays as it is."""


def keep_plan(graph: AssetGraph, store: Store, run_id: str, plan: Plan, tables: Mapping[AssetKey, Table]) -> None:
    """Keep what a run is to make, and at which versions it finds what it writes and reads.

    Raises:
        StorageError: the lake cannot be written.
    """
    read = {edge.upstream for key in plan.planned for edge in graph.nodes[key].upstream}
    planned = {
        str(key): tuple((partitions.key(first), partitions.key(last)) for first, last in part.ranges())
        for key, part in plan.planned.items()
        for partitions in [graph.nodes[key].partitions]
    }
    found = {str(key): PlannedTable(tables[key].table_id, tables[key].version) for key in {*plan.planned, *read}}
    code = {str(key): graph.nodes[key].code for key in plan.planned}
    known = {asset: each for asset, each in code.items() if each is not None}
    write_run_plan(store, run_id, RunPlan(planned, found, known))


def begin_attempt(store: Store, run_id: str, command: str, now: dt.datetime) -> RunEntry:
    """Return the entry of the next attempt of a run, which no other process gets; of the first one if it is new.

    Raises:
        RunGoesOn: it does, or is being begun, in another process.
        RequestError: the id is none.
        StorageError: the lake cannot be written.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise RequestError(
            f"{run_id!r} cannot be a run's id: use up to 100 letters, digits, dots, dashes and underscores, beginning "
            "with a letter or digit."
        )
    run = _latest_attempt(store, run_id, now)
    first = 1 if run is None else run.attempt + 1
    number = take_attempt(store, run_id, first)
    if number != first:
        run = _latest_attempt(store, run_id, now)  # what others began meanwhile may be over, too
    forget_stop_requests(store, run_id)  # of an attempt that died before it saw them
    fresh = replace(begin_entry(command, now), run_id=run_id, attempt_started_at=now.isoformat())
    if run is None:
        return replace(fresh, attempt=number)
    before = Attempt(
        run.attempt,
        run.status_at(now),
        run.attempt_started_at or run.started_at,
        run.ended_at,
        run.materialized,
        run.failed,
        run.skipped,
        run.commits,
    )
    return replace(
        fresh,
        command=run.command,
        started_at=run.started_at,
        attempt=number,
        tags=run.tags,
        priority=run.priority,
        executor=run.executor,
        workers=run.workers,
        memory_mb=run.memory_mb,
        job=run.job,
        job_partition=run.job_partition,
        config=run.config,
        tick=run.tick,
        failures=run.failures,
        earlier=(*run.earlier, before),
    )


def _latest_attempt(store: Store, run_id: str, now: dt.datetime) -> RunEntry | None:
    """Return the entry of a run whose latest attempt is over; none: nobody has begun it.

    Raises:
        RunGoesOn: it is not.
    """
    run = look_up_run(store, run_id)
    if run is not None and not run.status_at(now).is_over:
        raise RunGoesOn(
            f"Run {run_id} still goes on ({run.status} on {run.host}, process {run.pid}); `deltaworks runs cancel "
            f"{run_id}` stops it."
        )
    return run


def end_with_nothing_left(store: Store, entry: RunEntry, now: dt.datetime, *, has_failed: bool) -> None:
    """End an attempt that found everything done by those before it, which may have died before they could say so.

    Raises:
        StorageError: the lake cannot be written.
    """
    status = RunStatus.FAILURE if has_failed else RunStatus.SUCCESS
    write_run(store, replace(entry, status=status, ended_at=now.isoformat()))


def decide_retry(graph: AssetGraph, store: Store, run: RunEntry, *, latest: bool = False) -> Retry:
    """Decide what is left of a run.

    Args:
        graph: the assets.
        store: the lake.
        run: the run, as its last attempt left it.
        latest: whether its upstreams are read as they are now, instead of as the first attempt read them.

    Raises:
        RequestError: nothing is kept of its plan, a definition has changed too much, or an upstream is another table.
        VersionGone, FilesGone: an upstream is not any more what the first attempt read.
        StorageError: the lake cannot be read.
    """
    noted = read_run_plan(store, run.run_id)
    if noted is None:
        raise RequestError(
            f"Nothing is kept of what run {run.run_id} was to make, so it cannot go on; run its command again: "
            f"deltaworks {run.command}"
        )
    asked = {
        key: _resolved(graph.nodes[key], ranges)
        for name, ranges in noted.planned.items()
        for key in [graph.node(name).key]
    }
    seen = observe(graph, store)
    left: dict[AssetKey, PartitionSet] = {}
    others: list[PartitionSkipped] = []
    count = 0
    for key, part in asked.items():
        table, then = seen.tables[key], noted.tables[str(key)]
        done = part & made_by(graph.nodes[key], table, run.run_id, then)
        count += len(done)
        theirs = list(_changed_since(graph.nodes[key], table, part - done, then))
        others += [skipped for _, skipped in theirs]
        remaining = part - done - PartitionSet.of([ordinal for ordinal, _ in theirs], part.size)
        if remaining:
            left[key] = remaining
    tables = dict(seen.tables)
    if not latest:
        for key in {edge.upstream for each in left for edge in graph.nodes[each].upstream} - asked.keys():
            tables[key] = _as_read(graph, store, key, noted.tables.get(str(key)), seen.tables[key], left, run)
    reason = f"it is left of run {run.run_id}"
    in_order = {key: left[key] for key in graph.nodes if key in left}
    steps = tuple(Step(key, part, (reason,)) for key, part in in_order.items())
    question, failing = Question(Request(asked), replace(seen, tables=tables)), failing_keys(seen.status, in_order)
    decided = Decision(question, Plan(steps, (), in_order, frozenset({Only.ALL}), failing=failing))
    return Retry(decided, count, tuple(others))


def decide_retry_again(graph: AssetGraph, store: Store, run: RunEntry, before: Retry, *, latest: bool = False) -> Again:
    """Decide anew what is left of a run, after its attempt has waited for others; see `decide_retry`.

    It reads what it was to read before it waited.
    """
    left = decide_retry(graph, store, run, latest=latest)
    told = {(each.asset, each.key) for each in before.made_by_others}
    new = tuple(each for each in left.made_by_others if (each.asset, each.key) not in told)
    return Again(left.decision.plan, left.decision.asked.observation.tables, new)


def made_by(node: Node, table: Table, run_id: str, since: PlannedTable | None = None) -> PartitionSet:
    """Return the partitions of an asset that commits of a run hold, whoever has changed them after that.

    Cost: reads the commits since a version of the table; all of them if none is known.
    """
    size = node.partitions.size
    if not table.exists:
        return PartitionSet.none(size)
    after = since.version if since is not None and since.table_id == table.table_id else -1
    ordinals: set[int] = set()
    for record in records(table.store, table.name, after):
        if record.run_id == run_id and record.kind is Kind.MATERIALIZE:
            keys = (key for group in record.groups for key in group.keys or ("",))
            ordinals |= {ordinal for key in keys if (ordinal := node.partitions.ordinal(key)) is not None}
    return PartitionSet.of(sorted(ordinals), size)


def without_made(graph: AssetGraph, decision: Decision, run_id: str) -> Decision:
    """Return a decision without what commits of a run hold already; only their logs are asked."""
    tables = decision.asked.observation.tables
    left = {key: part - made_by(graph.nodes[key], tables[key], run_id) for key, part in decision.plan.planned.items()}
    steps = (replace(step, partitions=step.partitions & left[step.asset]) for step in decision.plan.steps)
    plan = replace(
        decision.plan,
        steps=tuple(step for step in steps if step.partitions),
        planned={key: part for key, part in left.items() if part},
    )
    return replace(decision, plan=plan)


def _resolved(node: Node, ranges: tuple[tuple[str, str], ...]) -> PartitionSet:
    """Return the partitions that a plan names by the ends of ranges."""
    found: list[tuple[int, int]] = []
    for ends in ranges:
        ordinals = [node.partitions.ordinal(key) for key in ends]
        gone = next((key for key, ordinal in zip(ends, ordinals, strict=True) if ordinal is None), None)
        if gone is not None:
            raise RequestError(
                f"The run was to make partition {gone!r} of {node.key}, which its definition does not have any more "
                f"({node.asset.where}), so it cannot go on; run its command again."
            )
        found.append((ordinals[0] or 0, ordinals[1] or 0))
    return PartitionSet.of_ranges(found, node.partitions.size)


def _changed_since(
    node: Node, table: Table, part: PartitionSet, then: PlannedTable
) -> list[tuple[int, PartitionSkipped]]:
    """Return what others have changed since the run began, with who did."""
    since = then.version if then.table_id == table.table_id else -1
    found: list[tuple[int, PartitionSkipped]] = []
    for ordinal in part:
        key = node.partitions.key(ordinal)
        version = table.changed_at(key)
        if version > since:
            found.append((ordinal, PartitionSkipped(node.key, key, version, str(table.writers[version]))))
    return found


def _as_read(
    graph: AssetGraph,
    store: Store,
    key: AssetKey,
    noted: PlannedTable | None,
    now: Table,
    left: Mapping[AssetKey, PartitionSet],
    run: RunEntry,
) -> Table:
    """Return an upstream as the first attempt read it, with all of its files that are needed still there."""
    way_out = f"`deltaworks runs retry {run.run_id} --latest` reads what is there now"
    if noted is None:
        raise RequestError(f"Run {run.run_id} did not read {key}, which its assets read now; {way_out}.")
    if noted.table_id is None:
        return no_table(store, graph.nodes[key].asset)
    if noted.table_id != now.table_id:
        raise RequestError(f"{key} is another table now than the one that run {run.run_id} read; {way_out}.")
    if noted.version == now.version:
        return now
    then = open_version(store, graph.nodes[key].asset, noted.version)
    keys: dict[str, None] = {}
    for downstream, part in left.items():
        for edge in graph.nodes[downstream].upstream:
            if edge.upstream == key:
                mapped = edge.correspondence.upstream(part)
                keys |= dict.fromkeys(graph.nodes[key].partitions.key(ordinal) for ordinal in mapped)
    refuse_removed_files(then, keys, way_out)
    return then
