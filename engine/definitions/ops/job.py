"""Job: a graph of ops as something to run, with the config, the partitions and the hooks that it is run with."""

from __future__ import annotations

import datetime as dt
import importlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from deltaworks.engine.definitions.ops.config import Config, secret_problem
from deltaworks.engine.definitions.ops.hooks import Hook, refuse_others
from deltaworks.engine.definitions.ops.op import Op
from deltaworks.engine.definitions.ops.value_type import is_of, spelled
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.definitions.partitions.protocols import Partitions, Unpartitioned
from deltaworks.engine.definitions.policies import RetryPolicy
from deltaworks.engine.definitions.resources import Resource
from deltaworks.errors import InvalidDefinition, Place, did_you_mean

if TYPE_CHECKING:
    from deltaworks.engine.definitions.asset import Asset
    from deltaworks.engine.definitions.ops.graph import Graph
    from deltaworks.engine.definitions.ops.job_result import JobResult

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}")


@dataclass(frozen=True, eq=False)
class Job:
    """A graph of ops that can be run."""

    name: str
    graph: Graph
    inputs: Mapping[str, Any]
    """Values for the graph's own inputs."""
    config: Mapping[str, Any]
    """What stands where the run's config does not say otherwise: fields by op, below the names of its graphs."""
    shared_config: Config | None
    """What every op gets whose config is of this type."""
    partitions: Partitions
    tags: Mapping[str, str]
    retry: RetryPolicy
    """Of ops that do not say so themselves."""
    hooks: tuple[Hook, ...]
    description: str
    where: Place

    def execute_in_process(
        self,
        *,
        lake: str | FilePath | None = None,
        resources: Mapping[str, Resource] | None = None,
        config: Mapping[str, Any] | None = None,
        partition: str | None = None,
        assets: Sequence[Asset[..., Any]] = (),
        workers: int = 2,
        retry_of: str | None = None,
        now: Callable[[], dt.datetime] | None = None,
        raise_on_failure: bool = True,
    ) -> JobResult:
        """Run the job in this process, and return what came of each step.

        Args:
            lake: where the tables lie that it reads, and where the run is recorded; none: it reads none and leaves
                nothing behind.
            resources: by name, for the ops and hooks that ask for them.
            config: what the run's config says.
            partition: the key to run it for, if it is partitioned.
            assets: the tables that its ops read, and every upstream of them.
            workers: how many steps run at once.
            retry_of: the id of a run that failed; what it has done is not done again.
            now: the clock; none: the system's.
            raise_on_failure: whether a failure is raised, or only told by the result.

        Raises:
            RunError: a step failed.
            DeltaworksError: the definitions or the request are wrong; nothing was run.
        """
        # Looked up when called: running stands above definitions, and a job is only the handle that users hold.
        door = importlib.import_module("deltaworks.engine.workspace.jobs")
        result: JobResult = door.execute_in_process(
            self,
            lake=lake,
            resources=resources or {},
            config=config or {},
            partition=partition,
            assets=assets,
            workers=workers,
            retry_of=retry_of,
            now=now,
            raise_on_failure=raise_on_failure,
        )
        return result

    def __repr__(self) -> str:
        return f"<job {self.name} at {self.where}>"


def define_job(
    graph: Graph,
    name: str,
    *,
    inputs: Mapping[str, Any],
    config: Mapping[str, Any] | Config | None,
    partitions: Partitions | None,
    tags: Mapping[str, str],
    retry: RetryPolicy | None,
    hooks: Sequence[Hook],
    description: str,
    where: Place,
) -> Job:
    """Return a job, if what is given fits the graph.

    Raises:
        InvalidDefinition: it does not.
    """
    problem = job_name_problem(name) or _input_problem(graph, inputs) or _partition_problem(graph, partitions)
    if problem is None and isinstance(config, Config):
        problem = secret_problem(type(config))
    if problem:
        raise InvalidDefinition(f"job {name!r}: {problem}", where=where)
    return Job(
        name=name,
        graph=graph,
        inputs={**graph.defaults, **inputs},
        config={} if config is None or isinstance(config, Config) else config,
        shared_config=config if isinstance(config, Config) else None,
        partitions=Unpartitioned() if partitions is None else partitions,
        tags=dict(tags),
        retry=retry or RetryPolicy(max_retries=0),
        hooks=refuse_others(hooks, f"job {name!r}", where, of_runs=True),
        description=description,
        where=where,
    )


def job_name_problem(name: str) -> str | None:
    """Say why a job cannot have a name; none: it can."""
    if _NAME.fullmatch(name):
        return None
    return (
        "its name starts with a letter or a digit and has only letters, digits, '_', '-' and '.', at most 100 of them"
    )


def ops_in(graph: Graph, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Op]]:
    """Yield every op of a graph with its path, those of nested graphs included."""
    for name, invocation in graph.invocations.items():
        if isinstance(invocation.of, Op):
            yield (*prefix, name), invocation.of
        else:
            yield from ops_in(invocation.of, (*prefix, name))


def _input_problem(graph: Graph, inputs: Mapping[str, Any]) -> str | None:
    ports = {port.name: port for port in graph.inputs}
    for name, value in inputs.items():
        if name not in ports:
            return f"graph {graph.name!r} has no input {name!r}.{did_you_mean(name, ports, otherwise='')}"
        for use in (ports[name], *(use.port for use in graph.uses.get(name, ()))):
            if use.is_value and not is_of(value, use.type):
                return f"input {name!r} is {spelled(use.type)}, not {value!r}"
    missing = next((name for name, port in ports.items() if name not in inputs and not port.has_default), None)
    if missing is None:
        return None
    return f"graph {graph.name!r} needs input {missing!r}; give to_job(inputs={{{missing!r}: ...}})"


def _partition_problem(graph: Graph, partitions: Partitions | None) -> str | None:
    if partitions is not None:
        is_definition = isinstance(getattr(partitions, "dimensions", None), tuple)
        wrong = f"partitions must be a definition such as DailyPartitions(start=...), not {partitions!r}"
        return None if is_definition else wrong
    for path, op in ops_in(graph):
        argument = op.signature.injected.get(Partition)
        if argument is not None:
            return f"op {'.'.join(path)!r} has a Partition ({argument!r}), but the job has no partitions"
    return None
