"""AssetJob: a selection of assets as something to run, whatever their status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.calling import calling_place
from deltaworks.engine.definitions.ops.hooks import Hook, refuse_others
from deltaworks.engine.definitions.ops.job import job_name_problem
from deltaworks.engine.definitions.partitions.protocols import Partitions, Unpartitioned
from deltaworks.engine.definitions.policies import RetryPolicy
from deltaworks.errors import InvalidDefinition, Place


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

    def __repr__(self) -> str:
        return f"<job {self.name} at {self.where}>"


def define_asset_job(
    name: str,
    selection: str | Asset[..., Any] | Sequence[str | Asset[..., Any]] = "*",
    *,
    partitions: Partitions | None = None,
    tags: Mapping[str, str] | None = None,
    retry: RetryPolicy | None = None,
    hooks: Sequence[Hook] = (),
    skip_fresh: bool = False,
    description: str = "",
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

    Raises:
        InvalidDefinition: what is given makes no sense.
    """
    where = calling_place() or Place("?", 0)
    given = (selection,) if isinstance(selection, str | Asset) else tuple(selection)
    problem = job_name_problem(name)
    if not given:
        problem = "its selection is empty; leave it out to mean every asset"
    if partitions is not None and not isinstance(getattr(partitions, "dimensions", None), tuple):
        problem = f"partitions must be a definition such as DailyPartitions(start=...), not {partitions!r}"
    if problem:
        raise InvalidDefinition(f"job {name!r}: {problem}", where=where)
    return AssetJob(
        name=name,
        selection=tuple(str(each.key) if isinstance(each, Asset) else each for each in given),
        partitions=Unpartitioned() if partitions is None else partitions,
        tags=dict(tags or {}),
        retry=retry,
        hooks=refuse_others(hooks, f"job {name!r}", where, of_runs=True),
        skip_fresh=skip_fresh,
        description=description,
        where=where,
    )
