"""Automation: what makes runs by itself, whether it is on, when it is asked next, and what it answered of late."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from deltaworks.engine.automation.schedule_watch import WatchedSchedule
from deltaworks.engine.automation.sensor_cursor import read_cursor
from deltaworks.engine.definitions.automation.schedule import Schedule
from deltaworks.engine.definitions.automation.sensor import CommitsOf, Sensor
from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.engine.documents.automations import conditions_json, schedules_json, sensors_json
from deltaworks.io.condition_notes import NAME, read_decisions
from deltaworks.io.switches import read_switch, read_switches
from deltaworks.io.ticks import read_ticks
from deltaworks.io.together import together
from deltaworks.web import urls
from deltaworks.web.views.cron_words import cron_words
from deltaworks.web.views.ticks import TickRow, tick_rows
from deltaworks.web.workspace import Sight

IN_STRIP = 20
"""How many ticks stand beside each schedule and sensor in a list."""

SHOWN = 50
"""How many ticks a page has."""

SHOWN_DECISIONS = 200

NEXT = 5
"""How many of the next ticks are shown."""


@dataclass(frozen=True, slots=True)
class AutomationRow:
    """A schedule or a sensor in a list."""

    kind: str
    name: str
    href: str
    is_on: bool
    job: str
    when: str
    """By which crons, or what it watches."""
    words: str
    """When that is; empty: it goes by no clock."""
    next_at: dt.datetime | None
    ticks: tuple[TickRow, ...]
    """The last ones, the latest first."""
    told: str
    """The first line of its description."""


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """The condition of an asset."""

    asset: str
    is_on: bool
    condition: str
    requested: int
    waiting: int
    held: int


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """What was decided about partitions."""

    asset: str
    partitions: str
    count: int
    sentence: str


@dataclass(frozen=True, slots=True)
class ConditionsView:
    """All conditions, and what they last decided."""

    is_on: bool
    rows: tuple[ConditionRow, ...]
    decided_at: dt.datetime | None
    decisions: tuple[DecisionRow, ...]
    more_decisions: int
    ticks: tuple[TickRow, ...]


@dataclass(frozen=True, slots=True)
class AutomationView:
    """Lists of what makes runs by itself; none: the page is about something else."""

    title: str
    href: str
    schedules: tuple[AutomationRow, ...] | None
    sensors: tuple[AutomationRow, ...] | None
    conditions: ConditionsView | None


@dataclass(frozen=True, slots=True)
class Asking:
    """What a schedule or sensor would ask for, as its function answers just now."""

    at: str | None
    """The tick that it was asked about; none: now."""
    requests: tuple[dict[str, Any], ...]
    skip_reason: str


@dataclass(frozen=True, slots=True)
class AutomatedView:
    """A schedule or a sensor on its page."""

    row: AutomationRow
    facts: tuple[tuple[str, str], ...]
    watched: tuple[str, ...]
    """The assets that it watches."""
    description: str
    switched: str
    """By whom it was last started or stopped, and when; empty: nobody has."""
    next_ticks: tuple[tuple[dt.datetime, str], ...]
    """Instants, and what the clocks of its time zone show then."""
    ticks: tuple[TickRow, ...]
    older: str | None
    """The tick before which there are more; none: there are none."""
    asking: Asking | None


def automation_view(sight: Sight, shown: str) -> AutomationView:
    """Return lists of what makes runs by itself.

    Args:
        sight: the project and the lake.
        shown: `schedules`, `sensors`, or `automation` for these and the conditions.
    """
    shows_all = shown == "automation"
    return AutomationView(
        title=shown.capitalize(),
        href=f"/{shown}",
        schedules=_schedules(sight) if shows_all or shown == "schedules" else None,
        sensors=_sensors(sight) if shows_all or shown == "sensors" else None,
        conditions=_conditions(sight) if shows_all else None,
    )


def automated_view(
    sight: Sight, found: Schedule | Sensor, before: str | None, asked: dict[str, Any] | None = None
) -> AutomatedView:
    """Return the page of a schedule or sensor.

    Args:
        sight: the project and the lake.
        found: the schedule or sensor.
        before: only ticks before this one; none: the latest.
        asked: what a preview answered; none: nobody has asked.
    """
    if isinstance(found, Schedule):
        return _schedule_view(sight, found, before, asked)
    return _sensor_view(sight, found, before, asked)


def _schedule_view(sight: Sight, schedule: Schedule, before: str | None, asked: dict[str, Any] | None) -> AutomatedView:
    store, rhythm = sight.project.store, WatchedSchedule.of(schedule).rhythm
    (found,) = schedules_json([schedule], read_switches(store), sight.at)
    row = _schedule_row(sight, found, before, SHOWN + 1)
    local = tuple((tick, f"{rhythm.local(tick):%a %H:%M %Z}") for tick in rhythm.next(sight.at, NEXT))
    facts = (
        ("Job", row.job),
        ("Ticks", row.words),
        ("Cron", row.when),
        ("Time zone", schedule.timezone),
        ("What it missed", _catchup(schedule)),
        ("Time to answer", f"{schedule.timeout_s:g} s"),
    )
    return _automated(sight, row, facts, (), schedule.description, local, asked)


def _sensor_view(sight: Sight, sensor: Sensor, before: str | None, asked: dict[str, Any] | None) -> AutomatedView:
    store = sight.project.store
    (found,) = sensors_json([sensor], read_switches(store))
    row = _sensor_row(sight, found, before, SHOWN + 1)
    is_of_assets = isinstance(sensor.watches, CommitsOf)
    facts = (
        ("Kind", sensor.kind),
        *(() if is_of_assets else (("Watches", row.when),)),
        ("Job", row.job or "as its function says"),
        ("Asked", f"every {sensor.interval_s:g} s"),
        ("Time to answer", f"{sensor.timeout_s:g} s"),
        ("Cursor", read_cursor(store, sensor) or "none yet"),
    )
    watched = tuple(found["watches"]) if is_of_assets else ()
    return _automated(sight, row, facts, watched, sensor.description, (), asked)


def _automated(
    sight: Sight,
    row: AutomationRow,
    facts: tuple[tuple[str, str], ...],
    watched: tuple[str, ...],
    description: str,
    next_ticks: tuple[tuple[dt.datetime, str], ...],
    asked: dict[str, Any] | None,
) -> AutomatedView:
    switch = read_switch(sight.project.store, row.name)
    switched = (
        "" if switch is None else f"{'started' if switch.is_on else 'stopped'} by {switch.by} at {switch.at[:16]}"
    )
    shown = row.ticks[:SHOWN]
    older = shown[-1].tick_id if len(row.ticks) > SHOWN else None
    return AutomatedView(
        row, facts, watched, description, switched, next_ticks, shown, older, None if asked is None else _asking(asked)
    )


def _asking(document: dict[str, Any]) -> Asking:
    ticks = document.get("ticks")
    at = ticks[0]["scheduled_at"] if ticks else None
    return Asking(at, tuple(document["requests"]), document["skip_reason"] or "")


def _schedules(sight: Sight) -> tuple[AutomationRow, ...]:
    schedules = sight.project.definitions.schedules.values()
    found = schedules_json(schedules, read_switches(sight.project.store), sight.at)
    return tuple(together(sight.project.store, lambda each: _schedule_row(sight, each, None, IN_STRIP), found))


def _sensors(sight: Sight) -> tuple[AutomationRow, ...]:
    found = sensors_json(sight.project.definitions.sensors.values(), read_switches(sight.project.store))
    return tuple(together(sight.project.store, lambda each: _sensor_row(sight, each, None, IN_STRIP), found))


def _schedule_row(sight: Sight, found: dict[str, Any], before: str | None, most: int) -> AutomationRow:
    name = found["schedule"]
    return AutomationRow(
        kind="schedule",
        name=name,
        href=urls.automated("schedule", name),
        is_on=found["is_on"],
        job=found["job"],
        when=", ".join(found["crons"]),
        words="; ".join(cron_words(Cron(cron)) for cron in found["crons"]),
        next_at=dt.datetime.fromisoformat(found["next_at"]) if found["is_on"] and found["next_at"] else None,
        ticks=tick_rows(sight, read_ticks(sight.project.store, name, most, before)),
        told=found["description"].partition("\n")[0],
    )


def _sensor_row(sight: Sight, found: dict[str, Any], before: str | None, most: int) -> AutomationRow:
    name = found["sensor"]
    return AutomationRow(
        kind="sensor",
        name=name,
        href=urls.automated("sensor", name),
        is_on=found["is_on"],
        job=found["job"] or "",
        when=", ".join(found["watches"]) or "what its function looks at",
        words="",
        next_at=None,
        ticks=tick_rows(sight, read_ticks(sight.project.store, name, most, before)),
        told=found["description"].partition("\n")[0],
    )


def _conditions(sight: Sight) -> ConditionsView:
    store = sight.project.store
    notes = read_decisions(store)
    found = conditions_json(sight.project.definitions, read_switches(store), notes)
    decisions = () if notes is None else notes.decisions
    return ConditionsView(
        is_on=found["is_on"],
        rows=tuple(
            ConditionRow(
                each["asset"], each["is_on"], each["condition"], each["requested"], each["waiting"], each["held"]
            )
            for each in found["conditions"]
        ),
        decided_at=None if notes is None else notes.at,
        decisions=tuple(
            DecisionRow(each.asset, _ranges(each.ranges), each.count, each.sentence)
            for each in decisions[:SHOWN_DECISIONS]
        ),
        more_decisions=max(0, len(decisions) - SHOWN_DECISIONS),
        ticks=tick_rows(sight, read_ticks(store, NAME, IN_STRIP)),
    )


def _ranges(ranges: tuple[tuple[str, str], ...]) -> str:
    first, last = ranges[0][0], ranges[-1][1]
    told = first if first == last else f"{first} … {last}"
    return f"{told} in {len(ranges)} parts" if len(ranges) > 1 else told


def _catchup(schedule: Schedule) -> str:
    told = {"none": "is left out", "last": "the last tick is made up for"}
    return told.get(schedule.catchup.value, f"up to {schedule.catchup_limit} ticks are made up for")
