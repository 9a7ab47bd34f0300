"""Sensor: a function that is asked again and again whether something should run, and what it looks at."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from deltaworks.engine.definitions.automation.arrivals import Arrivals
from deltaworks.engine.definitions.automation.asked import Asked, read_asked
from deltaworks.engine.definitions.automation.commits import Commits, Operation, WrittenBy
from deltaworks.engine.definitions.automation.freshness_change import FreshnessChange
from deltaworks.engine.definitions.automation.run import Run
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.engine.definitions.files import Files
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.ops.asset_job import AssetJob
from deltaworks.engine.definitions.ops.job import Job, job_name_problem
from deltaworks.engine.definitions.registry import note_automation
from deltaworks.errors import InvalidDefinition, Place
from deltaworks.io.run_entry import RunStatus

LONGEST_INTERVAL_S = 86_400.0
LONGEST_TIMEOUT_S = 3_600.0


@dataclass(frozen=True, slots=True)
class CommitsOf:
    """Commits of tables."""

    assets: tuple[AssetKey, ...]
    is_single: bool
    """Whether the function is told of one table; else of several by their keys."""
    operations: frozenset[Operation]
    written_by: WrittenBy | None
    """None: whoever it was."""
    partitions: Callable[[str], bool] | None
    """Which keys count; none: all, and tables without partitions."""


@dataclass(frozen=True, slots=True)
class FilesOf:
    """Files that match a pattern."""

    files: Files
    settle_s: float
    """How long a file must have kept its size and time to count as whole."""


@dataclass(frozen=True, slots=True)
class RunsOf:
    """Runs that ended."""

    statuses: frozenset[RunStatus]
    jobs: frozenset[str] | None
    """None: all, those of commands included."""


@dataclass(frozen=True, slots=True)
class FreshnessOf:
    """Assets that become late, or are on time again."""

    assets: tuple[AssetKey, ...] | None
    """None: all that have a policy."""


Subject: TypeAlias = CommitsOf | FilesOf | RunsOf | FreshnessOf | None
"""What a sensor looks at; none: its function looks for itself."""


def told_of(watches: Subject) -> object:
    """Return the annotation of the argument that is told what happened; none: there is no such argument."""
    match watches:
        case CommitsOf(is_single=True):
            return Commits
        case CommitsOf():
            return Mapping[str, Commits]
        case FilesOf():
            return Arrivals
        case RunsOf():
            return Run
        case FreshnessOf():
            return FreshnessChange
        case None:
            return None


@dataclass(frozen=True, eq=False)
class Sensor:
    """A function that is asked whether something should run; calling it calls the function."""

    name: str
    asked: Asked
    watches: Subject
    job: Job | AssetJob | None
    """What requests run that name no job."""
    interval_s: float
    """How long it is at least from one look to the next."""
    is_on: bool
    """Whether it runs unless somebody stopped it."""
    timeout_s: float
    """How long the function may take."""
    tags: Mapping[str, str]
    """Of the runs that it asks for, beside those of the job."""
    description: str
    where: Place
    module: str

    @property
    def kind(self) -> str:
        """What it looks at, in a word or two."""
        match self.watches:
            case CommitsOf(is_single=single):
                return "asset" if single else "multi asset"
            case FilesOf():
                return "file"
            case RunsOf():
                return "run status"
            case FreshnessOf():
                return "freshness"
            case None:
                return "sensor"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself; nothing is run or recorded."""
        return self.asked.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<sensor {self.name} at {self.where}>"


@dataclass(frozen=True, slots=True)
class Manner:
    """What all kinds of sensors may be given."""

    name: str | None
    job: object
    interval_s: float
    is_on: bool
    timeout_s: float
    tags: Mapping[str, str] | None
    description: str | None


def define_sensor(
    function: Callable[..., Any], watches: Subject, manner: Manner, local_names: Mapping[str, Any]
) -> Sensor:
    """Return a sensor, if its function can be called with what it is told.

    Raises:
        InvalidDefinition: it cannot, or what is given makes no sense.
    """
    name = getattr(function, "__name__", "?") if manner.name is None else manner.name
    told = told_of(watches)
    asked = read_asked(function, f"sensor {name!r}", (Tick,) if told is None else (told, Tick), local_names)
    problem = job_name_problem(name) or _problem(manner)
    job = manner.job
    if job is not None and not isinstance(job, Job | AssetJob):
        problem = f"job must be a job, made by @job, to_job or define_asset_job, not {job!r}"
        job = None
    if problem:
        raise InvalidDefinition(f"sensor {name!r}: {problem}", where=asked.where)
    made = Sensor(
        name=name,
        asked=asked,
        watches=watches,
        job=job,
        interval_s=float(manner.interval_s),
        is_on=manner.is_on,
        timeout_s=float(manner.timeout_s),
        tags=dict(manner.tags or {}),
        description=inspect.getdoc(function) or "" if manner.description is None else manner.description,
        where=asked.where,
        module=function.__module__,
    )
    note_automation(made)
    return made


def _problem(manner: Manner) -> str | None:
    if not 0 < manner.interval_s <= LONGEST_INTERVAL_S:
        return f"interval_s must be more than 0 and at most {LONGEST_INTERVAL_S:,.0f} seconds, not {manner.interval_s}"
    if not 0 < manner.timeout_s <= LONGEST_TIMEOUT_S:
        return f"timeout_s must be more than 0 and at most {LONGEST_TIMEOUT_S:,.0f} seconds, not {manner.timeout_s}"
    return None
