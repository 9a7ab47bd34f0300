"""Sensor: a function that is asked again and again whether something should run, and what it looks at."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args, get_origin

from deltaworks.engine.definitions.automation.arrivals import Arrivals
from deltaworks.engine.definitions.automation.commits import Commits, Operation, WrittenBy
from deltaworks.engine.definitions.automation.run import Run
from deltaworks.engine.definitions.automation.tick import Tick
from deltaworks.engine.definitions.files import Files
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.ops.job import job_name_problem
from deltaworks.engine.definitions.registry import note_sensor
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.definitions.signature import place_of, read_hints
from deltaworks.errors import InvalidDefinition, Place
from deltaworks.io.ledger import RunStatus

LONGEST_INTERVAL_S = 86_400.0


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


Subject: TypeAlias = CommitsOf | FilesOf | RunsOf | None
"""What a sensor looks at; none: its function looks for itself."""


@dataclass(frozen=True, eq=False)
class Sensor:
    """A function that is asked whether something should run; calling it calls the function."""

    name: str
    function: Callable[..., Any]
    watches: Subject
    job: str | None
    """The job of requests that name none."""
    interval_s: float
    """How long it is at least from one look to the next, where nothing tells that something has happened."""
    timeout_s: float
    """How long the function may take."""
    argument: str | None
    """The argument that is told what happened."""
    tick: str | None
    """The argument that receives the `Tick`."""
    logger: str | None
    resources: Mapping[str, type[Resource]]
    """By argument."""
    tags: Mapping[str, str]
    """Of the runs that it asks for."""
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
            case None:
                return "sensor"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<sensor {self.name} at {self.where}>"


@dataclass(frozen=True, slots=True)
class Manner:
    """What all kinds of sensors may be given."""

    name: str | None
    job: object
    interval_s: float
    timeout_s: float
    tags: Mapping[str, str] | None
    description: str


def define_sensor(
    function: Callable[..., Any], watches: Subject, manner: Manner, local_names: Mapping[str, Any]
) -> Sensor:
    """Return a sensor, if its function can be called with what it is told.

    Raises:
        InvalidDefinition: it cannot, or what is given makes no sense.
    """
    if (
        not inspect.isfunction(function)
        or inspect.iscoroutinefunction(function)
        or inspect.isasyncgenfunction(function)
    ):
        raise InvalidDefinition(f"a sensor decorates a plain function, not {function!r}")
    where, name = place_of(function), function.__name__ if manner.name is None else manner.name
    try:
        problem = job_name_problem(name) or _manner_problem(manner)
        if problem:
            raise InvalidDefinition(problem)
        found, resources = _arguments(function, local_names, _subject(watches))
        job = _job_name(manner.job)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"sensor {name!r}: {error.reason}", where=where) from error
    made = Sensor(
        name=name,
        function=function,
        watches=watches,
        job=job,
        interval_s=float(manner.interval_s),
        timeout_s=float(manner.timeout_s),
        argument=found.get("subject"),
        tick=found.get("tick"),
        logger=found.get("logger"),
        resources=resources,
        tags=dict(manner.tags or {}),
        description=manner.description or inspect.getdoc(function) or "",
        where=where,
        module=function.__module__,
    )
    note_sensor(made)
    return made


def _manner_problem(manner: Manner) -> str | None:
    if not 0 < manner.interval_s <= LONGEST_INTERVAL_S:
        return f"interval_s={manner.interval_s!r} must be more than 0 and at most {LONGEST_INTERVAL_S:,.0f}, a day"
    if not 0 < manner.timeout_s <= LONGEST_INTERVAL_S:
        return f"timeout_s={manner.timeout_s!r} must be more than 0 and at most {LONGEST_INTERVAL_S:,.0f}, a day"
    return None


def _job_name(job: object) -> str | None:
    """Return the name of a job that is given as itself or by its name."""
    named = job if job is None or isinstance(job, str) else getattr(job, "name", None)
    if named is None and job is not None:
        raise InvalidDefinition(
            f"job={job!r} is none; give what @job, to_job or define_asset_job returned, or its name"
        )
    if job is not None and not isinstance(job, str) and not hasattr(job, "hooks"):
        raise InvalidDefinition(f"job={job!r} is none; a graph becomes one by .to_job()")
    return named


def _subject(watches: Subject) -> object:
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
        case None:
            return None


def _arguments(
    function: Callable[..., Any], local_names: Mapping[str, Any], subject: object
) -> tuple[dict[str, str], dict[str, type[Resource]]]:
    """Return the arguments that are told what happened, the tick or a logger, and the resources by argument."""
    found: dict[str, str] = {}
    resources: dict[str, type[Resource]] = {}
    wanted = "" if subject is None else f"{_spelled(subject)}, "
    hints = read_hints(function, local_names)
    for argument in inspect.signature(function).parameters:
        annotation = hints.get(argument)
        if subject is not None and _is_subject(annotation, subject):
            role = "subject"
        elif annotation is Tick:
            role = "tick"
        elif annotation is Logger:
            role = "logger"
        elif inspect.isclass(annotation) and issubclass(annotation, Resource):
            resources[argument] = annotation
            continue
        else:
            told = "has no annotation" if annotation is None else f"is annotated as {_spelled(annotation)}"
            raise InvalidDefinition(
                f"argument {argument!r} {told}; it must be {wanted}Tick, Logger or a subclass of Resource"
            )
        if role in found:
            raise InvalidDefinition(f"arguments {found[role]!r} and {argument!r} are the same; one is enough")
        found[role] = argument
    return found, resources


def _is_subject(annotation: object, subject: object) -> bool:
    if get_args(subject):
        origin = get_origin(annotation)
        return isinstance(origin, type) and issubclass(origin, Mapping) and get_args(annotation) == get_args(subject)
    return annotation is subject


def _spelled(annotation: object) -> str:
    if get_args(annotation):
        return str(annotation).replace("collections.abc.", "").replace(f"{Commits.__module__}.", "")
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
