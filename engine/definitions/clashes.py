"""Clashes: what cannot be defined side by side: two assets of one folder, two jobs or checks of one name."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from deltaworks.engine.definitions.asset import Asset, AssetKind
from deltaworks.engine.definitions.asset_check import AssetCheck
from deltaworks.engine.definitions.automation.schedule import Schedule
from deltaworks.engine.definitions.automation.sensor import Sensor
from deltaworks.engine.definitions.keys import CheckKey
from deltaworks.engine.definitions.ops.asset_job import AssetJob
from deltaworks.engine.definitions.ops.graph import Graph
from deltaworks.engine.definitions.ops.job import Job
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.definitions.signature import place_of
from deltaworks.errors import InvalidDefinition, Place


def distinct_jobs(jobs: Iterable[object]) -> Iterator[Job | AssetJob]:
    """Yield jobs, each once.

    Raises:
        InvalidDefinition: one is none, or has the name of another.
    """
    known: dict[str, Job | AssetJob] = {}
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


def distinct_schedules(schedules: Iterable[object]) -> dict[str, Schedule]:
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


def distinct_sensors(sensors: Iterable[object], schedules: Mapping[str, Schedule]) -> dict[str, Sensor]:
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


def refuse_shared_folders(assets: tuple[Asset[..., Any], ...]) -> None:
    """Refuse assets of one key or folder, and one whose folder lies inside another's.

    Raises:
        InvalidDefinition: there are some.
    """
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


def refuse_shared_names(checks: tuple[AssetCheck, ...]) -> None:
    """Refuse checks of one asset that have the same name.

    Raises:
        InvalidDefinition: there are some.
    """
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


def refuse_shared_config(assets: tuple[Asset[..., Any], ...]) -> None:
    """Refuse functions whose config would stand under one name.

    Raises:
        InvalidDefinition: there are some.
    """
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


def join_resources(
    found: dict[str, Resource], homes: dict[str, Place], more: Mapping[str, Resource], their_homes: Mapping[str, Place]
) -> None:
    """Add resources to others; the same one may be given twice.

    Args:
        found: those that there are, by name.
        homes: where they were given, as far as that is known.
        more: what is added.
        their_homes: where that was given.

    Raises:
        InvalidDefinition: a name stands for two of them.
    """
    for name, resource in more.items():
        if found.setdefault(name, resource) != resource:
            here, there = (_line_of(each.get(name), name) for each in (their_homes, homes))
            other = "" if there is None else f"; the other definition is at {there}"
            raise InvalidDefinition(f"resource {name!r} is defined twice, with different values{other}", where=here)
        if name in their_homes:
            homes.setdefault(name, their_homes[name])


def _line_of(home: Place | None, name: str) -> Place | None:
    """Return where a module gives a value to a name, if only its file is known."""
    if home is None or home.line:
        return home
    try:
        tree = ast.parse("".join(linecache.getlines(home.file)))
    except SyntaxError:
        return home
    for each in tree.body:
        targets = (
            each.targets if isinstance(each, ast.Assign) else [each.target] if isinstance(each, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return Place(home.file, each.lineno)
    return Place(home.file, 1)
