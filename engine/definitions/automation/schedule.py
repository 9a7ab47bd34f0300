"""Schedule: when a job is run by the clock, and what is asked at each tick."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from deltaworks.engine.definitions.automation.asked import Asked, read_asked
from deltaworks.engine.definitions.automation.run_request import RunRequest, SkipReason
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.engine.definitions.calling import calling_place
from deltaworks.engine.definitions.ops.asset_job import AssetJob
from deltaworks.engine.definitions.ops.job import Job, job_name_problem
from deltaworks.engine.definitions.partitions.cron import Cron
from deltaworks.engine.definitions.partitions.time_arguments import read_zone
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.engine.definitions.registry import note_automation
from deltaworks.errors import InvalidDefinition, Place

MOST_CRONS = 100
"""How many cron expressions a schedule may have."""
MOST_CATCHUP = 100_000

ScheduleFunction: TypeAlias = Callable[..., Any]


class CatchUp(StrEnum):
    """What a schedule does about ticks that passed while no daemon ran."""

    NONE = "none"
    """Forget them; the next tick is the next one due."""
    LAST = "last"
    """Ask about the latest of them, once."""
    ALL = "all"
    """Ask about all of them, the oldest first; of more than the schedule's limit, about the latest ones."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """Ticks by the clock, and the job that they run; calling it calls the function."""

    name: str
    job: Job | AssetJob
    crons: tuple[Cron, ...]
    timezone: str
    catchup: CatchUp
    catchup_limit: int
    """How many ticks are caught up with at most."""
    asked: Asked | None
    """None: each tick asks for a run of the job, for the partition that closed last if it is partitioned."""
    is_on: bool
    """Whether it runs unless somebody stopped it."""
    timeout_s: float
    """How long its function may take."""
    tags: Mapping[str, str]
    """Of its runs, beside those of the job."""
    description: str
    where: Place
    module: str | None = field(default=None)
    """The module that defines its function."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself; nothing is run or recorded."""
        if self.asked is None:
            raise TypeError(f"schedule {self.name!r} has no function")
        return self.asked.function(*args, **kwargs)

    def closed(self, tick: Tick) -> RunRequest | SkipReason:
        """Return what a tick asks for where there is no function."""
        if not isinstance(self.job.partitions, TimePartitions):
            return RunRequest()
        key = self.job.partitions.key_before(tick.scheduled_at)
        if key is None:
            return SkipReason(f"no partition is over yet; they are {self.job.partitions}")
        return RunRequest(partition=key)

    def __repr__(self) -> str:
        return f"<schedule {self.name} at {self.where}>"


def schedule(
    *,
    job: Job | AssetJob,
    cron: str | Sequence[str],
    timezone: str = "UTC",
    catchup: Literal["none", "last", "all"] = "none",
    catchup_limit: int = 100,
    name: str | None = None,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    is_on: bool = True,
    timeout_s: float = 60.0,
) -> Callable[[ScheduleFunction], Schedule]:
    """Define a schedule by the function that is asked at its ticks.

    The function is told the `Tick`, and returns a `RunRequest`, a `SkipReason`, nothing, or several requests, which it
    may yield. Its other arguments are resources and a `Logger`. It may be asked about a tick again, after an error or a
    daemon's end, so it only says what should run.

    Args:
        job: what its requests run, unless they name another job.
        cron: when it ticks, see `Cron`; several mean all of their times, each once.
        timezone: whose clock counts. A time that it skips means the first instant after the gap, one that it shows
            twice means the earlier.
        catchup: what becomes of ticks that passed while no daemon ran.
        catchup_limit: how many of them there may be.
        name: what it is called; none: the function's name.
        description: what it is for; none: the function's docstring.
        tags: words about its runs.
        is_on: whether it runs until somebody stops it, or only when somebody has started it.
        timeout_s: how long the function may take.

    Raises:
        DefinitionError: the definition does not make sense; the message has file and line.
    """
    here = inspect.currentframe()
    scope: dict[str, Any] = here.f_back.f_locals if here is not None and here.f_back is not None else {}

    def define(function: ScheduleFunction) -> Schedule:
        called = getattr(function, "__name__", "?") if name is None else name
        asked = read_asked(function, f"schedule {called!r}", (Tick,), scope)
        made = _schedule(
            called,
            job,
            cron,
            timezone,
            catchup,
            catchup_limit,
            tags,
            timeout_s,
            asked=asked,
            is_on=is_on,
            description=inspect.getdoc(function) or "" if description is None else description,
            where=asked.where,
            module=function.__module__,
        )
        note_automation(made)
        return made

    return define


