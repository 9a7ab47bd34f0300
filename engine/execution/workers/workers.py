"""Workers: what the tasks of one run are carried out by: threads of its process, processes of their own, or both."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.execution.asset_resources import resources_of
from deltaworks.engine.execution.call import Configs
from deltaworks.engine.execution.events import Event
from deltaworks.engine.execution.keep import KEPT_BYTES, Keep
from deltaworks.engine.execution.stage import Stager
from deltaworks.engine.execution.task import Outcome, Task
from deltaworks.engine.execution.workers.child_scope import open_to_the_end
from deltaworks.engine.execution.workers.children import Children
from deltaworks.engine.execution.workers.cluster import Cluster
from deltaworks.engine.execution.workers.executor import Executor, ThreadExecutor
from deltaworks.engine.execution.workers.executor_kind import ExecutorKind
from deltaworks.engine.execution.workers.on_cluster import start_on_cluster
from deltaworks.engine.execution.workers.run_log import RunLog
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.errors import InvalidDefinition, RequestError
from deltaworks.io.dtypes import Json
from deltaworks.io.parquet import TARGET_FILE_BYTES
from deltaworks.io.store import Store

Load: TypeAlias = Callable[[], tuple[Definitions, AssetGraph]]
"""Loads a project as it was loaded in this process. It pickles."""

COORDINATOR_MB = 250
"""How much of a run's memory its coordinator is taken to need."""

WORKER_MB = 150
"""What Python and Polars take in a worker before it does anything."""

LEAST_MB = 300
"""With less than this, a worker could do hardly anything."""

_ROOM = 8
"""How many times the size of a call's Parquet its memory should have: rows take about four times as much in memory, and
inputs are there as well as results."""

_SHOWN = 5
"""How many assets a message names."""


@dataclass(frozen=True, slots=True)
class Workers:
    """How many calls of a run go on at once, and where."""

    count: int = 2
    kind: ExecutorKind = ExecutorKind.THREADS
    load: Load | None = None
    """None: other processes cannot load what is defined, since it is no project."""
    memory_mb: float | None = None
    """How much memory the run may take in all its processes, in millions of bytes; none: as much as there is."""
    file_bytes: int = TARGET_FILE_BYTES
    """How large the files of a large partition should be about."""
    cluster: Cluster = field(default_factory=Cluster)
    """Where Dask is, if that is asked for."""

    @property
    def is_remote(self) -> bool:
        """Whether functions may be called on other machines, which have files and variables of their own."""
        return self.kind is ExecutorKind.DASK and self.cluster.scheduler is not None

    @property
    def share_mb(self) -> float | None:
        """How much memory of the run's each of its worker processes may take."""
        return None if self.memory_mb is None else (self.memory_mb - COORDINATOR_MB) / self.count

    @property
    def range_bytes(self) -> int | None:
        """How much Parquet one call should make at most, so that its rows have room in memory; none: any size."""
        share_mb = self.share_mb
        return None if share_mb is None else max(1, int((share_mb - WORKER_MB) * 1e6 / _ROOM))

    def limits_of(self, own: Limits) -> Limits:
        """Return how far calls of an asset may go that has limits of its own."""
        limits = [each for each in (own.memory_mb, self.share_mb) if each is not None]
        return replace(own, memory_mb=min(limits, default=None))

    def verify(self) -> None:
        """Make sure that the memory is enough to begin with.

        Raises:
            RequestError: it is not.
        """
        if self.memory_mb is not None and self.is_remote:
            raise RequestError(
                "memory_mb says how much memory of this machine a run may take, but its functions are called by the "
                f"workers of {self.cluster.scheduler}: leave it out, start them with --memory-limit, and give assets "
                "memory_mb of their own."
            )
        least = COORDINATOR_MB + self.count * LEAST_MB
        if self.memory_mb is not None and self.memory_mb < least:
            raise RequestError(
                f"memory_mb={self.memory_mb:g} is too little for a run with {self.count} "
                f"worker{'' if self.count == 1 else 's'}: expected at least {least} ({COORDINATOR_MB} for the run and "
                f"{LEAST_MB} for each worker). Raise it, or lower --workers."
            )


