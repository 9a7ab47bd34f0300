"""InProcess: make assets in this process, for a notebook or a test, without a project around them."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Event as Flag

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.ops.hooks import Hook
from deltaworks.engine.execution.events import RunNoted
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.execution.sources import observe_sources
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.planning.job_config import ConfigLayer
from deltaworks.engine.planning.plan import Only, Plan, plan
from deltaworks.engine.planning.request import Request
from deltaworks.errors import RunError
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.store import Store

_LOG = logging.getLogger("deltaworks.workspace")


@dataclass(frozen=True, slots=True)
class Made:
    """What came of making assets."""

    plan: Plan
    report: RunReport
    failures: tuple[tuple[str, str | None, str], ...]
    """What failed and why, by asset and partition; sources that could not be observed and tables of others that could
    not be read are among them."""

    def refuse_failures(self) -> None:
        """Raise what went wrong, if anything did.

        Raises:
            RunError: something failed, or somebody canceled the run; what is committed stays.
        """
        for asset, key, error in self.failures:
            more = f" ({len(self.failures) - 1} more failed)" if len(self.failures) > 1 else ""
            raise RunError(f"{error}{more}", asset=asset, partition=key)
        entry = self.report.entry
        if entry.status is RunStatus.CANCELED:
            raise RunError(f"run {entry.run_id} was {entry.reason or 'canceled'}; what it committed stays")


def tell_notes(event: object) -> None:
    """Log what of a run somebody may want to mend; nobody watches the rest in this process."""
    if isinstance(event, RunNoted):
        _LOG.warning("%s", event.note)


def make(
    definitions: Definitions,
    graph: AssetGraph,
    store: Store,
    asked: Request,
    *,
    entry: RunEntry,
    workers: int,
    now: Callable[[], dt.datetime],
    config: Sequence[ConfigLayer] = (),
    only: frozenset[Only] = frozenset({Only.ALL}),
    job_hooks: Sequence[Hook] = (),
) -> Made:
    """Make what is asked for, after the sources above it were observed.

    Args:
        definitions: the assets' resources.
        graph: the assets.
        store: the lake.
        asked: what to make.
        entry: the run.
        workers: how many calls run at once.
        now: the clock.
        config: of the assets; later layers override earlier ones.
        only: the statuses that are made; all of them unless it says otherwise.
        job_hooks: those of the job that it is a run of.

    Raises:
        DeltaworksError: the definitions or the request are wrong; nothing was run.
    """
    wanted: tuple[AssetKey, ...] = tuple(asked.partitions)
    seen = observe_sources(
        definitions,
        graph,
        store,
        graph.sources_above(wanted),
        command=entry.command,
        environ=os.environ,
        now=now,
        tell=tell_notes,
    )
    observation = observe(graph, store)
    decided = plan(graph, observation.status, asked, only, seen.faults)
    report = launch(
        definitions,
        graph,
        store,
        observation.tables,
        decided,
        workers=workers,
        command=entry.command,
        environ=os.environ,
        now=now,
        tell=tell_notes,
        stop=Flag(),
        entry=entry,
        config=config,
        job_hooks=job_hooks,
    )
    faults = [(str(key), None, error) for key, error in {**seen.faults, **observation.faults}.items()]
    failures = (*faults, *((each.asset, each.partition, each.error) for each in report.entry.failures))
    return Made(decided, replace(report, observed=seen.sources), failures)
