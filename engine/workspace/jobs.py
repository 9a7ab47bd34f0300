"""Jobs: run a job of the project, or of a test, by whatever it is made of."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.asset_check import AssetCheck
from deltaworks.engine.definitions.definitions import AnyJob, Definitions
from deltaworks.engine.definitions.multi_asset import MultiAsset
from deltaworks.engine.definitions.ops.asset_job import AssetJob
from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.ops.hooks import Ending
from deltaworks.engine.definitions.ops.job import Job
from deltaworks.engine.definitions.ops.job_result import JobResult, StepResult
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.definitions.partitions.resolution import DynamicKeys, resolve
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.execution.asset_hooks import ends_of
from deltaworks.engine.execution.endings import ENDING_OF_RUN
from deltaworks.engine.execution.entry import begin_entry
from deltaworks.engine.execution.jobs.job_launch import JobRequest, launch_job
from deltaworks.engine.execution.opening import refuse_own_tables
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.execution.workers.workers import Workers
from deltaworks.engine.planning.asset_config import resolve_asset_config
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.job_config import ConfigLayer
from deltaworks.engine.planning.job_fit import refuse_unfit
from deltaworks.engine.planning.job_partition import job_partition
from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only
from deltaworks.engine.planning.request import request
from deltaworks.engine.planning.selection import select
from deltaworks.engine.workspace.dynamic_keys import read_dynamic_keys
from deltaworks.engine.workspace.in_process import make, tell_notes
from deltaworks.engine.workspace.project import Project
from deltaworks.errors import RunError, UnknownJob
from deltaworks.io.store import Store


def execute_in_process(
    job: Job,
    *,
    lake: str | Path | None,
    resources: Mapping[str, Resource],
    config: Mapping[str, Any],
    partition: str | None,
    assets: Sequence[Asset[..., Any]],
    workers: int,
    retry_of: str | None,
    now: Callable[[], dt.datetime] | None,
    raise_on_failure: bool,
) -> JobResult:
    """Run a job of ops in this process; see `Job.execute_in_process`."""
    definitions = Definitions(assets, resources, jobs=[job])
    store, clock = None if lake is None else Store.at(str(lake)), now or _now
    keys: DynamicKeys = {}
    if store is not None:
        refuse_own_tables(definitions, store)
        keys = read_dynamic_keys(definitions, store)
    graph = build_graph(definitions, clock(), keys)
    request = JobRequest(
        job,
        resolve(job.partitions, keys).until(clock()),
        partition,
        [ConfigLayer("config=", config)],
        retry_of,
        workers=Workers(workers),
    )
    result = launch_job(
        request,
        definitions,
        graph,
        store,
        command=f"{job.name}.execute_in_process",
        environ=os.environ,
        now=clock,
        tell=tell_notes,
        stop=Stop(),
    )
    if raise_on_failure and result.failures:
        step, reason = next(iter(result.failures.items()))
        more = f" ({len(result.failures) - 1} more failed)" if len(result.failures) > 1 else ""
        raise RunError(f"job {job.name!r}: step {step} failed: {reason}{more}")
    return result


def execute_assets_in_process(
    job: AssetJob,
    *,
    lake: str | Path,
    assets: Sequence[Asset[..., Any] | MultiAsset[..., Any]],
    resources: Mapping[str, Resource],
    checks: Sequence[AssetCheck],
    config: Mapping[str, Mapping[str, Any] | Config],
    partition: str | None,
    workers: int,
    now: Callable[[], dt.datetime] | None,
    raise_on_failure: bool,
) -> JobResult:
    """Run a job of assets in this process; see `AssetJob.execute_in_process`."""
    clock = now or _now
    definitions = _retried(Definitions(assets, resources, checks, [job]), job)
    store = Store.at(str(lake))
    refuse_own_tables(definitions, store)
    keys = read_dynamic_keys(definitions, store)
    graph = build_graph(definitions, clock(), keys)
    refuse_unfit(job, graph)
    given = {key: each.model_dump() if isinstance(each, Config) else each for key, each in config.items()}
    layers = [ConfigLayer(f"job {job.name!r} ({job.where})", job.config), ConfigLayer("config=", given)]
    resolve_asset_config(graph, (), layers)
    part = job_partition(job.name, resolve(job.partitions, keys).until(clock()), partition)
    key = None if part is None else part.key
    asked = request(graph, select(graph, job.selection), [] if key is None else [key])
    entry = replace(
        begin_entry(f"{job.name}.execute_in_process", clock()),
        job=job.name,
        job_partition=key,
        tags=tuple(f"{name}={value}" for name, value in job.tags.items()),
    )
    only = DEFAULT_ONLY if job.skip_fresh else frozenset({Only.ALL})
    made = make(
        definitions,
        graph,
        store,
        asked,
        entry=entry,
        workers=workers,
        now=clock,
        config=layers,
        only=only,
        job_hooks=job.hooks,
    )
    if raise_on_failure:
        made.refuse_failures()
    steps = {
        each.step: StepResult(each.ending, each.reason, tries=0 if each.ending is Ending.SKIP else 1)
        for each in ends_of(made.plan, made.report)
    }
    return JobResult(made.report.entry.run_id, job.name, ENDING_OF_RUN[made.report.entry.status], steps, {})


def find_job(definitions: Definitions, name: str) -> AnyJob:
    """Return a job by its name.

    Raises:
        UnknownJob: there is none.
    """
    if name not in definitions.jobs:
        raise UnknownJob(name, definitions.jobs)
    return definitions.jobs[name]


def partitions_of(project: Project, job: AnyJob, now: dt.datetime) -> Partitions:
    """Return the partitions of a job as they are now."""
    return resolve(job.partitions, read_dynamic_keys(project.definitions, project.store)).until(now)


def with_retry(project: Project, job: AssetJob, now: dt.datetime) -> Project:
    """Return a project whose assets are tried again as a job says, where they do not say so themselves."""
    if job.retry is None:
        return project
    definitions = _retried(project.definitions, job)
    graph = build_graph(definitions, now, read_dynamic_keys(definitions, project.store))
    return replace(project, definitions=definitions, graph=graph)


def _retried(old: Definitions, job: AssetJob) -> Definitions:
    if job.retry is None:
        return old
    assets = [replace(each, retry=job.retry) if each.retry is None else each for each in old.assets]
    return Definitions(assets, old.resources, old.checks, old.jobs.values())


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
