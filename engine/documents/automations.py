"""Automations as JSON: schedules, sensors, and the conditions of assets, and whether each of them is on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from deltaworks.engine.automation.conditions.switches import switch_name
from deltaworks.engine.automation.schedule_watch import WatchedSchedule
from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.automation.schedule import Schedule
from deltaworks.engine.definitions.automation.sensor import CommitsOf, FilesOf, FreshnessOf, RunsOf, Sensor
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.documents.instants import instant_json
from deltaworks.io.condition_notes import NAME, DecisionNotes

_WORDS = {"requested": "requested", "waits": "waiting"}
"""By the first word of a decision, what it counts as; all others count as held."""


def schedules_json(
    schedules: Iterable[Schedule], switches: Mapping[str, bool], now: dt.datetime
) -> list[dict[str, Any]]:
    """Return schedules as JSON: how they are defined, whether they are on, and when they would tick next."""
    return [
        _schedule_json(each)
        | {
            "is_on": switches.get(each.name, each.is_on),
            "next_at": next(iter(map(instant_json, WatchedSchedule.of(each).rhythm.next(now, 1))), None),
        }
        for each in schedules
    ]


def sensors_json(sensors: Iterable[Sensor], switches: Mapping[str, bool]) -> list[dict[str, Any]]:
    """Return sensors as JSON: how they are defined, and whether they are on."""
    return [_sensor_json(each) | {"is_on": switches.get(each.name, each.is_on)} for each in sensors]


def conditions_json(
    definitions: Definitions, switches: Mapping[str, bool], notes: DecisionNotes | None
) -> dict[str, Any]:
    """Return the conditions of assets as JSON, with how many partitions the last decisions were about.

    Args:
        definitions: the project's.
        switches: what somebody has started or stopped.
        notes: what was decided last; none: nothing was.
    """
    are_on = switches.get(NAME, True)
    counts: dict[str, dict[str, int]] = {}
    for each in () if notes is None else notes.decisions:
        words = counts.setdefault(each.asset, {"requested": 0, "waiting": 0, "held": 0})
        words[_WORDS.get(each.sentence.partition(":")[0], "held")] += each.count
    conditions = [
        {
            "asset": name,
            "is_on": are_on and switches.get(switch_name(asset.key), True),
            "condition": repr(asset.automation),
            "max_per_tick": asset.max_per_tick,
            **counts.get(name, {"requested": 0, "waiting": 0, "held": 0}),
        }
        for name, asset in automated(definitions).items()
    ]
    return {"is_on": are_on, "conditions": conditions}


def automated(definitions: Definitions) -> Mapping[str, Asset[..., Any]]:
    """Return the assets that have conditions, by key."""
    return {str(asset.key): asset for asset in definitions.assets if asset.automation is not None}


def watched_by(sensor: Sensor) -> list[str]:
    """Return what a sensor looks at: tables, a pattern of files, ends of runs, or freshness."""
    match sensor.watches:
        case CommitsOf(assets=assets):
            return [str(key) for key in assets]
        case FilesOf(files=files):
            return [files.whole(files.below)]
        case RunsOf(statuses=statuses):
            return sorted(status.value for status in statuses)
        case FreshnessOf(assets=assets):
            return ["every freshness policy"] if assets is None else [str(key) for key in assets]
        case None:
            return []


def _schedule_json(schedule: Schedule) -> dict[str, Any]:
    return {
        "schedule": schedule.name,
        "job": schedule.job.name,
        "crons": [str(cron) for cron in schedule.crons],
        "timezone": schedule.timezone,
        "catchup": schedule.catchup.value,
        "catchup_limit": schedule.catchup_limit,
        "timeout_s": schedule.timeout_s,
        "tags": dict(schedule.tags),
        "description": schedule.description,
        "file": schedule.where.file,
        "line": schedule.where.line,
    }


def _sensor_json(sensor: Sensor) -> dict[str, Any]:
    return {
        "sensor": sensor.name,
        "kind": sensor.kind,
        "watches": watched_by(sensor),
        "job": None if sensor.job is None else sensor.job.name,
        "interval_s": sensor.interval_s,
        "timeout_s": sensor.timeout_s,
        "tags": dict(sensor.tags),
        "description": sensor.description,
        "file": sensor.where.file,
        "line": sensor.where.line,
    }
