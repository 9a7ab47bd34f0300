"""Description: what a code location tells of what it defines: values, and where code was, what stands for it."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.asset_check import AssetCheck
from deltaworks.engine.definitions.asset_config import counting_hash
from deltaworks.engine.definitions.automation.asked import Asked
from deltaworks.engine.definitions.automation.schedule import Schedule
from deltaworks.engine.definitions.automation.sensor import Sensor
from deltaworks.engine.definitions.definitions import AnyJob, Definitions
from deltaworks.engine.definitions.foreign import Foreign
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.mappings.declared import (
    FromDimension,
    FunctionMapping,
    MultiMapping,
    PartitionMapping,
)
from deltaworks.engine.definitions.ops.job import Job, ops_in
from deltaworks.engine.definitions.repositories import Repository
from deltaworks.engine.definitions.resources import ShownValue
from deltaworks.engine.definitions.signature import Signature
from deltaworks.engine.planning.code_version import code_parts
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.engine.workspace.locations.values import Absent


@dataclass(frozen=True, slots=True)
class ShownResource:
    """A resource as people may see it."""

    name: str
    kind: str
    """The name of its class."""
    values: tuple[ShownValue, ...]


@dataclass(frozen=True, slots=True)
class Versions:
    """What runs in a code location's process."""

    deltaworks: str
    polars: str
    python: str


@dataclass(frozen=True, slots=True)
class Description:
    """What a code location defines."""

    versions: Versions
    assets: tuple[Asset[..., Any], ...]
    checks: tuple[AssetCheck, ...]
    jobs: tuple[AnyJob, ...]
    op_counts: Mapping[str, int]
    """By job of ops, how many it has."""
    hooked: tuple[str, ...]
    """The jobs of assets that have hooks."""
    schedules: tuple[Schedule, ...]
    sensors: tuple[Sensor, ...]
    resources: tuple[ShownResource, ...]
    repositories: tuple[Repository, ...]
    reads: tuple[AssetKey, ...]
    """The assets that its ops read."""
    files: tuple[str, ...]
    """Those that were read while it was imported."""
    folders: tuple[str, ...]
    """Those that were looked through."""
    code_folders: tuple[str, ...]
    """Those that were looked through for modules, so that only these matter in them."""


def own_version() -> str:
    """Return which deltaworks runs in this process."""
    return version("deltaworks")


def own_versions() -> Versions:
    """Return what runs in this process."""
    return Versions(own_version(), version("polars"), platform.python_version())


def describe(
    location: str,
    definitions: Definitions,
    graph: AssetGraph,
    files: Iterable[str] = (),
    folders: Iterable[str] = (),
    code_folders: Iterable[str] = (),
) -> Description:
    """Tell what a location defines.

    Args:
        location: its name.
        definitions: all of it.
        graph: those of its assets that are made from nothing of other locations.
        files: those that were read while it was imported.
        folders: those that were looked through.
        code_folders: those that were looked through for modules.
    """
    return Description(
        own_versions(),
        tuple(_asset(asset, location, graph) for asset in definitions.assets),
        tuple(
            replace(each, signature=_signature(each.signature, str(each.key), each.module))
            for each in definitions.checks
        ),
        tuple(map(_job, definitions.jobs.values())),
        {name: sum(1 for _ in ops_in(job.graph)) for name, job in definitions.jobs.items() if isinstance(job, Job)},
        tuple(name for name, job in definitions.jobs.items() if job.hooks and not isinstance(job, Job)),
        tuple(replace(each, job=_job(each.job), asked=_asked(each.asked)) for each in definitions.schedules.values()),
        tuple(map(_sensor, definitions.sensors.values())),
        tuple(
            ShownResource(name, type(each).__name__, tuple(each.shown()))
            for name, each in definitions.resources.items()
        ),
        definitions.repositories,
        tuple(dict.fromkeys(_read_by_ops(definitions))),
        tuple(files),
        tuple(folders),
        tuple(code_folders),
    )


