"""JobLaunch: start a run of a job of ops, with everything that it needs checked first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_core import from_json, to_json

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.ops.hooks import Ending
from deltaworks.engine.definitions.ops.job import Job
from deltaworks.engine.definitions.ops.job_result import JobResult, StepResult
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.execution.attempt import begin_attempt
from deltaworks.engine.execution.endings import ENDING_OF_STEP
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.jobs.argument_values import value_of
from deltaworks.engine.execution.jobs.earlier import NOTHING, Earlier, read_earlier
from deltaworks.engine.execution.jobs.job_book import JobBook
from deltaworks.engine.execution.jobs.job_run import JobRun
from deltaworks.engine.execution.jobs.step_call import StepCalls, Surroundings
from deltaworks.engine.execution.jobs.step_events import JobStarted, StepEventSink
from deltaworks.engine.execution.jobs.step_hooks import StepHooks
from deltaworks.engine.execution.jobs.step_journal import StepJournal
from deltaworks.engine.execution.jobs.step_values import StepValues
from deltaworks.engine.execution.jobs.step_workers import CallsOf, away, start_steps
from deltaworks.engine.execution.jobs.table_reads import TableReads, pin_tables
from deltaworks.engine.execution.resource_scope import ResourceScope
from deltaworks.engine.execution.sharing import Sharing
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.workers.executor import ThreadExecutor
from deltaworks.engine.execution.workers.workers import Workers
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.job_config import ConfigLayer, merged, resolve_config
from deltaworks.engine.planning.job_fit import refuse_unfit
from deltaworks.engine.planning.job_partition import job_partition
from deltaworks.engine.planning.step_agenda import Fate, StepAgenda
from deltaworks.engine.planning.step_graph import StepGraph, resolve_steps
from deltaworks.errors import RequestError
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.step_records import StepRecords
from deltaworks.io.store import Store


@dataclass(frozen=True)
class JobRequest:
    """What is asked of a job."""

    job: Job
    partitions: Partitions
    """Those of the job, as they are now."""
    partition: str | None = None
    config: Sequence[ConfigLayer] = ()
    """Later ones override earlier ones."""
    retry_of: str | None = None
    """The run from whose failure this one goes on."""
    run_id: str | None = None
    """The run that this is; what its earlier attempts have done is not done again. None: a new one."""
    tags: tuple[str, ...] = ()
    """Of the run, `key=value`, beside those of the job."""
    priority: int = 0
    tick: str | None = None
    """What asks for the run; none: a person does."""
    workers: Workers = field(default_factory=Workers)
    asked_workers: int | None = None
    """How many calls at once whoever started it asked for, for those who try it again; none: as the settings say."""
    asked_executor: str | None = None
    """Where calls were to be made, likewise."""
    sharing: Sharing = field(default_factory=Sharing)
    """How much of what runs share they may have at a time."""
    is_kept_whole: bool = True
    """Whether what steps gave is kept to the end, for the result."""


def launch_job(
    request: JobRequest,
    definitions: Definitions,
    graph: AssetGraph,
    store: Store | None,
    *,
    command: str,
    environ: Mapping[str, str],
    now: Callable[[], dt.datetime],
    tell: StepEventSink,
    stop: Stop,
) -> JobResult:
    """Run a job, on threads of this process or in processes of its own.

    Args:
        request: what is asked for.
        definitions: the resources.
        graph: the assets that its ops read.
        store: the lake; none: it reads no table, and nothing is recorded.
        command: what started the run, for the ledger.
        environ: where resources find their `EnvVar`s.
        now: the clock.
        tell: receives what happens.
        stop: asks to finish what has begun and no more.

    Raises:
        InvalidDefinition: its ops read what is not defined, or not so; nothing was run.
        RequestError: the config, the partition or the run to go on from are wrong; nothing was run.
        InvalidSettings: a resource lacks its environment variable; nothing was run.
        StorageError: the lake cannot be read or written.
    """
    job, workers = request.job, request.workers
    refuse_unfit(job, graph)
    steps = resolve_steps(job.graph, job.inputs)
    earlier = _earlier(request, store)
    layers = (ConfigLayer(f"run {request.retry_of or request.run_id}", earlier.config), *request.config)
    config = resolve_config(job, steps, layers)
    partition = job_partition(job.name, request.partitions, request.partition or earlier.partition)
    key = None if partition is None else partition.key
    reads = _reads(request, steps, definitions, graph, store, key, earlier.versions, environ)
    asked = definitions.resources_of(job)
    scope = ResourceScope((each for given in asked.values() for each in given.values()), environ)
    told = merged(job, steps, layers)
    kept = _kept(told)
    entry = _entry(request, store, command, now(), key, kept)
    first = earlier.first_run_id or entry.run_id
    records = None if store is None else StepRecords(store, entry.run_id, entry.attempt)
    if records is not None:
        records.write_run(earlier.document(entry, steps, kept, reads.versions))
    book = JobBook(store, entry, now, scope, tell, request.sharing)
    around = Surroundings(first, job.name, partition, config, scope, asked, reads.reads)
    calls = StepCalls(steps, earlier.values(records), around)
    agenda = StepAgenda(steps, {step: each.end for step, each in earlier.ends.items()})
    elsewhere = CallsOf.made(workers, records, away(workers, steps), around, told, reads.versions, environ)
    executor = start_steps(workers, calls, elsewhere, book)
    book.watched_at(executor.dashboard)
    run = JobRun(
        agenda,
        executor,
        calls.values,
        StepJournal(records),
        StepHooks(
            (entry.run_id, job.name, key),
            job.hooks,
            ThreadExecutor(book.captured(calls.hook), workers.count),
            book.tell,
        ),
        pools=book.pools(lambda step: steps.nodes[step.path].op.pool, _pool_names(steps)),
        recorded=earlier.ends,
        retry=job.retry,
        tell=book.tell,
        is_kept_whole=request.is_kept_whole,
    )
    with book.opened(run.fates, stop), scope.opened(book.note):
        done = sum(agenda.kept(step) for step, end in agenda.ends.items() if end.fate is Fate.SUCCESS)
        book.tell(JobStarted(entry.run_id, job.name, len(steps.nodes), done))
        run.carry_out(stop)
        ending, failures = _ending(agenda), _failures(agenda)
        run.end(ending, failures, stop)
    book.close(run.fates, ending, failures, stop.reason)
    return _result(request, entry.run_id, run, agenda, calls.values, ending)


def _kept(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run is told as JSON holds it: dates and the like as texts, of which their fields are made again."""
    kept: dict[str, Any] = from_json(to_json(told, inf_nan_mode="strings", fallback=str))
    return kept


