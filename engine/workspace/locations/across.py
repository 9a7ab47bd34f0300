"""Across: carry out one plan in several code locations, as one run.

The host waits for the run's turn, cuts the plan into strata, and has each carried out by a process of its location.
What these tell becomes the run's one entry, one log and one report. See decision record 8.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Any

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.resolution import DynamicKeys
from deltaworks.engine.execution.again import DecideAgain, decide_again
from deltaworks.engine.execution.agenda import Agenda
from deltaworks.engine.execution.attempt import keep_plan, made_by
from deltaworks.engine.execution.desk import Desk
from deltaworks.engine.execution.events import (
    EventSink,
    PartitionBlocked,
    PartitionSkipped,
    RunEnded,
    RunNoted,
    RunStarted,
    Stopping,
)
from deltaworks.engine.execution.opening import open_latest
from deltaworks.engine.execution.pulse import Pulse
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.execution.sharing import Sharing
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.turn import await_turn, turn
from deltaworks.engine.execution.workers.run_log import RunLog
from deltaworks.engine.execution.workers.workers import Workers
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.job_config import ConfigLayer
from deltaworks.engine.planning.plan import Plan
from deltaworks.engine.planning.strata import Stratum, strata
from deltaworks.engine.workspace.locations.folding import Fold
from deltaworks.engine.workspace.locations.handing import config_for, surroundings
from deltaworks.engine.workspace.locations.parts import EntryTold, EventTold, LineTold, Part
from deltaworks.engine.workspace.locations.process import LocationProcess
from deltaworks.engine.workspace.locations.workspace import Workspace
from deltaworks.errors import DeltaworksError, StorageError
from deltaworks.io.run_entry import Failure, RunEntry, RunStatus
from deltaworks.io.store import Store
from deltaworks.io.table import Table

_LOOK_S = 0.25
"""How often it is looked whether the run is asked to stop."""

_OWN_LINES = ("run_started", "run_ended", "stopping")
"""What the host says for all parts."""


class _Plain:
    """Of what the host says nothing is secret; its locations have masked what they say."""

    def masked(self, text: str) -> str:
        return text


@dataclass
class _Across:
    """One run, as its strata share it."""

    workspace: Workspace
    graph: AssetGraph
    store: Store
    tables: Mapping[AssetKey, Table]
    plan: Plan
    workers: Workers
    entry: RunEntry
    keys: DynamicKeys | None
    now: dt.datetime
    sharing: Sharing
    config: Sequence[ConfigLayer]
    job_config: Sequence[ConfigLayer]
    stop: Stop
    log: RunLog[Any]
    fold: Fold
    desk: Desk
    agenda: Agenda
    running: dict[int, LocationProcess] = field(default_factory=dict[int, LocationProcess])
    blocked: dict[AssetKey, set[int]] = field(default_factory=dict[AssetKey, "set[int]"])
    written: set[AssetKey] = field(default_factory=set[AssetKey])
    """What strata before have made."""
    is_canceled: bool = False


def launch_across(
    workspace: Workspace,
    graph: AssetGraph,
    store: Store,
    tables: Mapping[AssetKey, Table],
    plan: Plan,
    *,
    workers: Workers,
    keys: DynamicKeys | None,
    started: dt.datetime,
    now: Callable[[], dt.datetime],
    tell: EventSink,
    stop: Stop,
    entry: RunEntry,
    skipped: Sequence[PartitionSkipped] = (),
    sharing: Sharing | None = None,
    again: DecideAgain | None = None,
    config: Sequence[ConfigLayer] = (),
    job_config: Sequence[ConfigLayer] = (),
) -> RunReport:
    """Carry out a plan.

    Args:
        workspace: the code locations.
        graph: the assets.
        store: the lake.
        tables: every asset's table, as the plan was made on it.
        plan: what to do.
        workers: how many calls at once, and where.
        keys: those of dynamic partitions, as the graph has them.
        started: when partitions without an end were taken to end.
        now: the clock.
        tell: receives what happens.
        stop: asks for an end.
        entry: the run.
        skipped: what others have made, so that it is not planned any more.
        sharing: how much of what runs share they may have at a time.
        again: decides anew when the run has waited for others; none: what of the plan is asked for still.
        config: what its assets are given; later ones override earlier ones.
        job_config: what its job gives them.

    Raises:
        StorageError: the lake cannot be written.
    """
    workers.verify()
    desk = Desk.in_lake(store, entry)
    log: RunLog[Any] = RunLog(desk.lines, now, _Plain(), tell)
    again = again or partial(decide_again, graph, store, plan, tables)
    shared = sharing or Sharing()
    desk.queue(entry)
    ended = replace(entry, status=RunStatus.FAILURE, ended_at=now().isoformat())
    try:
        if entry.is_first:
            keep_plan(graph, store, entry.run_id, plan, tables)
        with turn(store, graph, entry, plan, shared) as waiting:
            if not waiting.is_over():
                if not await_turn(waiting, store, entry, now, log, stop):
                    fold = Fold(plan, entry, tell)
                    ended = _ended(fold, RunStatus.CANCELED, stop, now)
                    return fold.report(ended)
                decided = again()
                plan, tables, skipped = decided.plan, decided.tables, (*skipped, *decided.made_by_others)
                if entry.is_first:
                    keep_plan(graph, store, entry.run_id, plan, tables)
            fold = Fold(plan, entry, tell)
            fold.skipped = len(skipped)
            across = _Across(
                workspace, graph, store, tables, plan, workers, entry, keys, started, shared, config, job_config,
                stop, log, fold, desk, Agenda(graph, plan),
            )  # fmt: skip
            log.tell(RunStarted(entry.run_id, {key: len(part) for key, part in plan.planned.items()}))
            desk.write(fold.entry(RunStatus.RUNNING, now().isoformat()))
            for event in skipped:
                log.tell(event)
            alive = lambda: fold.entry(RunStatus.RUNNING, now().isoformat())  # noqa: E731 - read where it is used
            with Pulse(store, entry.run_id, alive, stop, log.tell, log.flush):
                _carry_out(across)
            failed = RunStatus.FAILURE if fold.has_failed else RunStatus.SUCCESS
            ended = _ended(fold, RunStatus.CANCELED if across.is_canceled else failed, stop, now)
    finally:
        _close(desk, log, ended)
    report = fold.report(ended)
    report = replace(report, skipped=(*skipped, *report.skipped))
    _call_hooks(across, report)
    return report


def _call_hooks(across: _Across, report: RunReport) -> None:
    """Have the hooks of the run's job called, where they are."""
    location = across.workspace.hooked(across.entry.job)
    if location is None:
        return

    def hear(told: object) -> None:
        if isinstance(told, LineTold):
            across.desk.lines.write(told.document)

    try:
        told = {"job": across.entry.job, "plan": across.plan, "report": report}
        across.workspace.location(location).process().ask("hooks", told, hear)
    except DeltaworksError as error:
        across.log.tell(RunNoted(f"the hooks of job {across.entry.job!r} could not be called: {error}"))
    across.log.flush()


