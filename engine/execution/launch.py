"""Launch: start a run of a plan, with everything that it needs checked first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from threading import Event as Flag

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.execution.checking import Checker
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.events import EventSink, RunNoted
from deltaworks.engine.execution.executor import ThreadExecutor
from deltaworks.engine.execution.fit import verify_fit, verify_upstreams
from deltaworks.engine.execution.keep import Keep
from deltaworks.engine.execution.opening import keep_what_is_read
from deltaworks.engine.execution.run import Run, RunReport
from deltaworks.engine.execution.stage import Stager
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.plan import Plan
from deltaworks.errors import StorageError
from deltaworks.io.checkpoint import checkpoint_if_due
from deltaworks.io.index import save_index_if_due
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
    stop: Flag,
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
        stop: set it to finish what has begun and no more.

    Raises:
        TableMismatch: a table is not what its asset makes, or what its readers rely on; nothing was written.
        InvalidSettings: a resource lacks its environment variable; nothing was written.
        StorageError: the lake cannot be written.
    """
    resources = _resources(definitions, graph, plan, environ)
    readers = [each for key in plan.planned for each in _readers(graph.nodes[key])]
    for key in plan.planned:
        verify_fit(graph.nodes[key], tables[key])
    for reader in readers:
        verify_upstreams(graph, reader, tables)
    for key in {edge.upstream for reader in readers for edge in reader.upstream}:
        keep_what_is_read(tables[key])
    entry = begin_entry(command, now())
    stager = Stager(store, {str(key): graph.nodes[key] for key in plan.planned}, resources, keep=Keep(store))
    executor = ThreadExecutor(stager.stage, workers)
    checker = Checker(store, resources)
    report = Run(graph, plan, tables, executor, entry, now, tell, checker).carry_out(store, stop)
    for key in plan.planned:
        save_index_if_due(tables[key])
        try:
            checkpoint_if_due(tables[key])
        except StorageError as error:
            # The run is over and its commits stand; a checkpoint only spares other readers work.
            tell(RunNoted(f"no checkpoint was written: {error}"))
    return report


def resources_of(definitions: Definitions, node: Node, environ: Mapping[str, str]) -> dict[str, dict[str, Resource]]:
    """Return the resources that an asset, its checks and the views that they read ask for, with their `EnvVar`s read.

    Raises:
        InvalidSettings: a variable is not set, or a value does not fit.
    """
    return {
        str(each.key): {
            argument: definitions.resource(each.asset, argument, wanted).resolve(environ)
            for argument, wanted in each.asset.signature.resources.items()
        }
        for reader in _readers(node)
        for each in (reader, *reader.views.values())
    }


def _readers(node: Node) -> tuple[Node, ...]:
    """Return an asset and its checks, as what reads other assets."""
    return node, *(each.node for each in node.checks)


def _resources(
    definitions: Definitions, graph: AssetGraph, plan: Plan, environ: Mapping[str, str]
) -> dict[str, dict[str, Resource]]:
    resolved: dict[str, dict[str, Resource]] = {}
    for key in plan.planned:
        resolved |= resources_of(definitions, graph.nodes[key], environ)
    return resolved
