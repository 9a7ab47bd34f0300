"""Asking: put a tick to the function of a schedule, in the process that has the project loaded.

What it answers is checked here, against the jobs and partitions as they are now, so that nothing is recorded that
could not be run.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from deltaworks.engine.automation.evaluation import Evaluation, read_answer
from deltaworks.engine.automation.schedule_watch import WatchedSchedule
from deltaworks.engine.automation.watch import Watched
from deltaworks.engine.definitions.automation.asked import Asked
from deltaworks.engine.definitions.automation.schedule import Schedule
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.partitions.resolution import DynamicKeys, dynamic_dimensions, resolve
from deltaworks.engine.execution.resource_scope import resource_scope
from deltaworks.engine.planning.job_partition import job_partition
from deltaworks.engine.workspace.dynamic_keys import read_dynamic_keys
from deltaworks.errors import RequestError, RunError, did_you_mean
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


def described(definitions: Definitions) -> tuple[Watched, ...]:
    """Return what the daemon needs to know of every schedule."""
    return tuple(WatchedSchedule.of(each) for each in definitions.schedules.values())


def ask(around: Surroundings, tick: Tick) -> Evaluation:
    """Return what a schedule asks for at a tick.

    Raises:
        InvalidDefinition: its answer makes no sense.
        RequestError: there is no such schedule, or it asks for a partition that there is not.
        RunError: a resource could not be made ready.
        Exception: whatever its function raises.
    """
    found = around.definitions.schedules.get(tick.name)
    if found is None:
        hint = did_you_mean(tick.name, around.definitions.schedules, otherwise="")
        raise RequestError(f"There is no schedule {tick.name!r}.{hint}")
    evaluation = _ask_schedule(around, found, tick)
    refuse_unknown_partitions(around, f"schedule {found.name!r}", evaluation)
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
        try:
            return read(asked.call(told, resources, Logger(whose)))
        except Exception as error:
            masked = scope.masked(str(error))
            if masked == str(error):
                raise
            raise RunError(f"{type(error).__name__}: {masked}") from None  # its own text has a secret


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
        keys = {each: (*known, *evaluation.new_keys.get(each.name or "", ())) for each, known in keys.items()}
    partitions = {name: resolve(job.partitions, keys).until(around.now) for name, job in found.items()}
    for request in evaluation.requests:
        assert request.job is not None, "what is read has a job"
        try:
            job_partition(request.job, partitions[request.job], request.partition)
        except RequestError as error:
            raise RequestError(f"{whose} asks for what cannot be run: {error}") from error


def _ask_schedule(around: Surroundings, schedule: Schedule, tick: Tick) -> Evaluation:
    whose = f"schedule {schedule.name!r}"
    local = replace(tick, scheduled_at=tick.scheduled_at.astimezone(ZoneInfo(schedule.timezone)))

    def read(answer: object) -> Evaluation:
        found = read_answer(whose, answer, around.definitions.jobs, schedule.job.name)
        tagged = (replace(each, tags={**schedule.tags, **each.tags}) for each in found.requests)
        return replace(found, requests=tuple(tagged))

    if schedule.asked is None:
        return read(schedule.closed(local))
    return call_asked(around, whose, schedule.asked, {Tick: local}, read)