def _ended(fold: Fold, status: RunStatus, stop: Stop, now: Callable[[], dt.datetime]) -> RunEntry:
    ended = fold.entry(status, now().isoformat())
    return replace(ended, reason=stop.reason) if status is RunStatus.CANCELED else ended


def _close(desk: Desk, log: RunLog[Any], ended: RunEntry) -> None:
    """Write down how the run ended; what is committed stands, whether or not the ledger can say so."""
    try:
        desk.write(ended)
        desk.close()
    except StorageError as error:
        log.tell(RunNoted(f"the ledger does not show this: {error}"))
    log.tell(RunEnded(ended.status.value, ended.reason))
    log.flush()


def _carry_out(across: _Across) -> None:
    """Carry out the strata, level by level; those of a level at the same time."""
    is_over = threading.Event()
    watcher = threading.Thread(target=_pass_on_stop, args=(across, is_over), daemon=True)
    watcher.start()
    try:
        parts = list(enumerate(strata(across.graph, across.plan.planned)))
        for _, level in groupby(parts, key=lambda each: each[1].level):
            together = list(level)
            if across.stop.is_asked:
                across.is_canceled = True
                return
            with ThreadPoolExecutor(len(together), thread_name_prefix="deltaworks-part") as pool:
                for each in [pool.submit(_one, across, *part, len(together)) for part in together]:
                    each.result()
            for _, stratum in together:
                across.written.update(stratum.assets)
    finally:
        is_over.set()
        watcher.join()


def _pass_on_stop(across: _Across, is_over: threading.Event) -> None:
    """Tell the processes that the run is asked to stop, again and again: one may not have begun when it is told."""
    is_told = False
    while not is_over.wait(_LOOK_S):
        if across.stop.is_asked and not is_told:
            is_told = True
            across.log.tell(Stopping())
        for process in list(across.running.values()) if across.stop.is_asked else ():
            process.stop(is_urgent=across.stop.is_urgent, reason=across.stop.reason)


