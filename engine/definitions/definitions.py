"""Definitions: everything that a project defines, as one unit that is loaded."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from types import ModuleType
from typing import Any, TypeAlias, cast

from deltaworks.engine.definitions.asset import Asset, AssetKind
from deltaworks.engine.definitions.asset_check import AssetCheck
from deltaworks.engine.definitions.automation.asked import Asked
from deltaworks.engine.definitions.automation.schedule import Schedule
from deltaworks.engine.definitions.automation.sensor import Sensor
from deltaworks.engine.definitions.keys import CheckKey
from deltaworks.engine.definitions.multi_asset import MultiAsset, each_asset
from deltaworks.engine.definitions.ops.asset_job import AssetJob
from deltaworks.engine.definitions.ops.graph import Graph
from deltaworks.engine.definitions.ops.hooks import Hook
from deltaworks.engine.definitions.ops.job import Job, ops_in
from deltaworks.engine.definitions.ops.op import Op
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.definitions.signature import place_of
from deltaworks.errors import InvalidDefinition, Place

AnyJob: TypeAlias = Job | AssetJob


class Definitions:
    """Assets, views among them, the checks of assets, jobs, schedules, sensors, and the resources that they use.

    The jobs of schedules and sensors belong to them whether or not they are given.

    Raises:
        InvalidDefinition: something given is none of these, two assets share a key or a folder, one's folder lies
            inside another's, or two checks of an asset, two jobs or two schedules or sensors have the same name.
    """

    def __init__(
        self,
        assets: Iterable[Asset[..., Any] | MultiAsset[..., Any]] = (),
        resources: Mapping[str, Resource] | None = None,
        checks: Iterable[AssetCheck] = (),
        jobs: Iterable[AnyJob] = (),
        schedules: Iterable[Schedule] = (),
        sensors: Iterable[Sensor] = (),
    ) -> None:
        self.assets = tuple({id(asset): asset for asset in each_asset(assets)}.values())
        self.checks = tuple({id(check): check for check in checks}.values())
        self.resources = dict(resources or {})
        self.schedules = _schedules(schedules)
        self.sensors = _sensors(sensors, self.schedules)
        scheduled = (each.job for each in self.schedules.values())
        sensed = (each.job for each in self.sensors.values() if each.job is not None)
        self.jobs = {job.name: job for job in _jobs((*jobs, *scheduled, *sensed))}
        _refuse_others(self.assets, self.checks, self.resources)
        _refuse_shared_folders(self.assets)
        _refuse_shared_names(self.checks)
        _refuse_shared_config(self.assets)

    @classmethod
    def from_module(cls, module: ModuleType, resources: Mapping[str, Resource] | None = None) -> Definitions:
        """Collect what a module names: assets, jobs, schedules, sensors, resources, and checks, also in lists."""
        values: dict[str, Any] = vars(module)
        jobs: list[AnyJob] = [value for value in values.values() if isinstance(value, Job | AssetJob)]
        assets: list[Asset[..., Any] | MultiAsset[..., Any]] = [
            value for value in values.values() if isinstance(value, Asset | MultiAsset)
        ]
        named = {name: value for name, value in values.items() if isinstance(value, Resource)}
        schedules = [value for value in values.values() if isinstance(value, Schedule)]
        sensors = [value for value in values.values() if isinstance(value, Sensor)]
        return cls(assets, named | dict(resources or {}), _checks_among(values.values()), jobs, schedules, sensors)

    @classmethod
    def merge(cls, *units: Definitions) -> Definitions:
        """Join several units; a resource name given twice must be the same resource."""
        resources: dict[str, Resource] = {}
        for unit in units:
            for name, resource in unit.resources.items():
                if resources.setdefault(name, resource) != resource:
                    raise InvalidDefinition(f"resource {name!r} is defined twice, with different values")
        return cls(
            (asset for unit in units for asset in unit.assets),
            resources,
            (check for unit in units for check in unit.checks),
            (job for unit in units for job in unit.jobs.values()),
            (each for unit in units for each in unit.schedules.values()),
            (each for unit in units for each in unit.sensors.values()),
        )

    def with_resources(self, resources: Mapping[str, Resource]) -> Definitions:
        """Return the same definitions with other resources."""
        changed = copy(self)
        changed.resources = dict(resources)
        return changed

    def refuse_missing_resources(self) -> None:
        """Check that all get their resources. Only the whole project can say: modules may share them.

        Raises:
            InvalidDefinition: a resource that an asset, a check, an op, a hook or a sensor asks for is not given.
        """
        everyone: tuple[Asset[..., Any] | AssetCheck, ...] = (*self.assets, *self.checks)
        for each in everyone:
            for argument, wanted in each.signature.resources.items():
                self.resource(each, argument, wanted)
        for asset in self.assets:
            self.hook_resources(asset.hooks)
        for job in self.jobs.values():
            self.resources_of(job)
        for schedule in self.schedules.values():
            self.resources_asked(f"schedule {schedule.name!r}", schedule.asked)
        for sensor in self.sensors.values():
            self.resources_asked(f"sensor {sensor.name!r}", sensor.asked)

    def resources_asked(self, whose: str, asked: Asked | None) -> dict[str, Resource]:
        """Return what the function of a schedule or sensor asks for, by argument.

        Raises:
            InvalidDefinition: a resource is not given.
        """
        if asked is None:
            return {}
        return {
            argument: self.resource_for(whose, asked.where, argument, wanted)
            for argument, wanted in asked.resources.items()
        }

    def hook_resources(self, hooks: Iterable[Hook]) -> dict[Hook, dict[str, Resource]]:
        """Return what hooks ask for, by argument.

        Raises:
            InvalidDefinition: a resource is not given.
        """
        return {
            hook: {
                argument: self.resource_for(f"hook {hook.name!r}", hook.where, argument, wanted)
                for argument, wanted in hook.resources.items()
            }
            for hook in hooks
        }

    def resources_of(self, job: AnyJob) -> dict[Op | Hook, dict[str, Resource]]:
        """Return what the ops and hooks of a job ask for, by argument.

        Raises:
            InvalidDefinition: a resource is not given.
        """
        asking: dict[Op | Hook, Mapping[str, type[Resource]]] = {hook: hook.resources for hook in job.hooks}
        for op in dict.fromkeys(op for _, op in ops_in(job.graph)) if isinstance(job, Job) else ():
            asking |= {op: op.signature.resources} | {hook: hook.resources for hook in op.hooks}
        return {
            whose: {
                argument: self.resource_for(
                    f"{'op' if isinstance(whose, Op) else 'hook'} {whose.name!r}", whose.where, argument, wanted
                )
                for argument, wanted in asked.items()
            }
            for whose, asked in asking.items()
        }

    def resource(self, asset: Asset[..., Any] | AssetCheck, argument: str, wanted: type[Resource]) -> Resource:
        """Return the resource for an argument of an asset or a check, see `resource_for`."""
        is_check = isinstance(asset, AssetCheck) or asset.kind is AssetKind.CHECK
        whose = f"{AssetKind.CHECK if is_check else 'asset'} {str(asset.key)!r}"
        return self.resource_for(whose, asset.where, argument, wanted, str(asset.key))

    def resource_for(
        self, whose: str, where: Place, argument: str, wanted: type[Resource], asset: str | None = None
    ) -> Resource:
        """Return the resource for an argument: the one of its type, and of its name where several have the type.

        Raises:
            InvalidDefinition: there is none, or several and none has the argument's name.
        """
        fitting = {name: resource for name, resource in self.resources.items() if isinstance(resource, wanted)}
        name = argument.rpartition(".")[2]  # that of an op stands behind the op's address
        if name in fitting:
            return fitting[name]
        if len(fitting) == 1:
            return next(iter(fitting.values()))
        problem = (
            f"resources {', '.join(map(repr, fitting))} all fit; name the argument like one of them"
            if fitting
            else f"there is none; give Definitions(resources={{{argument!r}: {wanted.__name__}(...)}})"
        )
        raise InvalidDefinition(
            f"{whose} asks for a {wanted.__name__} as {argument!r}, but {problem}", where=where, asset=asset
        )


def _checks_among(values: Iterable[object]) -> Iterator[AssetCheck]:
    for value in values:
        if isinstance(value, AssetCheck):
            yield value
        elif isinstance(value, list | tuple):
            members = cast("Iterable[object]", value)
            yield from (each for each in members if isinstance(each, AssetCheck))


def _jobs(jobs: Iterable[object]) -> Iterator[AnyJob]:
    """Yield jobs, each once.

    Raises:
        InvalidDefinition: one is none, or has the name of another.
    """
    known: dict[str, AnyJob] = {}
    for job in jobs:
        if isinstance(job, Graph):
            raise InvalidDefinition(f"{job!r} among the jobs is none; give {job.name}.to_job()", where=job.where)
        if not isinstance(job, Job | AssetJob):
            raise InvalidDefinition(f"{job!r} among the jobs is none; decorate its function with @job")
        other = known.setdefault(job.name, job)
        if other is not job:
            raise InvalidDefinition(
                f"job {job.name!r} is defined twice; the other definition is at {other.where}", where=job.where
            )
    yield from known.values()


def _schedules(schedules: Iterable[object]) -> dict[str, Schedule]:
    """Return schedules by their names.

    Raises:
        InvalidDefinition: one is none, or has the name of another.
    """
    known: dict[str, Schedule] = {}
    for schedule in schedules:
        if not isinstance(schedule, Schedule):
            raise InvalidDefinition(
                f"{schedule!r} among the schedules is none; decorate its function with @schedule, or make one with "
                "define_schedule",
                where=place_of(schedule) if inspect.isfunction(schedule) else None,
            )
        _refuse_second(schedule, known.setdefault(schedule.name, schedule))
    return known


def _sensors(sensors: Iterable[object], schedules: Mapping[str, Schedule]) -> dict[str, Sensor]:
    """Return sensors by their names.

    Raises:
        InvalidDefinition: one is none, or has the name of another or of a schedule: both are switched by their names.
    """
    known: dict[str, Sensor] = {}
    for sensor in sensors:
        if not isinstance(sensor, Sensor):
            raise InvalidDefinition(
                f"{sensor!r} among the sensors is none; decorate its function with @sensor or the like",
                where=place_of(sensor) if inspect.isfunction(sensor) else None,
            )
        _refuse_second(sensor, schedules.get(sensor.name) or known.setdefault(sensor.name, sensor))
    return known


def _refuse_second(automation: Schedule | Sensor, other: Schedule | Sensor) -> None:
    if other is not automation:
        kind = "schedule" if isinstance(automation, Schedule) else "sensor"
        raise InvalidDefinition(
            f"{kind} {automation.name!r} is defined twice; the other definition is at {other.where}",
            where=automation.where,
        )


def _refuse_others(assets: Iterable[object], checks: Iterable[object], resources: Mapping[str, object]) -> None:
    for asset in assets:
        if not isinstance(asset, Asset):
            where = place_of(asset) if inspect.isfunction(asset) else None
            raise InvalidDefinition(
                f"{asset!r} among the assets is none; decorate its function with @asset", where=where
            )
    for check in checks:
        if not isinstance(check, AssetCheck):
            where = place_of(check) if inspect.isfunction(check) else None
            raise InvalidDefinition(
                f"{check!r} among the checks is none; decorate its function with @asset_check", where=where
            )
    for name, resource in resources.items():
        if not isinstance(resource, Resource):
            raise InvalidDefinition(
                f"resource {name!r} must be an instance of a subclass of Resource, not {resource!r}"
            )


def _refuse_shared_folders(assets: tuple[Asset[..., Any], ...]) -> None:
    by_key: dict[str, Asset[..., Any]] = {}
    by_folder: dict[str, Asset[..., Any]] = {}
    for asset in assets:
        other = by_key.setdefault(asset.key.path, asset)
        if other is not asset:
            raise _clash(asset, f"is defined twice; the other definition is at {other.where}")
        if asset.kind is AssetKind.VIEW:
            continue  # it has no folder
        if asset.kind is AssetKind.EXTERNAL:
            other = by_folder.setdefault(str(asset.location), asset)
            if other is not asset:
                raise _clash(asset, f"is the same table, {asset.location}, as {other.key.path!r} ({other.where})")
            continue
        other = by_folder.setdefault(asset.table_name, asset)
        if other is not asset:
            raise _clash(
                asset,
                f"would lie in the same folder, {asset.table_name!r}, as {other.key.path!r} ({other.where}); give one "
                "of them another location",
            )
    for asset in assets:
        has_folder = asset.kind not in (AssetKind.EXTERNAL, AssetKind.VIEW)
        parts = asset.table_name.split("/") if has_folder else ()
        for length in range(1, len(parts)):
            outer = by_folder.get("/".join(parts[:length]))
            if outer is not None:
                raise _clash(
                    asset,
                    f"would lie inside the table of {outer.key.path!r} ({outer.where}); a vacuum of that table would "
                    "delete it, so give one of them another name or location",
                )


def _refuse_shared_names(checks: tuple[AssetCheck, ...]) -> None:
    by_key: dict[CheckKey, AssetCheck] = {}
    for check in checks:
        other = by_key.setdefault(check.key, check)
        if other is not check:
            raise InvalidDefinition(
                f"asset check {str(check.key)!r} is defined twice; the other definition is at {other.where}. Give one "
                "of them another name",
                where=check.where,
                asset=str(check.asset),
            )


def _refuse_shared_config(assets: tuple[Asset[..., Any], ...]) -> None:
    by_name: dict[str, Asset[..., Any]] = {}
    for asset in assets:
        other = by_name.setdefault(asset.config_name, asset) if asset.signature.config_model is not None else asset
        if other.shared is not asset.shared:
            raise _clash(
                asset,
                f"has its config under the name {asset.config_name!r}, as the function at {other.where} has; give the "
                "multi_asset another name",
            )


def _clash(asset: Asset[..., Any], problem: str) -> InvalidDefinition:
    return InvalidDefinition(f"asset {asset.key.path!r} {problem}", where=asset.where, asset=asset.key.path)
