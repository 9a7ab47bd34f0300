"""StepWorkers: what the steps of one run are called by: threads of its process, processes of their own, or both."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from deltaworks.engine.definitions.ops.hooks import Hook
from deltaworks.engine.definitions.ops.job import Job
from deltaworks.engine.definitions.ops.op import Op
from deltaworks.engine.definitions.ops.sources import Path
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.execution.jobs.job_book import JobBook
from deltaworks.engine.execution.jobs.step_call import StepCalls, Surroundings
from deltaworks.engine.execution.jobs.step_task import StepOutcome, StepTask, values_in
from deltaworks.engine.execution.jobs.step_values import StepValues
from deltaworks.engine.execution.jobs.table_reads import pin_tables
from deltaworks.engine.execution.resource_scope import ResourceScope
from deltaworks.engine.execution.workers.child_scope import open_to_the_end
from deltaworks.engine.execution.workers.children import Children
from deltaworks.engine.execution.workers.executor import Executor, ThreadExecutor
from deltaworks.engine.execution.workers.executor_kind import ExecutorKind
from deltaworks.engine.execution.workers.on_cluster import start_on_cluster
from deltaworks.engine.execution.workers.workers import Load, Workers
from deltaworks.engine.planning.job_config import ConfigLayer, resolve_config
from deltaworks.engine.planning.step_agenda import GivenValue
from deltaworks.engine.planning.step_graph import StepGraph, resolve_steps
from deltaworks.errors import InvalidDefinition
from deltaworks.io.dtypes import Json
from deltaworks.io.step_records import StepRecords


def away(workers: Workers, steps: StepGraph) -> frozenset[Path]:
    """Return the ops that are called in processes of their own.

    Where other processes could not load what is defined, as in a test, all are called in this one, without limits.
    """
    if workers.load is None:
        return frozenset()
    is_asked = workers.kind.is_elsewhere
    return frozenset(path for path, node in steps.nodes.items() if is_asked or node.op.limits.need_process)


@dataclass(frozen=True, slots=True)
class CallsOf:
    """Makes what calls the ops of a run in another process. It pickles."""

    load: Load
    records: StepRecords
    job: str
    ops: frozenset[Path]
    """Those that may be called."""
    first_run_id: str
    partition: Partition | None
    config: Mapping[str, Any]
    """What the run is told, in one."""
    versions: Mapping[str, int]
    """Of the tables that it reads."""
    environ: Mapping[str, str] | None
    """Where its resources find their `EnvVar`s; none: in the variables of the process that it is made in."""

    @classmethod
    def made(
        cls,
        workers: Workers,
        records: StepRecords | None,
        ops: frozenset[Path],
        around: Surroundings,
        config: Mapping[str, Any],
        versions: Mapping[str, int],
        environ: Mapping[str, str],
    ) -> CallsOf | None:
        """Return what makes it for a run; none: all of its ops are called in this process."""
        if not ops or workers.load is None or records is None:
            return None
        return cls(
            workers.load,
            records,
            around.job,
            ops,
            around.first_run_id,
            around.partition,
            config,
            versions,
            None if workers.is_remote else dict(environ),
        )

    def __call__(self) -> Callable[[StepTask], StepOutcome]:
        """Load the project and return what calls its ops.

        Raises:
            DefinitionError: its code is wrong, or it does not define the job any more as it was.
        """
        environ = os.environ if self.environ is None else self.environ
        definitions, graph = self.load()
        job = definitions.jobs.get(self.job)
        if not isinstance(job, Job):
            raise InvalidDefinition(f"it does not define job {self.job!r} any more")
        steps = resolve_steps(job.graph, job.inputs)
        gone = [".".join(path) for path in sorted(self.ops - steps.nodes.keys())]
        if gone:
            raise InvalidDefinition(f"job {self.job!r} does not have {', '.join(gone)} any more", where=job.where)
        nodes = [steps.nodes[path] for path in self.ops]
        reads = pin_tables(
            nodes,
            definitions,
            graph,
            self.records.store,
            partition=None if self.partition is None else self.partition.key,
            versions=self.versions,
            environ=environ,
        )
        ops: set[Op | Hook] = {node.op for node in nodes}
        asked = {each: given for each, given in definitions.resources_of(job).items() if each in ops}
        scope = ResourceScope((each for given in asked.values() for each in given.values()), environ)
        open_to_the_end(scope)
        around = Surroundings(
            first_run_id=self.first_run_id,
            job=self.job,
            partition=self.partition,
            config=resolve_config(job, steps, [ConfigLayer("the run's config", self.config)]),
            scope=scope,
            asked=asked,
            tables=reads.reads,
        )
        return StepCalls(steps, StepValues(self.records), around).call_away


def start_steps(
    workers: Workers, calls: StepCalls, elsewhere: CallsOf | None, book: JobBook
) -> Executor[StepTask, StepOutcome]:
    """Start the executor of the steps of a run.

    Args:
        workers: how many steps run at once.
        calls: calls them in this process.
        elsewhere: what calls some of them in others; none: all are called in this one.
        book: takes what they print.
    """
    if elsewhere is None:
        return ThreadExecutor(book.captured(calls.call), workers.count)
    nodes, ops = calls.graph.nodes, elsewhere.ops

    def limits_of(task: StepTask) -> Limits:
        return nodes[task.step.path].op.limits

    def placed(task: StepTask) -> tuple[StepTask, StepOutcome | None]:
        """Return a task as another process can carry it out, and its outcome if none can."""
        places: dict[GivenValue, Json] = {}
        for value in (value for argument in task.arguments.values() for value in values_in(argument)):
            place = calls.values.place(value)
            if place is None:
                whose = f"output {value.output!r} of {calls.graph.address(value.step)}"
                reason = f"it is called in another process, and {whose}, which it reads, cannot be pickled"
                return task, StepOutcome(task, reason=reason)
            places[value] = place
        return replace(task, places=places), None

    if workers.kind is ExecutorKind.DASK:
        asked = {path: workers.cluster.resources_of(nodes[path].op.tags, nodes[path].op.pool) for path in ops}
        return start_on_cluster(
            workers.cluster,
            workers.count,
            elsewhere,
            limits_of,
            lambda task: asked[task.step.path],
            elsewhere.environ or {},
            book.line,
            book.note,
            book.masked,
            placed,
        )
    children: Children[StepTask, StepOutcome] = Children(
        elsewhere, elsewhere.environ or {}, limits_of, workers.count, book.line
    )

    def call(task: StepTask) -> StepOutcome:
        if task.step.path not in ops:
            return calls.call(task)
        ready, outcome = placed(task)
        return children.carry_out(ready) if outcome is None else outcome

    return ThreadExecutor(book.captured(call), workers.count, children.close)
