"""Launch: start a run of a plan, with everything that it needs checked first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from threading import Event as Flag

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.attempt import keep_plan
from deltaworks.engine.execution.capture import capturing
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.events import EventSink, PartitionSkipped, RunNoted
from deltaworks.engine.execution.fit import verify_fit, verify_upstreams
from deltaworks.engine.execution.opening import keep_what_is_read
from deltaworks.engine.execution.run import Run, RunReport
from deltaworks.engine.execution.run_log import RunLog
from deltaworks.engine.execution.secret_values import SecretValues
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.swap import Swap
from deltaworks.engine.execution.workers import Workers, stager_of, start
from deltaworks.engine.planning.graph import AssetGraph
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
    workers: Workers | int,
    command: str,
    environ: Mapping[str, str],
    now: Callable[[], dt.datetime],
    tell: EventSink,
    stop: Flag | Stop,
    swap: Swap | None = None,
    entry: RunEntry | None = None,
    skipped: Sequence[PartitionSkipped] = (),
) -> RunReport:
    """Carry out a plan.

    Args:
        definitions: the assets' resources.
        graph: the assets.
        store: the lake.
        tables: every asset's table, as the plan was made on it; advanced by the run.
        plan: what to do.
        workers: how many calls at once, and where; a number: on threads of this process.
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
        RequestError: calls would have to run in processes that cannot load them; nothing was written.
        StorageError: the lake cannot be written.
    """
    stager = stager_of(definitions, graph, store, tuple(plan.planned), environ)
    for key in plan.planned:
        if swap is None:
            verify_fit(graph.nodes[key], tables[key])
        verify_upstreams(graph, graph.nodes[key], tables)
    for key in {edge.upstream for planned in plan.planned for edge in graph.nodes[planned].upstream}:
        keep_what_is_read(tables[key])
    entry = entry or begin_entry(command, now())
    if entry.attempt == 1:
        keep_plan(graph, store, entry.run_id, plan, tables)
    log = RunLog(LogWriter(store, entry.run_id, entry.attempt), now, SecretValues.of(stager.resources), tell)
    chosen = Workers(workers) if isinstance(workers, int) else workers
    executor = start(chosen, stager, graph, tuple(plan.planned), environ, log)
    asked = stop if isinstance(stop, Stop) else Stop(stop)
    try:
        with capturing():
            run = Run(graph, plan, tables, executor, entry, now, log.tell, stager.keep, swap)
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
