"""Workers: what the tasks of one run are carried out by: threads of its process, processes of their own, or both."""

from __future__ import annotations

import atexit
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.execution.asset_resources import resources_of
from deltaworks.engine.execution.call import Configs
from deltaworks.engine.execution.children import Children
from deltaworks.engine.execution.executor import Executor, ThreadExecutor, Work
from deltaworks.engine.execution.executor_kind import ExecutorKind
from deltaworks.engine.execution.keep import KEPT_BYTES, Keep
from deltaworks.engine.execution.run_log import RunLog
from deltaworks.engine.execution.stage import Stager
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.errors import InvalidDefinition, RequestError, RunError
from deltaworks.io.dtypes import Json
from deltaworks.io.store import Store

Load: TypeAlias = Callable[[], tuple[Definitions, AssetGraph]]
"""Loads a project as it was loaded in this process. It pickles."""

_SHOWN = 5
"""How many assets a message names."""


@dataclass(frozen=True, slots=True)
class Workers:
    """How many calls of a run go on at once, and where."""

    count: int = 2
    kind: ExecutorKind = ExecutorKind.THREADS
    load: Load | None = None
    """None: other processes cannot load what is defined, since it is no project."""


@dataclass(frozen=True, slots=True)
class StagerOf:
    """Makes the stager of a run in another process. It pickles."""

    load: Load
    store: Store
    assets: tuple[AssetKey, ...]
    environ: Mapping[str, str]
    kept_bytes: int
    config: Mapping[str, Json]

    def __call__(self) -> Work:
        """Load the project and return what carries out its tasks.

        Raises:
            DefinitionError: its code is wrong, or it does not define the assets of the run any more.
        """
        definitions, graph = self.load()
        gone = [str(key) for key in self.assets if key not in graph.nodes]
        if gone:
            raise InvalidDefinition(f"it does not define {', '.join(gone)} any more")
        stager = stager_of(
            definitions, graph, self.store, self.assets, self.environ, self.config, kept_bytes=self.kept_bytes
        )
        if stager.resources.scope.is_set_up:
            atexit.register(_put_away, stager)
            signal.signal(signal.SIGTERM, _leave)
        return stager.stage


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
    """Return what carries out the tasks of some assets; whoever asks has to close the scope of its resources.

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
    log: RunLog,
) -> Executor:
    """Start the executor of a run.

    Calls with limits run in processes, whatever the others do: only those can be ended.

    Raises:
        RequestError: calls would have to run in processes that cannot load them.
    """
    in_processes = {
        key for key in assets if workers.kind is ExecutorKind.PROCESSES or graph.nodes[key].asset.limits.need_process
    }
    if not in_processes:
        return ThreadExecutor(log.capturing(stager.stage), workers.count)
    if workers.load is None:
        raise RequestError(_no_project(sorted(map(str, in_processes)), workers.kind))
    make = StagerOf(workers.load, stager.store, assets, dict(environ), KEPT_BYTES // workers.count, config)
    children = Children(make, environ, lambda task: graph.nodes[task.asset].asset.limits, workers.count, log.line)
    return ThreadExecutor(
        log.capturing(lambda task: children.carry_out(task) if task.asset in in_processes else stager.stage(task)),
        workers.count,
        children.close,
    )


def _put_away(stager: Stager) -> None:
    """Put away the resources of a process that ends; the run is told nothing any more."""
    try:
        stager.resources.scope.close()
    except RunError as error:
        print(f"note: {error}", file=sys.stderr)


def _leave(_signal: int, _frame: object) -> None:
    """End this process as Python programs end, so that resources are put away."""
    raise SystemExit(128 + signal.SIGTERM)


def _no_project(assets: list[str], kind: ExecutorKind) -> str:
    more = f" and {len(assets) - _SHOWN} more" if len(assets) > _SHOWN else ""
    is_asked = kind is ExecutorKind.PROCESSES
    way_out = "use threads" if is_asked else "leave out timeout_s, memory_mb and isolate"
    return (
        f"{', '.join(assets[:_SHOWN])}{more} cannot be called in other processes: these could not load what is defined "
        f"in this one. Put it into a module and run `deltaworks materialize`, or {way_out}."
    )