def define_schedule(
    name: str,
    *,
    job: Job | AssetJob,
    cron: str | Sequence[str],
    timezone: str | None = None,
    catchup: Literal["none", "last", "all"] = "none",
    catchup_limit: int = 100,
    description: str = "",
    tags: Mapping[str, str] | None = None,
    is_on: bool = True,
) -> Schedule:
    """Define a schedule whose every tick runs a job; one of time partitions for the partition that closed last.

    Args:
        name: what it is called.
        job: what it runs.
        cron: when it ticks, see `schedule`.
        timezone: whose clock counts; none: that of the job's partitions, or UTC.
        catchup: what becomes of ticks that passed while no daemon ran.
        catchup_limit: how many of them there may be.
        description: what it is for.
        tags: words about its runs.
        is_on: whether it runs until somebody stops it, or only when somebody has started it.

    Raises:
        InvalidDefinition: what is given makes no sense.
    """
    where = calling_place() or Place("?", 0)
    partitions: object = getattr(job, "partitions", None)
    zone = partitions.timezone if isinstance(partitions, TimePartitions) else "UTC"
    if getattr(partitions, "dimensions", ()) and not isinstance(partitions, TimePartitions):
        raise InvalidDefinition(
            f"schedule {name!r}: job {job.name!r} runs for one of {partitions}, and no clock tells which; say so "
            "in a function under @schedule",
            where=where,
        )
    return _schedule(
        name,
        job,
        cron,
        zone if timezone is None else timezone,
        catchup,
        catchup_limit,
        tags,
        timeout_s=60.0,
        asked=None,
        is_on=is_on,
        description=description,
        where=where,
        module=None,
    )


def _schedule(
    name: str,
    job: Job | AssetJob,
    cron: str | Sequence[str],
    timezone: str,
    catchup: str,
    catchup_limit: int,
    tags: Mapping[str, str] | None,
    timeout_s: float,
    *,
    asked: Asked | None,
    is_on: bool,
    description: str,
    where: Place,
    module: str | None,
) -> Schedule:
    """Return a schedule, if what is given makes sense."""
    problem = job_name_problem(name) or _job_problem(job) or _catchup_problem(catchup, catchup_limit)
    if problem is None and not 0 < timeout_s <= 3600:
        problem = f"timeout_s must be more than 0 and at most 3600 seconds, not {timeout_s!r}"
    try:
        crons, zone = _crons(cron), read_zone(timezone)
    except InvalidDefinition as error:
        problem, crons, zone = problem or error.reason, (), "UTC"
    if problem:
        raise InvalidDefinition(f"schedule {name!r}: {problem}", where=where)
    return Schedule(
        name=name,
        job=job,
        crons=crons,
        timezone=zone,
        catchup=CatchUp(catchup),
        catchup_limit=catchup_limit,
        asked=asked,
        is_on=is_on,
        timeout_s=timeout_s,
        tags=dict(tags or {}),
        description=description,
        where=where,
        module=module,
    )


def _crons(given: str | Sequence[str]) -> tuple[Cron, ...]:
    texts = [given] if isinstance(given, str) else list(given)
    if not 1 <= len(texts) <= MOST_CRONS:
        raise InvalidDefinition(f"it has {len(texts):,} cron expressions; give 1 to {MOST_CRONS}")
    return tuple({str(cron): cron for cron in map(Cron, texts)}.values())


def _job_problem(job: object) -> str | None:
    if isinstance(job, Job | AssetJob):
        return None
    return f"job must be a job, made by @job, to_job or define_asset_job, not {job!r}"


def _catchup_problem(catchup: str, limit: object) -> str | None:
    if catchup not in list(CatchUp):
        return f"catchup must be 'none', 'last' or 'all', not {catchup!r}"
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MOST_CATCHUP:
        return f"catchup_limit must be a whole number from 1 to {MOST_CATCHUP:,}, not {limit!r}"
    return None