def _pool_names(steps: StepGraph) -> set[str]:
    return {node.op.pool for node in steps.nodes.values() if node.op.pool is not None}


def _earlier(request: JobRequest, store: Store | None) -> Earlier:
    """Return what a run goes on from: another run, its own earlier attempts, or nothing."""
    before = request.retry_of or request.run_id
    if before is None:
        return NOTHING
    if store is None:
        raise RequestError(f"To go on from run {before}, give the lake that it is recorded in.")
    if request.retry_of is not None and request.run_id is not None:
        raise RequestError("A run with an id goes on from its own attempts: leave out the id, or the run to retry.")
    return read_earlier(
        StepRecords(store, before), request.job.name, request.partition, is_new=before != request.run_id
    )


def _entry(
    request: JobRequest,
    store: Store | None,
    command: str,
    now: dt.datetime,
    partition: str | None,
    config: Mapping[str, Any],
) -> RunEntry:
    """Return the entry of a run, or of the next attempt of one."""
    if request.run_id is None or store is None:
        entry = begin_entry(command, now)
    else:
        entry = begin_attempt(store, request.run_id, command, now)
    tags = (*(f"{name}={value}" for name, value in request.job.tags.items()), *request.tags)
    return replace(
        entry,
        job=request.job.name,
        job_partition=partition,
        tags=tuple(dict.fromkeys((*entry.tags, *tags))),
        priority=request.priority,
        workers=request.asked_workers,
        executor=request.asked_executor,
        tick=entry.tick or request.tick,
        config=config,
    )


def _reads(
    request: JobRequest,
    steps: StepGraph,
    definitions: Definitions,
    graph: AssetGraph,
    store: Store | None,
    partition: str | None,
    versions: Mapping[str, int],
    environ: Mapping[str, str],
) -> TableReads:
    if store is not None:
        return pin_tables(
            steps.nodes.values(), definitions, graph, store, partition=partition, versions=versions, environ=environ
        )
    reading = next(
        (node for node in steps.nodes.values() if any(port.asset is not None for port in node.op.signature.inputs)),
        None,
    )
    if reading is not None:
        raise RequestError(
            f"Op {'.'.join(reading.path)!r} of job {request.job.name!r} reads a table: give the lake where it lies."
        )
    return TableReads({}, {})


def _failures(agenda: StepAgenda) -> dict[str, str]:
    ends = agenda.ends.items()
    return {agenda.graph.address(step): end.reason or "" for step, end in ends if end.fate is Fate.FAILED}


def _ending(agenda: StepAgenda) -> Ending:
    """Return how a run ended: a step that failed makes it a failure, whatever ran because of that."""
    fates = {end.fate for end in agenda.ends.values()}
    if Fate.CANCELED in fates:
        return Ending.CANCEL
    return Ending.FAILURE if Fate.FAILED in fates else Ending.SUCCESS


def _result(
    request: JobRequest, run_id: str, run: JobRun, agenda: StepAgenda, values: StepValues, ending: Ending
) -> JobResult:
    steps: dict[str, StepResult] = {}
    for step, end in agenda.ends.items():
        is_given = request.is_kept_whole and end.fate is Fate.SUCCESS
        given = values.outputs(step, sorted(end.given), end.keys) if is_given else {}
        is_kept = end.fate is Fate.SUCCESS and agenda.kept(step)
        address = agenda.graph.address(step)
        steps[address] = StepResult(ENDING_OF_STEP[end.fate], end.reason, given, run.tries[step], is_kept)
    outputs: dict[str, Any] = {}
    for name, source in agenda.graph.outputs.items() if request.is_kept_whole else ():
        argument = agenda.read(source)
        if argument is not None:
            outputs[name] = value_of(argument, values.read)
    return JobResult(run_id, request.job.name, ending, steps, outputs, run.left_calls)
