"""Launch: start a run of a plan, with everything that it needs checked first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from threading import Event as Flag

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.execution.attempt import keep_plan
from deltaworks.engine.execution.capture import capturing
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.events import EventSink, PartitionSkipped, RunNoted
from deltaworks.engine.execution.executor import ThreadExecutor
from deltaworks.engine.execution.fit import verify_fit, verify_upstreams
from deltaworks.engine.execution.keep import Keep
from deltaworks.engine.execution.opening import keep_what_is_read
from deltaworks.engine.execution.run import Run, RunReport
from deltaworks.engine.execution.run_log import RunLog
from deltaworks.engine.execution.secret_values import SecretValues
from deltaworks.engine.execution.stage import Stager
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.swap import Swap
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.plan import Plan
from deltaworks.errors import StorageError
from deltaworks.io.checkpoint import checkpoint_if_due
from deltaworks.io.index import save_index_if_due
from deltaworks.io.ledger import RunEntry
from deltaworks.io.run_logs import LogWriter
from deltaworks.io.store import Store
from deltaworks.io.table import Table


def launch(
    definitions: Definitions,
    graph: AssetGraph,
    store: Store,
    tables: Mapping[AssetKey, Table],
    plan: Plan,
    *,
    workers: int,
    command: str,
    environ: Mapping[str, str],
    now: Callable[[], dt.datetime],
    tell: EventSink,
    stop: Flag | Stop,
    swap: Swap | None = None,
    entry: RunEntry | None = None,
    skipped: Sequence[PartitionSkipped] = (),
) -> RunReport:
    """Carry out a plan on threads of this process.

    Args:
        definitions: the assets' resources.
        graph: the assets.
        store: the lake.
        tables: every asset's table, as the plan was made on it; advanced by the run.
        plan: what to do.
        workers: how many threads.
        command: what started the run, for the ledger.
        environ: where resources find their `EnvVar`s.
        now: the clock.
        tell: receives what happens.
        stop: asks for an end; a flag asks to finish what has begun and no more.
        swap: what puts all that is made in the place of its table at once, whatever that is; none: it is committed in
            batches.
        entry: the run that this is an attempt of; none: it is a new one.
        skipped: what others have made, so that it is not planned any more.

    Raises:
        TableMismatch: a table is not what its asset makes, or what its readers rely on; nothing was written.
        InvalidSettings: a resource lacks its environment variable; nothing was written.
        StorageError: the lake cannot be written.
    """
    resources = _resources(definitions, graph, plan, environ)
    for key in plan.planned:
        if swap is None:
            verify_fit(graph.nodes[key], tables[key])
        verify_upstreams(graph, graph.nodes[key], tables)
    for key in {edge.upstream for planned in plan.planned for edge in graph.nodes[planned].upstream}:
        keep_what_is_read(tables[key])
    entry = entry or begin_entry(command, now())
    if entry.attempt == 1:
        keep_plan(graph, store, entry.run_id, plan, tables)
    keep = Keep(store)
    stager = Stager(store, {str(key): graph.nodes[key] for key in plan.planned}, resources, keep=keep)
    log = RunLog(LogWriter(store, entry.run_id, entry.attempt), now, SecretValues.of(resources), tell)
    executor = ThreadExecutor(log.capturing(stager.stage, stager.nodes), workers)
    asked = stop if isinstance(stop, Stop) else Stop(stop)
    try:
        with capturing():
            run = Run(graph, plan, tables, executor, entry, now, log.tell, keep, swap)
            run.skip(skipped)
            report = run.carry_out(store, asked, log.flush)
    finally:
        log.flush()
    for key in plan.planned:
        save_index_if_due(tables[key])
        try:
            checkpoint_if_due(tables[key])
        except StorageError as error:
            # The run is over and its commits stand; a checkpoint only spares other readers work.
            tell(RunNoted(f"no checkpoint was written: {error}"))
    return report


def resources_of(definitions: Definitions, node: Node, environ: Mapping[str, str]) -> dict[str, dict[str, Resource]]:
    """Return the resources that an asset and the views that it reads ask for, with their `EnvVar`s read.

    Raises:
        InvalidSettings: a variable is not set, or a value does not fit.
    """
    return {
        str(each.key): {
            argument: definitions.resource(each.asset, argument, wanted).resolve(environ)
            for argument, wanted in each.asset.signature.resources.items()
        }
        for each in (node, *node.views.values())
    }


def _resources(
    definitions: Definitions, graph: AssetGraph, plan: Plan, environ: Mapping[str, str]
) -> dict[str, dict[str, Resource]]:
    resolved: dict[str, dict[str, Resource]] = {}
    for key in plan.planned:
        resolved |= resources_of(definitions, graph.nodes[key], environ)
    return resolved
