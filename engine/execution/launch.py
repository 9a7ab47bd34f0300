"""Launch: start a run of a plan, with everything that it needs checked first, when its turn has come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from threading import Event as Flag

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.ops.hooks import Hook
from deltaworks.engine.execution.again import DecideAgain, decide_again
from deltaworks.engine.execution.agenda import Call
from deltaworks.engine.execution.asset_hooks import AssetHooks
from deltaworks.engine.execution.attempt import keep_plan
from deltaworks.engine.execution.checking import Checker
from deltaworks.engine.execution.desk import Desk
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.events import EventSink, PartitionSkipped, RunEnded, RunNoted
from deltaworks.engine.execution.fit import verify_fit, verify_upstreams
from deltaworks.engine.execution.opening import keep_what_is_read
from deltaworks.engine.execution.pools import Pools
from deltaworks.engine.execution.progress import Progress
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.execution.run import Run
from deltaworks.engine.execution.sharing import Sharing
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.swap import Swap
from deltaworks.engine.execution.turn import NO_TURN, await_turn, turn
from deltaworks.engine.execution.workers.capture import capturing
from deltaworks.engine.execution.workers.run_log import RunLog
from deltaworks.engine.execution.workers.workers import Workers, stager_of, start
from deltaworks.engine.planning.asset_config import resolve_asset_config
from deltaworks.engine.planning.check_nodes import readers_of
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.job_config import ConfigLayer
from deltaworks.engine.planning.plan import Plan
from deltaworks.errors import StorageError
from deltaworks.io.checkpoint import checkpoint_if_due
from deltaworks.io.failpoints import Step, hit
from deltaworks.io.index import save_index_if_due
from deltaworks.io.ledger import read_run, write_run
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.stop_request import forget_stop_requests
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
    sharing: Sharing | None = None,
    again: DecideAgain | None = None,
    config: Sequence[ConfigLayer] = (),
    job_config: Sequence[ConfigLayer] = (),
    job_hooks: Sequence[Hook] = (),
    desk: Desk | None = None,
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
        sharing: how much of what runs share they may have at a time; none: as much as they like.
        again: decides anew when the run has waited for others; none: what of the plan is asked for still.
        config: what its assets are given, beside what an earlier attempt was; later ones override earlier ones.
        job_config: what its job gives them; what an earlier attempt was given overrides it.
        job_hooks: what its job tells how assets and the run ended, beside the hooks of the assets.
        desk: where the run is written down; none: in the lake.

    Raises:
        TableMismatch: a table is not what its asset makes, or what its readers rely on; nothing was written.
        InvalidSettings: a resource lacks its environment variable; nothing was written.
        RequestError: the config does not fit; or calls would have to run in processes that cannot load them, in which
            case the ledger says so. No table was written.
        StorageError: the lake cannot be written.
    """
    hit(Step.PLANNED)
    chosen = Workers(workers) if isinstance(workers, int) else workers
    chosen.verify()
    entry = entry or begin_entry(command, now())
    before = ConfigLayer(f"run {entry.run_id}", entry.config)
    entry = replace(entry, config=resolve_asset_config(graph, plan.planned, (*job_config, before, *config)))
    hooks = AssetHooks.of(definitions, graph, plan, job_hooks)
    stager = stager_of(definitions, graph, store, tuple(plan.planned), environ, entry.config, others=hooks.resources)
    stager = replace(stager, file_bytes=chosen.file_bytes)
    readers = [each for key in plan.planned for each in readers_of(graph.nodes[key])]
    for key in plan.planned if swap is None else ():
        verify_fit(graph.nodes[key], tables[key])
    for reader in readers:
        verify_upstreams(graph, reader, tables)
    for key in {edge.upstream for reader in readers for edge in reader.upstream}:
        keep_what_is_read(tables[key])
    desk = desk or Desk.in_lake(store, entry)
    log = RunLog(desk.lines, now, stager.resources.secrets, tell)
    asked = stop if isinstance(stop, Stop) else Stop(stop)
    again = again or partial(decide_again, graph, store, plan, tables)
    keeps_plan = entry.is_first and not desk.is_part  # later attempts go on with what the first one was to make
    desk.queue(entry)
    own_turn = nullcontext(NO_TURN) if desk.is_part else turn(store, graph, entry, plan, sharing or Sharing())
    try:
        if keeps_plan:
            keep_plan(graph, store, entry.run_id, plan, tables)
        with stager.resources.scope.opened(log.note), own_turn as waiting, capturing():
            if not waiting.is_over():
                if not await_turn(waiting, store, entry, now, log, asked):
                    report = _unbegun(store, plan, entry, now, asked, log.tell)
                    return hooks.call(plan, report, stager.resources.scope, log, asked)
                decided = again()
                plan, tables, skipped = decided.plan, decided.tables, (*skipped, *decided.made_by_others)
                swap = decided.swap
                if keeps_plan:
                    keep_plan(graph, store, entry.run_id, plan, tables)
            hit(Step.TURN)
            executor = start(chosen, stager, graph, tuple(plan.planned), environ, entry.config, log)
            pools = _pools(store, graph, plan, entry, sharing or Sharing())
            checker = Checker(store, stager.resources)
            most = chosen.range_bytes
            watched = replace(entry, dashboard=executor.dashboard)
            run = Run(
                graph, plan, tables, executor, watched, now, log.tell, pools, checker, stager.keep, swap, most, desk
            )
            run.skip(skipped)
            report = run.carry_out(store, asked, log.flush)
            report = hooks.call(plan, report, stager.resources.scope, log, asked)
    except BaseException:
        if not desk.is_part:
            _end_unbegun(store, entry, now)
        raise
    finally:
        log.flush()
    _care_for(map(tables.__getitem__, plan.planned), tell)
    return report


def _care_for(tables: Iterable[Table], tell: EventSink) -> None:
    """Spare others work with what was committed: they read an index, and a checkpoint."""
    for table in tables:
        save_index_if_due(table)
        try:
            checkpoint_if_due(table)
        except StorageError as error:  # the run is over and its commits stand
            tell(RunNoted(f"no checkpoint was written: {error}"))


def _pools(store: Store, graph: AssetGraph, plan: Plan, entry: RunEntry, sharing: Sharing) -> Pools[Call]:
    in_pools = {key: pool for key in plan.planned if (pool := graph.nodes[key].asset.pool)}
    return Pools(store, entry, sharing, lambda call: in_pools.get(call[0]), in_pools.values())


def _unbegun(
    store: Store, plan: Plan, entry: RunEntry, now: Callable[[], dt.datetime], stop: Stop, tell: EventSink
) -> RunReport:
    """End a run that was stopped before its turn came."""
    ended = replace(Progress(plan).entry(entry, RunStatus.CANCELED, now().isoformat()), reason=stop.reason)
    write_run(store, ended)
    forget_stop_requests(store, entry.run_id)
    tell(RunEnded(ended.status.value, ended.reason))
    return RunReport(ended, (), ())


def _end_unbegun(store: Store, entry: RunEntry, now: Callable[[], dt.datetime]) -> None:
    """Note the failure of a run that could not even begin; one that has begun says itself how it ended."""
    with suppress(StorageError):  # what is on its way up already says what is wrong with the lake
        found = read_run(store, entry)
        if found is not None and found.status is RunStatus.QUEUED:
            write_run(store, replace(entry, status=RunStatus.FAILURE, ended_at=now().isoformat()))
