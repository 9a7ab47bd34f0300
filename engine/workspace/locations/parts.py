"""Parts: what the process of a code location does with its share of a run: the ordinary engine carries it out.

What it would write into the ledger and the log, it tells its host. What it makes, it commits itself.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.execution.asset_hooks import AssetHooks
from deltaworks.engine.execution.desk import Desk
from deltaworks.engine.execution.events import Event, EventSink
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.opening import open_and_keep, open_version
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.execution.resource_scope import resource_scope
from deltaworks.engine.execution.sharing import Sharing
from deltaworks.engine.execution.sources import Observations, observe_sources
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.workers.capture import capturing
from deltaworks.engine.execution.workers.cluster import Cluster
from deltaworks.engine.execution.workers.executor_kind import ExecutorKind
from deltaworks.engine.execution.workers.run_log import RunLog
from deltaworks.engine.execution.workers.workers import Workers
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.job_config import ConfigLayer
from deltaworks.engine.planning.plan import Only, Plan
from deltaworks.engine.workspace.locations.around import PartRecipe, Surroundings
from deltaworks.engine.workspace.locations.inside import Inside
from deltaworks.errors import RequestError, StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.store import Store
from deltaworks.io.table import Table


@dataclass(frozen=True)
class Part:
    """A location's share of a run."""

    around: Surroundings
    store: Store
    planned: Mapping[AssetKey, PartitionSet]
    codes: Mapping[AssetKey, str | None]
    """The code versions that the host knows of them."""
    only: frozenset[Only]
    failing: Mapping[AssetKey, frozenset[str]]
    versions: Mapping[AssetKey, int | None]
    """At which version each table is read; none: at the latest, since the run itself has written it, or it is new."""
    entry: RunEntry
    workers: int
    executor: ExecutorKind
    memory_mb: float | None
    file_bytes: int
    cluster: Cluster
    sharing: Sharing
    config: tuple[ConfigLayer, ...]
    job_config: tuple[ConfigLayer, ...]


@dataclass(frozen=True, slots=True)
class EntryTold:
    """How the part is now."""

    entry: RunEntry


@dataclass(frozen=True, slots=True)
class LineTold:
    """A line of the run's log."""

    document: Json


@dataclass(frozen=True, slots=True)
class EventTold:
    """Something has happened."""

    event: Event


Told = EntryTold | LineTold | EventTold


class _Lines:
    """Tells the lines of the log."""

    def __init__(self, tell: Callable[[Told], None]) -> None:
        self._tell = tell
        self.problem: StorageError | None = None

    def write(self, document: Json, /) -> None:
        self._tell(LineTold(document))

    def flush(self) -> None:
        """Nothing waits here."""


def carry_out(inside: Inside, told: Mapping[str, Any], tell: Callable[[Told], None]) -> RunReport:
    """Carry out a part of a run.

    Raises:
        RequestError: the location defines something else by now, or the config does not fit.
        DeltaworksError: as `launch`.
    """
    part: Part = told["part"]
    definitions, graph = part.around.related(inside.definitions)
    _refuse_changed(inside.name, graph, part)
    plan = Plan((), (), part.planned, part.only, failing=part.failing)
    stop = Stop()
    inside.stops.append(stop)
    desk = Desk(lambda entry: tell(EntryTold(entry)), lambda: None, _Lines(tell), is_part=True)
    hear: EventSink = lambda event: tell(EventTold(event))  # noqa: E731 - a lambda that says what it is
    recipe = PartRecipe(inside.modules, inside.folder, inside.environment, part.around)
    try:
        return launch(
            definitions,
            graph,
            part.store,
            {key: _table(part.store, node.asset, part.versions.get(key)) for key, node in graph.nodes.items()},
            plan,
            workers=Workers(part.workers, part.executor, recipe.load, part.memory_mb, part.file_bytes, part.cluster),
            command=part.entry.command,
            environ=os.environ,
            now=_now,
            tell=hear,
            stop=stop,
            entry=part.entry,
            sharing=part.sharing,
            config=part.config,
            job_config=part.job_config,
            desk=desk,
        )
    finally:
        inside.stops.remove(stop)


def call_job_hooks(inside: Inside, told: Mapping[str, Any], tell: Callable[[Told], None]) -> None:
    """Call the hooks of a job of the location whose run is over.

    Raises:
        RequestError: there is no such job any more.
        InvalidSettings, RunError: a resource of theirs could not be made ready, or put away.
    """
    job = inside.definitions.jobs.get(told["job"])
    if job is None:
        raise RequestError(f"There is no job {told['job']!r} any more.")
    hooks = AssetHooks({}, job.hooks, inside.definitions.hook_resources(job.hooks))
    with resource_scope(hooks.resources, os.environ) as scope, capturing():
        log: RunLog[Event] = RunLog(_Lines(tell), _now, scope, lambda event: tell(EventTold(event)))
        hooks.call(told["plan"], told["report"], scope, log, Stop())


def observe_own(inside: Inside, told: Mapping[str, Any], tell: Callable[[Told], None]) -> Observations:
    """Observe sources of the location.

    Raises:
        DeltaworksError: as `observe_sources`.
    """
    around: Surroundings = told["around"]
    definitions, graph = around.related(inside.definitions)
    return observe_sources(
        definitions,
        graph,
        told["store"],
        told["sources"],
        command=told["command"],
        environ=os.environ,
        now=_now,
        tell=lambda event: tell(EventTold(event)),
        is_repeated=told["is_repeated"],
    )


def _table(store: Store, asset: Asset[..., Any], version: int | None) -> Table:
    table = open_and_keep(store, asset)
    return table if version is None or table.version == version else open_version(store, asset, version)


def _refuse_changed(location: str, graph: AssetGraph, part: Part) -> None:
    """Refuse to make by other code, or other partitions, than the plan was made for."""
    for key, planned in part.planned.items():
        node = graph.nodes[key]
        if node.partitions.size != planned.size or node.code != part.codes[key]:
            raise RequestError(
                f"{key} of location {location!r} has changed since the plan was made; run the command again, after "
                "`deltaworks workspace reload` if that says the same."
            )


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