@dataclass(frozen=True, slots=True)
class StagerOf:
    """Makes the stager of a run in another process. It pickles."""

    load: Load
    store: Store
    assets: tuple[AssetKey, ...]
    environ: Mapping[str, str] | None
    """Where its resources find their `EnvVar`s; none: in the variables of the process that it is made in."""
    kept_bytes: int
    config: Mapping[str, Json]
    file_bytes: int
    codes: Mapping[AssetKey, str | None] = field(default_factory=dict[AssetKey, "str | None"])
    """The code versions that the coordinator knows, where other files may be loaded; those that are not here may be
    any."""

    def __call__(self) -> Callable[[Task], Outcome]:
        """Load the project and return what carries out its tasks.

        Raises:
            DefinitionError: its code is wrong, or it does not define the assets of the run any more.
        """
        definitions, graph = self.load()
        gone = [str(key) for key in self.assets if key not in graph.nodes]
        if gone:
            raise InvalidDefinition(f"it does not define {', '.join(gone)} any more")
        self._refuse_other_code(graph)
        stager = stager_of(
            definitions,
            graph,
            self.store,
            self.assets,
            os.environ if self.environ is None else self.environ,
            self.config,
            kept_bytes=self.kept_bytes,
        )
        open_to_the_end(stager.resources.scope)
        return replace(stager, file_bytes=self.file_bytes).stage

    def _refuse_other_code(self, graph: AssetGraph) -> None:
        other = next((key for key, code in self.codes.items() if graph.nodes[key].code != code), None)
        if other is not None:
            node = graph.nodes[other]
            raise InvalidDefinition(
                f"the code of {other} is {node.code} there ({node.asset.where}), expected {self.codes[other]} as where "
                "the run is coordinated; bring the same project to both"
            )


def stager_of(
    definitions: Definitions,
    graph: AssetGraph,
    store: Store,
    assets: tuple[AssetKey, ...],
    environ: Mapping[str, str],
    config: Mapping[str, Json],
    kept_bytes: int = KEPT_BYTES,
    others: Iterable[Resource] = (),
) -> Stager:
    """Return what carries out the tasks of some assets; whoever asks has to open the scope of its resources.

    Args:
        definitions: the resources.
        graph: the assets.
        store: the lake.
        assets: which ones.
        environ: where resources find their `EnvVar`s.
        config: what those are given that take one, as it stands in the run's entry.
        kept_bytes: how many bytes are kept of rows that break their contract.
        others: more resources that share the scope.

    Raises:
        InvalidSettings: a resource lacks its environment variable.
    """
    nodes = {str(key): graph.nodes[key] for key in assets}
    resources = resources_of(definitions, nodes.values(), environ, others)
    return Stager(store, nodes, resources, keep=Keep(store, kept_bytes), config=configs_of(nodes.values(), config))


def configs_of(nodes: Iterable[Node], values: Mapping[str, Json]) -> Configs:
    """Return the configs of assets that take one, from their values as the ledger keeps them, by `config_name`."""
    return {
        name: model.model_validate(values[name])
        for node in nodes
        for name in [node.asset.config_name]
        if (model := node.asset.signature.config_model) is not None and name in values
    }


def start(
    workers: Workers,
    stager: Stager,
    graph: AssetGraph,
    assets: tuple[AssetKey, ...],
    environ: Mapping[str, str],
    config: Mapping[str, Json],
    log: RunLog[Event],
) -> Executor[Task, Outcome]:
    """Start the executor of a run.

    Calls with limits run in processes, whatever the others do: only those can be ended.

    Raises:
        RequestError: calls would have to run in processes that cannot load them.
    """
    limits = {key: workers.limits_of(graph.nodes[key].asset.limits) for key in assets}
    in_processes = {key for key in assets if workers.kind.is_elsewhere or limits[key].need_process}
    if not in_processes:
        return ThreadExecutor(log.capturing(stager.stage), workers.count)
    if workers.load is None:
        raise RequestError(_no_project(sorted(map(str, in_processes)), workers.kind))
    kept_bytes = KEPT_BYTES // workers.count
    make = StagerOf(workers.load, stager.store, assets, dict(environ), kept_bytes, config, workers.file_bytes)
    if workers.kind is ExecutorKind.DASK:
        known = {key: graph.nodes[key].code for key in assets}
        made = replace(make, environ=None, codes=known) if workers.is_remote else make
        asked = {
            key: workers.cluster.resources_of(asset.tags, asset.pool)
            for key in assets
            for asset in [graph.nodes[key].asset]
        }
        return start_on_cluster(
            workers.cluster,
            workers.count,
            made,
            lambda task: limits[task.asset],
            lambda task: asked[task.asset],
            environ,
            log.line,
            log.note,
            log.masked,
        )
    children = Children(make, environ, lambda task: limits[task.asset], workers.count, log.line)
    return ThreadExecutor(
        log.capturing(lambda task: children.carry_out(task) if task.asset in in_processes else stager.stage(task)),
        workers.count,
        children.close,
    )


def _no_project(assets: list[str], kind: ExecutorKind) -> str:
    more = f" and {len(assets) - _SHOWN} more" if len(assets) > _SHOWN else ""
    is_asked = kind.is_elsewhere
    way_out = "use threads" if is_asked else "leave out timeout_s, memory_mb and isolate"
    return (
        f"{', '.join(assets[:_SHOWN])}{more} cannot be called in other processes: these could not load what is defined "
        f"in this one. Put it into a module and run `deltaworks materialize`, or {way_out}."
    )
