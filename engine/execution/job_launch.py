"""JobLaunch: start a run of a job of ops, with everything that it needs checked first."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.ops.hooks import Ending
from deltaworks.engine.definitions.ops.job import Job
from deltaworks.engine.definitions.ops.job_result import JobResult, StepResult
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.job_run import ENDINGS, JobRun
from deltaworks.engine.execution.resource_scope import resource_scope
from deltaworks.engine.execution.step_call import StepCalls, Surroundings
from deltaworks.engine.execution.step_events import JobNoted, JobStarted, StepEventSink
from deltaworks.engine.execution.step_journal import StepJournal, read_journal
from deltaworks.engine.execution.step_values import StepValues
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.table_reads import TableReads, pin_tables
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.job_config import ConfigLayer, merged, resolve_config
from deltaworks.engine.planning.job_partition import job_partition
from deltaworks.engine.planning.step_agenda import Fate, StepAgenda, StepEnd
from deltaworks.engine.planning.step_graph import StepGraph, StepId, resolve_steps
from deltaworks.errors import RequestError, StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.ledger import Failure, RunEntry, RunStatus, write_run
from deltaworks.io.step_records import StepRecords
from deltaworks.io.store import Store

HEARTBEAT_S = 5.0

_STATUSES = {
    Ending.SUCCESS: RunStatus.SUCCESS,
    Ending.FAILURE: RunStatus.FAILURE,
    Ending.CANCEL: RunStatus.CANCELED,
}


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
    workers: int = 2
    is_kept_whole: bool = True
    """Whether what steps gave is kept to the end, for the result."""


@dataclass(frozen=True, slots=True)
class _Earlier:
    """The run from whose failure another one goes on."""

    config: Mapping[str, Any]
    partition: str | None
    versions: Mapping[str, int]
    """Of the tables that it read."""
    first_run_id: str
    """The run from whose failure it went on itself, and so on back to the first."""
    ends: Mapping[StepId, tuple[StepEnd, Json]]


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
    """Run a job on threads of this process.

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
        RequestError: the config, the partition or the run to go on from are wrong; nothing was run.
        InvalidSettings: a resource lacks its environment variable; nothing was run.
        RunError: a resource could not be made ready or put away.
        StorageError: the lake cannot be read or written.
    """
    job, entry = request.job, begin_entry(command, now())
    steps = resolve_steps(job.graph, job.inputs)
    records = None if store is None else StepRecords(store, entry.run_id)
    values = StepValues(records)
    earlier = _earlier(request, store, values, entry.run_id)
    layers = (ConfigLayer(f"run {request.retry_of}", earlier.config), *request.config)
    config = resolve_config(job, steps, layers)
    partition = job_partition(job.name, request.partitions, request.partition or earlier.partition)
    key = None if partition is None else partition.key
    reads = _reads(request, steps, definitions, graph, store, key, earlier.versions, environ)
    asked = definitions.resources_of(job)
    with resource_scope((each for wanted in asked.values() for each in wanted.values()), environ) as scope:
        around = Surroundings(
            run_id=entry.run_id,
            first_run_id=earlier.first_run_id,
            job=job.name,
            partition=partition,
            config=config,
            resources=scope.ready,
            asked=asked,
            tables=reads.reads,
            masked=scope.masked,
        )
        if records is not None:
            records.write_run(
                {
                    "job": job.name,
                    "partition": key,
                    "config": merged([layer.values for layer in layers]),
                    "versions": dict(reads.versions),
                    "retry_of": request.retry_of,
                    "first_run_id": earlier.first_run_id,
                }
            )
        agenda = StepAgenda(steps, {step: end for step, (end, _) in earlier.ends.items()})
        entry = replace(entry, job=job.name, job_partition=key)
        book = _Book(store, entry, job.name, now, tell)
        run = JobRun(
            agenda,
            StepCalls(steps, values, around),
            values,
            StepJournal(records),
            recorded={step: stored for step, (_, stored) in earlier.ends.items()},
            retry=job.retry,
            hooks=job.hooks,
            workers=request.workers,
            tell=tell,
            beat=lambda: book.beat(agenda),
            is_kept_whole=request.is_kept_whole,
        )
        kept = sum(agenda.kept(step) for step, end in agenda.ends.items() if end.fate is Fate.SUCCESS)
        book.open()
        tell(JobStarted(entry.run_id, job.name, len(steps.nodes), kept))
        try:
            run.carry_out(stop)
        except BaseException:
            book.close(agenda, Ending.FAILURE, key)
            raise
        ending = _ending(agenda)
        run.call_run_hooks(ending, _failures(agenda))
        book.close(agenda, ending, key)
    return _result(request, entry.run_id, run, agenda, values, ending)


class _Book:
    """What the ledger is told of a run; without a lake, nothing."""

    def __init__(
        self, store: Store | None, entry: RunEntry, job: str, now: Callable[[], dt.datetime], tell: StepEventSink
    ) -> None:
        self._store, self._entry, self._job, self._now, self._tell = store, entry, job, now, tell
        self._beaten_s = time.monotonic()

    def open(self) -> None:
        if self._store is not None:
            write_run(self._store, self._entry)

    def beat(self, agenda: StepAgenda) -> None:
        """Show that the run lives: whoever sees no heartbeat for 30 s takes it for lost."""
        if time.monotonic() - self._beaten_s >= HEARTBEAT_S:
            self._beaten_s = time.monotonic()
            self._note(replace(self._entry, heartbeat_at=self._now().isoformat(), **_counts(agenda)))

    def close(self, agenda: StepAgenda, ending: Ending, partition: str | None) -> None:
        # A colon is in no asset's key, so that nobody takes a step for an asset that failed.
        failures = tuple(
            Failure(f"{self._job}:{step}", partition, reason, -1) for step, reason in _failures(agenda).items()
        )
        ended = replace(self._entry, status=_STATUSES[ending], ended_at=self._now().isoformat(), failures=failures)
        self._note(replace(ended, **_counts(agenda)))

    def _note(self, entry: RunEntry) -> None:
        if self._store is None:
            return
        try:
            write_run(self._store, entry)
        except StorageError as error:
            self._tell(JobNoted(f"the ledger does not show this: {error}"))


def _earlier(request: JobRequest, store: Store | None, values: StepValues, run_id: str) -> _Earlier:
    if request.retry_of is None:
        return _Earlier({}, None, {}, run_id, {})
    if store is None:
        raise RequestError(f"To go on from run {request.retry_of}, give the lake that it is recorded in.")
    records = StepRecords(store, request.retry_of)
    document = records.read_run()
    if document["job"] != request.job.name:
        raise RequestError(f"Run {request.retry_of} is of job {document['job']!r}, not of {request.job.name!r}.")
    if request.partition not in (None, document["partition"]):
        raise RequestError(f"Run {request.retry_of} is for partition {document['partition']}; leave the partition out.")
    return _Earlier(
        document["config"],
        document["partition"],
        document["versions"],
        document["first_run_id"],
        read_journal(records, values),
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
        return pin_tables(steps, definitions, graph, store, partition=partition, versions=versions, environ=environ)
    reading = next(
        (node for node in steps.nodes.values() if any(port.asset is not None for port in node.op.signature.inputs)),
        None,
    )
    if reading is not None:
        raise RequestError(
            f"Op {'.'.join(reading.path)!r} of job {request.job.name!r} reads a table: give the lake where it lies."
        )
    return TableReads({}, {})


def _counts(agenda: StepAgenda) -> dict[str, Any]:
    fates = [end.fate for end in agenda.ends.values()]
    return {"failed": fates.count(Fate.FAILED), "skipped": fates.count(Fate.SKIPPED) + fates.count(Fate.BLOCKED)}


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
        steps[address] = StepResult(ENDINGS[end.fate], end.reason, given, run.tries[step], is_kept)
    outputs: dict[str, Any] = {}
    for name, source in agenda.graph.outputs.items() if request.is_kept_whole else ():
        argument = agenda.read(source)
        if argument is not None:
            outputs[name] = values.get(argument)
    return JobResult(run_id, request.job.name, ending, steps, outputs)