def _one(across: _Across, number: int, stratum: Stratum, together: int) -> None:
    """Carry out one stratum, and settle what cannot be made without what it has not made."""
    planned = {
        key: left
        for key in stratum.assets
        if (left := across.plan.planned[key] - _set(across.blocked.get(key, ()), across.plan.planned[key].size))
    }
    if not planned:
        return
    share = _part(across, stratum, planned, together)

    def hear(told: object) -> None:
        match told:
            case EntryTold(entry):
                across.fold.part_entry(number, entry)
            case LineTold(document):
                if document.get("event") not in _OWN_LINES:
                    across.desk.lines.write(document)
            case EventTold(event):
                across.fold.part_event(event)
            case _:
                pass

    try:
        process = across.workspace.location(stratum.location).process()
        if across.stop.is_asked:  # while it was started
            across.is_canceled = True
            return
        across.running[number] = process
        report: RunReport = process.ask("run", {"part": share}, hear)
    except DeltaworksError as error:
        _lose(across, number, planned, str(error))
        return
    finally:
        across.running.pop(number, None)
    across.fold.part_ended(number, report)
    if report.left_calls:
        process.end()  # nobody waits for the calls that still run in it
    across.is_canceled = across.is_canceled or report.entry.status is RunStatus.CANCELED
    failed = [(each.asset, each.partition) for each in report.entry.failures]
    gone = [(str(each.asset), each.key or None) for each in report.blocked]
    _block(across, planned, (*failed, *gone))


def _lose(across: _Across, number: int, planned: Mapping[AssetKey, PartitionSet], reason: str) -> None:
    """Note that a stratum could not be carried out to its end; what it has committed stays."""
    failures: list[Failure] = []
    lost: list[tuple[str, str | None]] = []
    for key, part in planned.items():
        node, table = across.graph.nodes[key], open_latest(across.store, across.graph.nodes[key].asset)
        then = across.tables[key]
        for ordinal in part - made_by(node, table, across.entry.run_id):
            name = node.partitions.key(ordinal) or None
            failures.append(Failure(str(key), name, reason, then.version, then.table_id))
            lost.append((str(key), name))
    across.fold.part_lost(number, tuple(planned), failures)
    across.log.tell(RunNoted(reason))
    _block(across, planned, lost)


def _block(across: _Across, planned: Mapping[AssetKey, PartitionSet], failed: Iterable[tuple[str, str | None]]) -> None:
    """Settle what later strata cannot make, since something that it is made from was not made."""
    keys = {str(key): key for key in planned}
    for name, partition in failed:
        if name not in keys:
            continue
        partitions = across.graph.nodes[keys[name]].partitions
        ordinal = partitions.ordinal(partition or "") if partition else 0
        if ordinal is None:
            continue
        for each in across.agenda.failed(keys[name], ordinal):
            if each.asset in planned:
                continue  # its own process has said so
            across.blocked.setdefault(each.asset, set()).add(each.ordinal)
            upstream = across.graph.nodes[each.upstream].partitions.key(each.upstream_ordinal)
            event = PartitionBlocked(
                each.asset,
                across.graph.nodes[each.asset].partitions.key(each.ordinal),
                f"{each.upstream} {upstream}".rstrip(),
            )
            across.fold.blocked.append(event)
            across.log.tell(event)


def _part(across: _Across, stratum: Stratum, planned: Mapping[AssetKey, PartitionSet], together: int) -> Part:
    graph, entry, workers = across.graph, across.entry, across.workers
    around = surroundings(graph, stratum.location, planned, across.now, across.keys)
    names = {str(key) for key in planned}
    own = {graph.nodes[key].asset.config_name for key in planned if graph.nodes[key].asset.foreign is not None}
    read = [AssetKey(name) for name in around.own] + [asset.key for asset in around.others]
    return Part(
        around,
        across.store,
        planned,
        {key: graph.nodes[key].code for key in planned},
        across.plan.only,
        {key: failing for key, failing in across.plan.failing.items() if key in planned},
        {key: _version(across, key) for key in read if key in graph.nodes},
        replace(
            entry,
            failures=tuple(each for each in entry.failures if each.asset in names),
            config={name: each for name, each in entry.config.items() if name in own},
        ),
        max(1, workers.count // together),
        workers.kind,
        workers.memory_mb,
        workers.file_bytes,
        workers.cluster,
        across.sharing,
        tuple(config_for(layer, own) for layer in across.config),
        tuple(config_for(layer, own) for layer in across.job_config),
    )


def _version(across: _Across, key: AssetKey) -> int | None:
    table = across.tables[key]
    return None if key in across.written or not table.exists else table.version


def _set(ordinals: Iterable[int], size: int) -> PartitionSet:
    return PartitionSet.of(sorted(ordinals), size)