def _read_by_ops(definitions: Definitions) -> Iterator[AssetKey]:
    for job in definitions.jobs.values():
        for _, op in ops_in(job.graph) if isinstance(job, Job) else ():
            yield from (port.asset for port in op.signature.inputs if port.asset is not None)


def key_functions(definitions: Definitions) -> Iterator[tuple[str, FunctionMapping]]:
    """Yield the functions that say which upstream keys partitions are made from, each with its address."""
    asking = [(each.key, each.signature) for each in definitions.assets]
    asking += [(each.key, each.signature) for each in definitions.checks]
    for key, signature in asking:
        for upstream in signature.upstreams:
            if upstream.mapping is not None:
                yield from _addressed(upstream.mapping, _address(str(key), upstream.argument))


def _addressed(mapping: PartitionMapping, address: str) -> Iterator[tuple[str, FunctionMapping]]:
    match mapping:
        case FunctionMapping():
            yield address, mapping
        case MultiMapping(dimensions=dimensions):
            for name, each in dimensions:
                yield from _addressed(each.mapping, f"{address} {name}")
        case _:
            pass


def _address(whose: str, argument: str) -> str:
    return f"{whose} {argument}"


def _asset(asset: Asset[..., Any], location: str, graph: AssetGraph) -> Asset[..., Any]:
    node = graph.every.get(asset.key)
    return replace(
        asset,
        signature=_signature(asset.signature, str(asset.key), asset.function.__module__),
        hooks=(),
        config=None,
        config_counts=False,
        graph=None,
        foreign=Foreign(
            location,
            code_parts(asset) if node is None else node.own_code,
            asset.signature.config_model is not None,
            counting_hash(asset),
        ),
    )


def _signature(signature: Signature, whose: str, module: str) -> Signature:
    upstreams = tuple(
        replace(each, mapping=_named(each.mapping, _address(whose, each.argument), module))
        for each in signature.upstreams
    )
    return replace(signature, upstreams=upstreams, resources={}, config=None, config_model=None)


def _named(mapping: PartitionMapping | None, address: str, module: str) -> PartitionMapping | None:
    """Return a mapping with what stands for its functions elsewhere."""
    match mapping:
        case FunctionMapping(function=function):
            return FunctionMapping(Absent(getattr(function, "__name__", "a function"), module, address))
        case MultiMapping(dimensions=dimensions):
            changed = MultiMapping({})
            named = tuple((name, _from_dimension(each, f"{address} {name}", module)) for name, each in dimensions)
            object.__setattr__(changed, "dimensions", named)
            return changed
        case _:
            return mapping


def _from_dimension(dimension: FromDimension, address: str, module: str) -> FromDimension:
    named = _named(dimension.mapping, address, module)
    assert named is not None, "it is one"
    assert not isinstance(named, MultiMapping), "a dimension is mapped by its keys"
    return replace(dimension, mapping=named)


def _job(job: AnyJob) -> AnyJob:
    if isinstance(job, Job):
        bare = replace(job.graph, inputs=(), defaults={}, invocations={}, outputs={}, uses={})
        return replace(job, graph=bare, inputs={}, config={}, shared_config=None, hooks=())
    return replace(job, hooks=())


def _sensor(sensor: Sensor) -> Sensor:
    job = None if sensor.job is None else _job(sensor.job)
    asked = _asked(sensor.asked)
    assert asked is not None, "a sensor has a function"
    return replace(sensor, job=job, asked=asked)


def _asked(asked: Asked | None) -> Asked | None:
    return None if asked is None else replace(asked, told={}, resources={}, logger=None)


def upstreams_within(definitions: Definitions) -> frozenset[AssetKey]:
    """Return the assets that are made from nothing of other locations, be it through others of their own."""
    assets = {asset.key: asset for asset in definitions.assets}
    reads = {key: [each.key for each in asset.signature.upstreams] for key, asset in assets.items()}
    for check in definitions.checks:
        if check.asset in reads:
            reads[check.asset] += [each.key for each in check.signature.upstreams]
    within = set(assets)
    while True:
        without = {key for key in within if not within.issuperset(reads[key])}
        if not without:
            return frozenset(within)
        within -= without
