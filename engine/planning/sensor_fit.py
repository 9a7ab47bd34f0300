"""SensorFit: whether the sensors of a project fit its jobs and assets, found out without data and without a lake."""

from __future__ import annotations

from collections.abc import Iterable

from deltaworks.engine.definitions.automation.sensor import CommitsOf, FreshnessOf, RunsOf, Sensor
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import AssetGraph
from deltaworks.errors import InvalidDefinition, did_you_mean


def refuse_unfit_sensors(definitions: Definitions, graph: AssetGraph) -> None:
    """Make sure that the jobs that sensors watch are defined, and that what they watch else are tables.

    Raises:
        InvalidDefinition: it is not so; the message has file and line.
    """
    for sensor in definitions.sensors.values():
        match sensor.watches:
            case CommitsOf(assets=assets):
                _refuse_tables(sensor, assets, graph)
            case FreshnessOf(assets=assets):
                _refuse_assets_without_policy(sensor, assets or (), graph)
            case RunsOf(jobs=jobs):
                _refuse_jobs(sensor, sorted(jobs or ()), definitions)
            case _:
                pass


def _refuse_assets_without_policy(sensor: Sensor, assets: Iterable[AssetKey], graph: AssetGraph) -> None:
    _refuse_tables(sensor, assets, graph)
    without = next((key for key in assets if graph.nodes[key].asset.freshness is None), None)
    if without is not None:
        raise InvalidDefinition(
            f"sensor {sensor.name!r} watches the freshness of {without}, which has no policy; give it one by "
            "@asset(freshness=FreshnessPolicy(...))",
            where=sensor.where,
        )


def _refuse_jobs(sensor: Sensor, names: Iterable[str], definitions: Definitions) -> None:
    for name in names:
        if name not in definitions.jobs:
            hint = did_you_mean(name, definitions.jobs, otherwise=" Give it to Definitions(jobs=[...]).")
            raise InvalidDefinition(
                f"sensor {sensor.name!r} watches job {name!r}, but no job has that name.{hint}", where=sensor.where
            )


def _refuse_tables(sensor: Sensor, assets: Iterable[AssetKey], graph: AssetGraph) -> None:
    for key in assets:
        if key in graph.nodes:
            continue
        if key in graph.views:
            raise InvalidDefinition(
                f"sensor {sensor.name!r} watches {str(key)!r}, which is a view and has no commits; watch the tables "
                "that it reads",
                where=sensor.where,
            )
        hint = did_you_mean(str(key), map(str, graph.nodes))
        raise InvalidDefinition(
            f"sensor {sensor.name!r} watches {str(key)!r}, but no asset has that key.{hint}", where=sensor.where
        )
