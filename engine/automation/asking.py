"""Asking: put a tick to the function of a schedule or a sensor, in the process that has the project loaded.

What it answers is checked here, against the jobs and partitions as they are now, so that nothing is recorded that
could not be run.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from deltaworks.engine.automation.condition_watch import WatchedConditions
from deltaworks.engine.automation.conditions.asking import AskedConditions
from deltaworks.engine.automation.evaluation import Evaluation, read_answer, with_tags
from deltaworks.engine.automation.freshness import NAME as FRESHNESS
from deltaworks.engine.automation.freshness import AskedFreshness, watched_freshness
from deltaworks.engine.automation.schedule_watch import WatchedSchedule
from deltaworks.engine.automation.sensing import Scene, sense
from deltaworks.engine.automation.sensor_watch import WatchedSensor
from deltaworks.engine.automation.source_watch import PREFIX as SOURCES
from deltaworks.engine.automation.source_watch import AskedSources, watched_sources
from deltaworks.engine.automation.watch import Watched
from deltaworks.engine.definitions.automation.asked import Asked
from deltaworks.engine.definitions.automation.schedule import Schedule
from deltaworks.engine.definitions.automation.sensor import Sensor, told_of
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.partitions.resolution import DynamicKeys, dynamic_dimensions, resolve
from deltaworks.engine.execution.resource_scope import resource_scope
from deltaworks.engine.planning.job_partition import job_partition
from deltaworks.engine.workspace.dynamic_keys import read_dynamic_keys
from deltaworks.errors import RequestError, did_you_mean
from deltaworks.io.condition_notes import NAME as CONDITIONS
from deltaworks.io.store import Store


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is at hand when a function is asked."""

    definitions: Definitions
    store: Store
    environ: Mapping[str, str]
    """Where resources find their `EnvVar`s."""
    now: dt.datetime
    """When partitions without an end are taken to end."""
    conditions: AskedConditions | None = None
    """Those of the assets, and what is known of them from the ticks before; none: they are not asked here."""
    elsewhere: Callable[[Tick], Evaluation] | None = None
    """Asks who has the functions of schedules and sensors; none: this process has them."""
    problems: tuple[str, ...] = ()
    """Why some code locations are not loaded, or not all of what they define."""
    freshness: AskedFreshness | None = None
    """What is known of the lake's freshness from the ticks before; none: nothing."""
    sources: AskedSources | None = None
    """Those that are observed at ticks; none: none is here."""
    end: Callable[[], None] = lambda: None
    """Ends the processes that were started to ask."""

    def close(self) -> None:
        """Ask nothing more."""
        self.end()


def described(definitions: Definitions) -> tuple[Watched, ...]:
    """Return what the daemon needs to know of schedules and sensors, conditions, freshness, and sources."""
    schedules = (WatchedSchedule.of(each) for each in definitions.schedules.values())
    sensors = (WatchedSensor.of(each, definitions) for each in definitions.sensors.values())
    conditions = WatchedConditions.of(definitions)
    return (*schedules, *sensors, *conditions, *watched_freshness(definitions), *watched_sources(definitions))


def ask(around: Surroundings, tick: Tick) -> Evaluation:
    """Return what a schedule, a sensor or the conditions of assets ask for at a tick.

    Raises:
        InvalidDefinition: its answer makes no sense.
        RequestError: there is none of that name, or it asks for a partition that there is not.
        StorageError: what a sensor watches cannot be read.
        RunError: a resource could not be made ready.
        Exception: whatever its function raises.
    """
    if tick.name == CONDITIONS and around.conditions is not None:
        return around.conditions.ask(tick.cursor, around.now)
    if tick.name == FRESHNESS and around.freshness is not None:
        return around.freshness.ask(tick.cursor, around.now)
    if tick.name.startswith(SOURCES) and around.sources is not None:
        return around.sources.ask(tick.name, around.now)
    if around.elsewhere is not None:
        return around.elsewhere(tick)
    schedule, sensor = around.definitions.schedules.get(tick.name), around.definitions.sensors.get(tick.name)
    if schedule is not None:
        whose, evaluation = f"schedule {tick.name!r}", _ask_schedule(around, schedule, tick)
    elif sensor is not None:
        whose, evaluation = f"sensor {tick.name!r}", _ask_sensor(around, sensor, tick)
    else:
        known = (*around.definitions.schedules, *around.definitions.sensors)
        raise RequestError(
            f"There is no schedule or sensor {tick.name!r}.{did_you_mean(tick.name, known, otherwise='')}"
        )
    refuse_unknown_partitions(around, whose, evaluation)
    return evaluation


def call_asked(
    around: Surroundings,
    whose: str,
    asked: Asked,
    told: Mapping[object, object],
    read: Callable[[object], Evaluation],
) -> Evaluation:
    """Call a function with what it is told and its resources, and read its answer while the resources are there.

    Raises:
        InvalidSettings, RunError: a resource could not be made ready.
        Exception: whatever the function raises.
    """
    wanted = around.definitions.resources_asked(whose, asked)
    with resource_scope(wanted.values(), around.environ) as scope:
        resources = {argument: scope.of(each) for argument, each in wanted.items()}
        return read(asked.call(told, resources, Logger(whose)))


def refuse_unknown_partitions(around: Surroundings, whose: str, evaluation: Evaluation) -> None:
    """Refuse requests for partitions that their jobs do not have.

    Raises:
        RequestError: there is one.
    """
    jobs = {each.job for each in evaluation.requests}
    if not jobs:
        return
    found = {name: around.definitions.jobs[name] for name in jobs if name is not None}
    keys: DynamicKeys = {}
    if any(dynamic_dimensions(job.partitions) for job in found.values()):
        keys = read_dynamic_keys(around.definitions, around.store)
        keys = {each: _changed(known, each.name or "", evaluation) for each, known in keys.items()}
    partitions = {name: resolve(job.partitions, keys).until(around.now) for name, job in found.items()}
    for request in evaluation.requests:
        assert request.job is not None, "what is read has a job"
        try:
            job_partition(request.job, partitions[request.job], request.partition)
        except RequestError as error:
            raise RequestError(f"{whose} asks for what cannot be run: {error}") from error


def _changed(keys: Iterable[str], name: str, evaluation: Evaluation) -> tuple[str, ...]:
    """Return the keys of dynamic partitions as an evaluation leaves them."""
    new, gone = evaluation.new_keys.get(name, ()), set(evaluation.gone_keys.get(name, ()))
    return tuple(dict.fromkeys((*(key for key in keys if key not in gone), *new)))


def _ask_schedule(around: Surroundings, schedule: Schedule, tick: Tick) -> Evaluation:
    whose = f"schedule {schedule.name!r}"
    local = replace(tick, scheduled_at=tick.scheduled_at.astimezone(ZoneInfo(schedule.timezone)))

    def read(answer: object) -> Evaluation:
        found = read_answer(whose, answer, around.definitions.jobs, schedule.job.name)
        return with_tags(whose, found, schedule.tags)

    if schedule.asked is None:
        return read(schedule.closed(local))
    return call_asked(around, whose, schedule.asked, {Tick: local}, read)


def _ask_sensor(around: Surroundings, sensor: Sensor, tick: Tick) -> Evaluation:
    def call(told: object | None, read: Callable[[object], Evaluation]) -> Evaluation:
        known = {Tick: tick, told_of(sensor.watches): told}
        return call_asked(around, f"sensor {sensor.name!r}", sensor.asked, known, read)

    scene = Scene(around.definitions, around.store, around.now, freshness=around.freshness)
    return sense(sensor, tick, scene, call)
