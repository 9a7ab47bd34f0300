"""Migrate: make a whole table anew as its asset is now, in one commit, where a commit of some partitions cannot."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from threading import Event as Flag

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.again import Again
from deltaworks.engine.execution.asset_resources import NO_RESOURCES
from deltaworks.engine.execution.batch import Batch
from deltaworks.engine.execution.checking import Checker
from deltaworks.engine.execution.events import EventSink
from deltaworks.engine.execution.fit import verify_form
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.migration import find_migration
from deltaworks.engine.execution.observe import Observation, observe
from deltaworks.engine.execution.opening import refuse_external
from deltaworks.engine.execution.repairs.repair import Keys
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.execution.sharing import Sharing
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.swap import Swap, cannot_carry
from deltaworks.engine.execution.workers.workers import Workers
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.left_out import left_out
from deltaworks.engine.planning.plan import Only, Plan
from deltaworks.engine.planning.status import Status
from deltaworks.errors import RequestError, TableMismatch
from deltaworks.io.create import verify_writable
from deltaworks.io.index import save_index_if_due
from deltaworks.io.ledger import write_run
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.store import Store
from deltaworks.io.table import Table


def migrate(
    definitions: Definitions,
    graph: AssetGraph,
    node: Node,
    store: Store,
    *,
    workers: Workers | int,
    entry: RunEntry,
    environ: Mapping[str, str],
    now: Callable[[], dt.datetime],
    tell: EventSink,
    stop: Flag | Stop,
    sharing: Sharing | None = None,
) -> RunReport:
    """Make every partition of a table that the engine made again, and put all of them in its place in one commit.

    What is missing stays missing. What others wrote, what was rolled back and what lies beyond the definition keeps its
    rows, if they fit under the new columns: no function makes them.

    Args:
        definitions: the assets' resources.
        graph: the assets.
        node: the asset.
        store: the lake.
        workers: how many calls at once, and where; a number: on threads of this process.
        entry: the run that begins.
        environ: where resources find their `EnvVar`s.
        now: the clock.
        tell: receives what happens.
        stop: set it to give up; the table stays as it is.
        sharing: how much of what runs share they may have at a time; none: as much as they like.

    Raises:
        RequestError: there is no table, no run makes it, it reads itself, or it lacks what it is made from.
        TableMismatch: its partitions are of another kind, partitions that no function makes do not fit, it cannot be
            written here, or a table that it is made from has to be migrated first.
        InvalidSettings: a resource lacks its environment variable.
        StorageError: the lake cannot be read or written.
    """
    refuse_external(node.asset, "migrated")
    if not node.asset.kind.is_made:
        raise RequestError(f"No run makes {node.key} ({node.asset.kind.origin}), so there is no table to make anew.")
    decided = _decide(graph, node, store)
    assert decided.swap is not None, "what a migration is about"
    if not decided.swap.made:
        return _alone(node, decided.tables[node.key], decided.swap, entry, now)
    return launch(
        definitions,
        graph,
        store,
        decided.tables,
        decided.plan,
        workers=workers,
        command=entry.command,
        environ=environ,
        now=now,
        tell=tell,
        stop=stop,
        swap=decided.swap,
        entry=entry,
        sharing=sharing,
        again=partial(_decide, graph, node, store),
    )


def _decide(graph: AssetGraph, node: Node, store: Store) -> Again:
    """Decide what the new table is to consist of, on the lake as it is now: once more if others had their turn first.

    Raises:
        RequestError, TableMismatch, StorageError: as `migrate`.
    """
    seen = observe(graph, store)
    table = seen.tables[node.key]
    if not table.exists:
        raise RequestError(f"There is no table of {node.key} yet: `deltaworks backfill {node.key}` makes it as it is.")
    verify_form(node, table)
    verify_writable(table)
    made = seen.status[node.key].having(Status.FRESH, Status.STALE)
    _refuse_upstreams(graph, node, seen, made)
    others = _others(graph, node, table, made)
    migration = find_migration(node, table)
    if others and migration is not None and not migration.is_mechanical:
        raise cannot_carry(str(node.key), others)
    plan = Plan((), (), {node.key: made}, frozenset({Only.ALL}))
    return Again(plan, seen.tables, (), Swap(len(made), others))


def _refuse_upstreams(graph: AssetGraph, node: Node, seen: Observation, made: PartitionSet) -> None:
    """Make sure that everything is there that the partitions are made from, as its readers expect it."""
    if made and any(edge.is_own for edge in node.upstream):
        raise RequestError(
            f"{node.key} is made from earlier partitions of its own table, so it cannot be put in place at once. Empty "
            f"it first, by `deltaworks wipe {node.key} --yes`; migrate it then, and a backfill makes all of it."
        )
    for edge in node.upstream:
        upstream = graph.nodes[edge.upstream]
        migration = find_migration(upstream, seen.tables[edge.upstream]) if upstream.asset.kind.is_made else None
        if migration is not None and not edge.is_own:
            raise TableMismatch(f"{node.key} is made from {edge.upstream}, which comes first: {migration.refusal}")
    lacks = next(left_out(graph, node, made, seen.status, {}), None)
    if lacks is not None:
        raise RequestError(
            f"Cannot make all of {node.key} anew: {node.spelled(lacks.partitions.ranges())}: {lacks.reason(graph)}"
        )


def _others(graph: AssetGraph, node: Node, table: Table, made: PartitionSet) -> tuple[str, ...]:
    """Return the partitions that have content and that no function is called for."""
    ours = {node.partitions.key(ordinal) for ordinal in made}
    return tuple(key for key in Keys().resolve(graph, node, table) if key not in ours and table.has_content(key))


def _alone(node: Node, table: Table, swap: Swap, entry: RunEntry, now: Callable[[], dt.datetime]) -> RunReport:
    """Migrate a table of which nothing is to be made."""
    write_run(table.store, entry)
    try:
        swap.commit(table, node, Batch(0.0), {}, entry, now(), None, Checker(table.store, NO_RESOURCES))
    except BaseException:
        write_run(table.store, replace(entry, status=RunStatus.FAILURE, ended_at=now().isoformat()))
        raise
    ended = replace(entry, status=RunStatus.SUCCESS, ended_at=now().isoformat(), commits=1)
    write_run(table.store, ended)
    save_index_if_due(table)
    return RunReport(ended, (), ())
