"""Definitions: everything that a project defines, as one unit that is loaded."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, cast

from deltaworks.engine.definitions.asset import Asset, AssetKind
from deltaworks.engine.definitions.asset_check import AssetCheck
from deltaworks.engine.definitions.automation.asked import Asked
from deltaworks.engine.definitions.automation.schedule import Schedule
from deltaworks.engine.definitions.automation.sensor import Sensor
from deltaworks.engine.definitions.calling import calling_place
from deltaworks.engine.definitions.clashes import (
    distinct_jobs,
    distinct_schedules,
    distinct_sensors,
    join_resources,
    refuse_shared_config,
    refuse_shared_folders,
    refuse_shared_names,
)
from deltaworks.engine.definitions.folders import Placing, modules_below, place
from deltaworks.engine.definitions.multi_asset import MultiAsset, each_asset
from deltaworks.engine.definitions.ops.asset_job import AssetJob
from deltaworks.engine.definitions.ops.hooks import Hook
from deltaworks.engine.definitions.ops.job import Job, ops_in
from deltaworks.engine.definitions.ops.op import Op
from deltaworks.engine.definitions.repositories import Repository, distinct
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
        self.repositories: tuple[Repository, ...] = ()
        """Those that it has been joined from, or that it is."""
        here = calling_place()
        self._homes: dict[str, Place] = {} if here is None else dict.fromkeys(self.resources, here)
        self.schedules = distinct_schedules(schedules)
        self.sensors = distinct_sensors(sensors, self.schedules)
        scheduled = (each.job for each in self.schedules.values())
        sensed = (each.job for each in self.sensors.values() if each.job is not None)
        self.jobs = {job.name: job for job in distinct_jobs((*jobs, *scheduled, *sensed))}
        _refuse_others(self.assets, self.checks, self.resources)
        refuse_shared_folders(self.assets)
        refuse_shared_names(self.checks)
        refuse_shared_config(self.assets)

    @classmethod
    def of(cls, values: Iterable[object], resources: Mapping[str, Resource] | None = None) -> Definitions:
        """Join what stands in a list: assets, checks, jobs, schedules, sensors, other Definitions, lists of these.

        Raises:
            InvalidDefinition: something is none of these, or the names of two clash.
        """
        given = list(_flat(values))
        strange = next((each for each in given if not isinstance(each, _UNITS)), None)
        if strange is not None:
            raise InvalidDefinition(
                f"{strange!r} is none of what Definitions are made of: assets, checks, jobs, schedules, sensors, other "
                "Definitions",
                where=place_of(strange) if inspect.isfunction(strange) else None,
            )
        found = cls._sorted(given, resources or {})
        return cls.merge(found, *(each for each in given if isinstance(each, Definitions)))

    @classmethod
    def from_module(
        cls,
        module: ModuleType,
        resources: Mapping[str, Resource] | None = None,
        *,
        group: str | None = None,
        prefix: str | None = None,
    ) -> Definitions:
        """Collect what a module names: assets, jobs, schedules, sensors, resources, and checks, also in lists.

        Args:
            module: what is looked through.
            resources: more of them, by name.
            group: that of assets that name none.
            prefix: what the keys of its assets begin with: `raw` makes `raw/flights` of `flights`.
        """
        return cls._from_modules([module], resources, Placing(None, group, prefix))

    @classmethod
    def from_package(
        cls,
        package: ModuleType,
        resources: Mapping[str, Resource] | None = None,
        *,
        group: str | None = None,
        prefix: str | None = None,
        group_by_folder: bool = False,
        prefix_by_folder: bool = False,
    ) -> Definitions:
        """Import all modules of a package, and those of its packages, and collect what they name.

        What reads an asset by its name reads it still if that gets a prefix: the one of its own folder, if there are
        several. Selections of jobs, and `In(asset=...)` of ops, name whole keys.

        Args:
            package: what is looked through.
            resources: more of them, by name.
            group: that of assets that name none.
            prefix: what the keys of its assets begin with.
            group_by_folder: whether the assets of a folder below the package's, that name no group, are one: `raw/eu`.
            prefix_by_folder: whether their keys begin with its name, after `prefix`.
        """
        root = Path(package.__file__ or "").parent
        placing = Placing(root, group, prefix, group_by_folder, prefix_by_folder)
        return cls._from_modules(modules_below(package), resources, placing)

    @classmethod
    def _from_modules(
        cls, modules: Iterable[ModuleType], resources: Mapping[str, Resource] | None, placing: Placing
    ) -> Definitions:
        units: list[Definitions] = []
        for module in modules:
            values: dict[str, Any] = vars(module)
            own = [value for value in values.values() if isinstance(value, Definitions)]
            units += own
            if not own:
                named = {name: value for name, value in values.items() if isinstance(value, Resource)}
                unit = cls._sorted([*values.values(), *_checks_among(values.values())], named)
                file = getattr(module, "__file__", None)
                unit._homes = {} if file is None else dict.fromkeys(named, Place(file, 0))
                units.append(unit)
        units.append(cls(resources=resources))
        if placing == Placing(None):
            return cls.merge(*units)
        placed = place(
            {id(asset): asset for unit in units for asset in unit.assets}.values(),
            {id(check): check for unit in units for check in unit.checks}.values(),
            {id(each): each for unit in units for each in unit.sensors.values()}.values(),
            placing,
        )
        return cls.merge(
            cls(placed.assets, None, placed.checks, (), (), placed.sensors), *(unit._without_assets() for unit in units)
        )

    def _without_assets(self) -> Definitions:
        """Return the jobs, schedules and resources alone."""
        left = Definitions((), self.resources, (), self.jobs.values(), self.schedules.values())
        left.repositories, left._homes = self.repositories, self._homes
        return left

    @classmethod
    def _sorted(cls, values: Iterable[object], resources: Mapping[str, Resource]) -> Definitions:
        """Take what definitions can have from among some values; the others are passed over."""
        known = list(values)
        assets: list[object] = [each for each in known if isinstance(each, Asset | MultiAsset)]
        return cls(
            cast("list[Asset[..., Any] | MultiAsset[..., Any]]", assets),
            resources,
            [each for each in known if isinstance(each, AssetCheck)],
            [each for each in known if isinstance(each, Job | AssetJob)],
            [each for each in known if isinstance(each, Schedule)],
            [each for each in known if isinstance(each, Sensor)],
        )

    @classmethod
    def merge(cls, *units: Definitions) -> Definitions:
        """Join several units; a resource name given twice must be the same resource.

        Raises:
            InvalidDefinition: names of two of them clash; the message has both places.
        """
        resources: dict[str, Resource] = {}
        homes: dict[str, Place] = {}
        for unit in units:
            join_resources(resources, homes, unit.resources, unit._homes)
        joined = cls(
            (asset for unit in units for asset in unit.assets),
            resources,
            (check for unit in units for check in unit.checks),
            (job for unit in units for job in unit.jobs.values()),
            (each for unit in units for each in unit.schedules.values()),
            (each for unit in units for each in unit.sensors.values()),
        )
        joined._homes, joined.repositories = homes, distinct(each for unit in units for each in unit.repositories)
        return joined

    def in_repository(self, repository: Repository) -> Definitions:
        """Return the same definitions as a repository."""
        changed = copy(self)
        changed.repositories = (repository,)
        return changed

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


def _flat(values: Iterable[object]) -> Iterator[object]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(cast("Iterable[object]", value))
        else:
            yield value


def _checks_among(values: Iterable[object]) -> Iterator[AssetCheck]:
    for value in values:
        if isinstance(value, AssetCheck):
            yield value
        elif isinstance(value, list | tuple):
            members = cast("Iterable[object]", value)
            yield from (each for each in members if isinstance(each, AssetCheck))


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


_UNITS = (Asset, MultiAsset, AssetCheck, Job, AssetJob, Schedule, Sensor, Definitions)
