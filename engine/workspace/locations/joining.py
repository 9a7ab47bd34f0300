"""Joining: one set of definitions and one graph of all code locations; what does not fit is left out, with a sentence.

A location knows nothing of the others, so only here is it seen that two define the same, that an upstream is nowhere,
or that assets are made from each other in a circle. Each such problem costs one asset and what is made from it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deltaworks.engine.definitions.asset import Asset, AssetKind
from deltaworks.engine.definitions.asset_check import AssetCheck
from deltaworks.engine.definitions.automation.schedule import Schedule
from deltaworks.engine.definitions.automation.sensor import CommitsOf, Sensor
from deltaworks.engine.definitions.definitions import AnyJob, Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.resolution import DynamicKeys
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.errors import DefinitionError, InvalidDefinition, did_you_mean


@dataclass(frozen=True)
class Joined:
    """All locations together."""

    definitions: Definitions
    problems: tuple[DefinitionError, ...]
    """What was left out, and why."""


def join(locations: Mapping[str, Definitions], missing: Mapping[str, str]) -> Joined:
    """Join the definitions of locations.

    Args:
        locations: by name, without code.
        missing: the locations that are not among them, and why.
    """
    joining = _Joining(locations, missing)
    return Joined(joining.joined(), tuple(joining.problems))


def fitting_graph(joined: Joined, now: dt.datetime, keys: DynamicKeys | None) -> tuple[Joined, AssetGraph]:
    """Return the graph of all that fits together, and what that leaves of the definitions.

    Args:
        joined: the definitions.
        now: what open partitions end at.
        keys: those of dynamic partitions; none: there is no lake that has any.
    """
    definitions, problems = joined.definitions, list(joined.problems)
    while True:
        try:
            return Joined(definitions, tuple(problems)), build_graph(definitions, now, keys)
        except DefinitionError as error:
            left = None if error.asset is None else _without(definitions, error.asset)
            if left is None:
                raise
            problems.append(error)
            definitions = left


def keys_of(graph: AssetGraph, location: str) -> frozenset[AssetKey]:
    """Return the assets of a location."""
    return frozenset(
        key
        for key, node in graph.every.items()
        if node.asset.foreign is not None and node.asset.foreign.location == location
    )


class _Joining:
    def __init__(self, locations: Mapping[str, Definitions], missing: Mapping[str, str]) -> None:
        self._locations, self._missing = locations, missing
        self.problems: list[DefinitionError] = []
        self._owners: dict[AssetKey, str] = {}

    def joined(self) -> Definitions:
        assets = self._assets()
        known = {asset.key for asset in assets}
        checks = [check for each in self._locations.values() for check in each.checks if self._may_judge(check, known)]
        resources: dict[str, Resource] = {
            f"{location}.{name}": resource
            for location, each in self._locations.items()
            for name, resource in each.resources.items()
        }
        jobs: dict[str, AnyJob] = {}
        schedules: dict[str, Schedule] = {}
        sensors: dict[str, Sensor] = {}
        for each in self._locations.values():
            for job in each.jobs.values():
                self._add("job", jobs, job)
            for schedule in each.schedules.values():
                if jobs.get(schedule.job.name) is schedule.job:
                    self._add("schedule", {**sensors, **schedules}, schedule, schedules)
            for sensor in each.sensors.values():
                if sensor.job is None or jobs.get(sensor.job.name) is sensor.job:
                    self._add("sensor", {**schedules, **sensors}, sensor, sensors)
        for name in [name for name, sensor in sensors.items() if not self._may_watch(sensor, known)]:
            del sensors[name]
        while True:
            try:
                found = Definitions(assets, resources, checks, jobs.values(), schedules.values(), sensors.values())
                break
            except InvalidDefinition as error:
                left = [asset for asset in assets if error.asset is None or asset.where != error.where]
                if len(left) == len(assets):
                    raise
                self.problems.append(error)
                assets = left
                checks = [check for check in checks if check.asset in {asset.key for asset in assets}]
        found.repositories = tuple(one for each in self._locations.values() for one in each.repositories)
        return found

    def _assets(self) -> list[Asset[..., Any]]:
        """Return the assets that can be, each once."""
        found: dict[AssetKey, Asset[..., Any]] = {}
        for location, each in self._locations.items():
            for asset in each.assets:
                other = found.setdefault(asset.key, asset)
                if other is asset:
                    self._owners[asset.key] = location
                    continue
                self.problems.append(
                    InvalidDefinition(
                        f"asset {str(asset.key)!r} of location {location!r} is defined twice; the other definition is "
                        f"at {other.where}, in location {self._owners[asset.key]!r}",
                        where=asset.where,
                        asset=str(asset.key),
                    )
                )
        while True:
            lost = {key: problem for key, asset in found.items() if (problem := self._lacks(asset, found)) is not None}
            if not lost:
                return list(found.values())
            for key, problem in lost.items():
                asset = found.pop(key)
                self.problems.append(InvalidDefinition(problem, where=asset.where, asset=str(key)))

    def _lacks(self, asset: Asset[..., Any], found: Mapping[AssetKey, Asset[..., Any]]) -> str | None:
        """Say what an asset reads that it cannot read."""
        here = self._owners[asset.key]
        for upstream in asset.signature.upstreams:
            read = found.get(upstream.key)
            if read is None:
                why = "; ".join(self._missing.values())
                otherwise = f" What is not loaded may have it: {why}" if why else ""
                hint = did_you_mean(str(upstream.key), map(str, found), otherwise=otherwise)
                return f"asset {str(asset.key)!r} reads {str(upstream.key)!r}, but no asset has that name.{hint}"
            if read.kind is AssetKind.VIEW and self._owners[upstream.key] != here:
                return (
                    f"asset {str(asset.key)!r} of location {here!r} reads view {str(upstream.key)!r} of location "
                    f"{self._owners[upstream.key]!r}; a view is computed by whoever reads it, who does not have its "
                    "code, so make it an asset"
                )
        return None

    def _may_judge(self, check: AssetCheck, known: set[AssetKey]) -> bool:
        if check.asset in known:
            return True
        self._note(f"asset check {str(check.key)!r} judges {str(check.asset)!r}, which is not defined", check)
        return False

    def _may_watch(self, sensor: Sensor, known: set[AssetKey]) -> bool:
        watched = sensor.watches.assets if isinstance(sensor.watches, CommitsOf) else ()
        lost = next((key for key in watched if key not in known), None)
        if lost is not None:
            self._note(f"sensor {sensor.name!r} watches {str(lost)!r}, which is not defined", sensor)
        return lost is None

    def _add(self, kind: str, known: dict[str, Any], new: Any, into: dict[str, Any] | None = None) -> None:
        other = known.setdefault(new.name, new)
        if other is not new:
            self._note(f"{kind} {new.name!r} is defined twice; the other definition is at {other.where}", new)
        elif into is not None:
            into[new.name] = new

    def _note(self, problem: str, what: Any) -> None:
        self.problems.append(InvalidDefinition(problem, where=what.where))


def _without(definitions: Definitions, name: str) -> Definitions | None:
    """Return definitions without an asset, or a check, and all that is made from it; none: there is no such."""
    lost = set(_below(definitions, name))
    checks = [each for each in definitions.checks if str(each.key) != name and each.asset not in lost]
    if not lost and len(checks) == len(definitions.checks):
        return None
    checks = [each for each in checks if not any(upstream.key in lost for upstream in each.signature.upstreams)]
    sensors = [
        each
        for each in definitions.sensors.values()
        if not (isinstance(each.watches, CommitsOf) and lost.intersection(each.watches.assets))
    ]
    left = Definitions(
        [asset for asset in definitions.assets if asset.key not in lost],
        definitions.resources,
        checks,
        definitions.jobs.values(),
        definitions.schedules.values(),
        sensors,
    )
    left.repositories = definitions.repositories
    return left


def _below(definitions: Definitions, name: str) -> Iterator[AssetKey]:
    lost = {asset.key for asset in definitions.assets if str(asset.key) == name}
    while True:
        more = {
            asset.key
            for asset in definitions.assets
            if asset.key not in lost and any(each.key in lost for each in asset.signature.upstreams)
        }
        if not more:
            yield from lost
            return
        lost |= more
