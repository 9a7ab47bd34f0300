"""`deltaworks sensor`: which sensors there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deltaworks.cli.output import Cell, Table, View

if TYPE_CHECKING:
    from deltaworks.engine.definitions.automation.sensor import Sensor
    from deltaworks.engine.workspace.project import Project


def sensors_view(project: Project) -> View:
    """Return which sensors there are."""
    sensors = list(project.definitions.sensors.values())
    document = {"sensors": [_sensor_json(sensor) for sensor in sensors]}
    if not sensors:
        return View(document, (Cell("There are no sensors; @sensor, @asset_sensor and the like make some.", "quiet"),))
    rows = [
        (
            Cell(sensor.name, "strong"),
            sensor.kind,
            ", ".join(watched_by(sensor)) or Cell("-", "quiet"),
            Cell("-", "quiet") if sensor.job is None else sensor.job.name,
            Cell(sensor.description.partition("\n")[0], "quiet"),
        )
        for sensor in sensors
    ]
    return View(document, (Table(("sensor", "kind", "watches", "job", "description"), rows),))


def watched_by(sensor: Sensor) -> list[str]:
    """Return what a sensor looks at: tables, a pattern of files, or ends of runs."""
    # Imported here: --help must not load Polars.
    from deltaworks.engine.definitions.automation.sensor import CommitsOf, FilesOf, RunsOf

    match sensor.watches:
        case CommitsOf(assets=assets):
            return [str(key) for key in assets]
        case FilesOf(files=files):
            return [files.whole(files.below)]
        case RunsOf(statuses=statuses):
            return sorted(status.value for status in statuses)
        case None:
            return []


def _sensor_json(sensor: Sensor) -> dict[str, Any]:
    return {
        "sensor": sensor.name,
        "kind": sensor.kind,
        "watches": watched_by(sensor),
        "job": None if sensor.job is None else sensor.job.name,
        "interval_s": sensor.interval_s,
        "tags": dict(sensor.tags),
        "description": sensor.description,
        "file": sensor.where.file,
        "line": sensor.where.line,
    }
