"""Doing: what needs the code of a project is done where that is: in this process, or in those of its code locations.

Apart from `project`, since commands that only look need none of it.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Mapping, Sequence

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.ops.hooks import Hook
from deltaworks.engine.execution.again import DecideAgain
from deltaworks.engine.execution.events import EventSink, PartitionSkipped
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.execution.sources import Observations, observe_sources
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.workers.workers import Workers
from deltaworks.engine.planning.job_config import ConfigLayer
from deltaworks.engine.planning.plan import Plan
from deltaworks.engine.workspace.locations.across import launch_across
from deltaworks.engine.workspace.locations.observing import observe_across
from deltaworks.engine.workspace.project import Project
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.table import Table


def carry_out(
    project: Project,
    tables: Mapping[AssetKey, Table],
    plan: Plan,
    *,
    workers: Workers,
    now: Callable[[], dt.datetime],
    tell: EventSink,
    stop: Stop,
    entry: RunEntry,
    skipped: Sequence[PartitionSkipped] = (),
    again: DecideAgain | None = None,
    config: Sequence[ConfigLayer] = (),
    job_config: Sequence[ConfigLayer] = (),
    job_hooks: Sequence[Hook] = (),
) -> RunReport:
    """Carry out a plan, where the code of its assets is; see `launch` and `launch_across`."""
    if project.workspace is not None:
        return launch_across(
            project.workspace,
            project.graph,
            project.store,
            tables,
            plan,
            workers=workers,
            keys=project.recipe.keys,
            started=project.recipe.now,
            now=now,
            tell=tell,
            stop=stop,
            entry=entry,
            skipped=skipped,
            sharing=project.sharing,
            again=again,
            config=config,
            job_config=job_config,
        )
    return launch(
        project.definitions,
        project.graph,
        project.store,
        tables,
        plan,
        workers=workers,
        command=entry.command,
        environ=os.environ,
        now=now,
        tell=tell,
        stop=stop,
        entry=entry,
        skipped=skipped,
        sharing=project.sharing,
        again=again,
        config=config,
        job_config=job_config,
        job_hooks=job_hooks,
    )


def observe(
    project: Project,
    sources: Sequence[AssetKey],
    *,
    command: str,
    now: Callable[[], dt.datetime],
    tell: EventSink,
    is_repeated: bool = False,
) -> Observations:
    """Observe sources, where their code is; see `observe_sources` and `observe_across`."""
    if project.workspace is not None:
        return observe_across(
            project.workspace,
            project.graph,
            project.store,
            sources,
            command=command,
            now=project.recipe.now,
            keys=project.recipe.keys,
            tell=tell,
            is_repeated=is_repeated,
        )
    return observe_sources(
        project.definitions,
        project.graph,
        project.store,
        sources,
        command=command,
        environ=os.environ,
        now=now,
        tell=tell,
        is_repeated=is_repeated,
    )
