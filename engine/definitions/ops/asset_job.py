"""AssetJob: a selection of assets as something to run, whatever their status."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, TypeAlias

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.asset_check import AssetCheck
from deltaworks.engine.definitions.calling import calling_place
from deltaworks.engine.definitions.multi_asset import MultiAsset, each_asset
from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.ops.hooks import Hook, refuse_others
from deltaworks.engine.definitions.ops.job import job_name_problem
from deltaworks.engine.definitions.ops.job_result import JobResult
from deltaworks.engine.definitions.partitions.protocols import Partitions, Unpartitioned
from deltaworks.engine.definitions.policies import RetryPolicy
from deltaworks.engine.definitions.resources import Resource
from deltaworks.errors import InvalidDefinition, Place

Selected: TypeAlias = str | Asset[..., Any] | MultiAsset[..., Any]
"""What an author may write to select assets."""


@dataclass(frozen=True, eq=False)
class AssetJob:
    """Assets that are made together."""

    name: str
    selection: tuple[str, ...]
    """Each in the selection syntax; several mean their union."""
    partitions: Partitions
    tags: Mapping[str, str]
    retry: RetryPolicy | None
    """Of assets that do not say so themselves."""
    hooks: tuple[Hook, ...]
    skip_fresh: bool
    """Whether partitions are left out that are fresh when a run starts."""
    description: str
    where: Place
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What its assets are given where the run's config does not say otherwise, by asset."""

    def execute_in_process(
        self,
        *,
        lake: str | FilePath,
        assets: Sequence[Asset[..., Any] | MultiAsset[..., Any]],
        resources: Mapping[str, Resource] | None = None,
        checks: Sequence[AssetCheck] = (),
        config: Mapping[str, Mapping[str, Any] | Config] | None = None,
        partition: str | None = None,
        workers: int = 2,
        now: Callable[[], dt.datetime] | None = None,
        raise_on_failure: bool = True,
    ) -> JobResult:
        """Run the job in this process, and return how each asset ended; they are its steps.

        Args:
            lake: where the tables lie.
            assets: those that it may select from, and every upstream of them.
            resources: by name, for the assets, checks and hooks that ask for them.
            checks: what judges the partitions.
            config: by asset, what those are given that take one; it overrides the job's own.
            partition: the key to run it for, if it is partitioned.
            workers: how many calls run at once.
            now: the clock; none: that of the machine.
            raise_on_failure: whether a failure is raised, or only told by the result.

        Raises:
            RunError: a partition failed, or somebody canceled the run; what is committed stays.
            DeltaworksError: the definitions or the request are wrong; nothing was run.
        """
        # Looked up when called: running stands above definitions, and a job is only the handle that users hold.
        door = importlib.import_module("deltaworks.engine.workspace.jobs")
        result: JobResult = door.execute_assets_in_process(
            self,
            lake=lake,
            assets=assets,
            resources=resources or {},
            checks=checks,
            config=config or {},
            partition=partition,
            workers=workers,
            now=now,
            raise_on_failure=raise_on_failure,
        )
        return result

    def __repr__(self) -> str:
        return f"<job {self.name} at {self.where}>"


def define_asset_job(
    name: str,
    selection: Selected | Sequence[Selected] = "*",
    *,
    partitions: Partitions | None = None,
    tags: Mapping[str, str] | None = None,
    retry: RetryPolicy | None = None,
    hooks: Sequence[Hook] = (),
    skip_fresh: bool = False,
    description: str = "",
    config: Mapping[str, Any] | None = None,
) -> AssetJob:
    """Define a job that makes assets, whatever their status or only where they are not fresh, those upstream first.

    Args:
        name: what it is run by.
        selection: the assets, as `deltaworks list` takes them: `"flights+"`, `"group:raw"`; several mean their union.
        partitions: what the job may be run for, one key a run; none: all partitions of its assets.
        tags: words about it.
        retry: how often assets are tried again that do not say so themselves.
        hooks: what is told how each asset ended, or the run.
        skip_fresh: whether a run leaves out what is fresh when it starts. Sensors on commits want that: where a run has
            read a commit already that asks for the next one, that one has nothing left to do.
        description: what it is for.
        config: what its assets are given where the run's config does not say otherwise: fields by asset key.

    Raises:
        InvalidDefinition: what is given makes no sense.
    """
    where = calling_place() or Place("?", 0)
    given = (selection,) if isinstance(selection, str | Asset | MultiAsset) else tuple(selection)
    problem = job_name_problem(name)
    if not given:
        problem = "its selection is empty; leave it out to mean every asset"
    if partitions is not None and not isinstance(getattr(partitions, "dimensions", None), tuple):
        problem = f"partitions must be a definition such as DailyPartitions(start=...), not {partitions!r}"
    if problem:
        raise InvalidDefinition(f"job {name!r}: {problem}", where=where)
    return AssetJob(
        name=name,
        selection=tuple(name for each in given for name in _names(each)),
        partitions=Unpartitioned() if partitions is None else partitions,
        tags=dict(tags or {}),
        retry=retry,
        hooks=refuse_others(hooks, f"job {name!r}", where, of_runs=True),
        skip_fresh=skip_fresh,
        description=description,
        where=where,
        config=dict(config or {}),
    )


def _names(selected: Selected) -> tuple[str, ...]:
    return (selected,) if isinstance(selected, str) else tuple(str(asset.key) for asset in each_asset([selected]))
