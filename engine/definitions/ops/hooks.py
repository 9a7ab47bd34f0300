"""Hooks: functions that are told how a step or a run ended. What they raise changes nothing about that."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.definitions.signature import place_of, read_hints
from deltaworks.errors import InvalidDefinition, Place


class Ending(StrEnum):
    """How a step or a run ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    """After all of its tries."""
    SKIP = "skip"
    """It was not tried: what it reads is not there, or failed."""
    CANCEL = "cancel"
    """Somebody stopped the run before it was done."""


@dataclass(frozen=True, slots=True)
class StepEnded:
    """How a step ended."""

    run_id: str
    job: str | None
    """None: the run is of no job."""
    step: str
    """The address, or the key of the asset."""
    ending: Ending
    reason: str | None = None
    """Why it failed or was not tried."""
    partition: str | None = None


@dataclass(frozen=True, slots=True)
class RunEnded:
    """How a run ended."""

    run_id: str
    job: str
    ending: Ending
    failures: Mapping[str, str] = field(default_factory=dict[str, str])
    """Why each step that failed did, by address."""
    partition: str | None = None


@dataclass(frozen=True, eq=False)
class Hook:
    """A function that is told of one kind of ending; calling it calls the function."""

    function: Callable[..., Any]
    ending: Ending
    subject: type[StepEnded] | type[RunEnded]
    """What it is told about, by the annotation of its argument."""
    argument: str
    resources: Mapping[str, type[Resource]]
    """By argument."""
    logger: str | None
    where: Place

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{self.ending} hook {self.name} at {self.where}>"


def success_hook(function: Callable[..., Any]) -> Hook:
    """Call a function when a step succeeded, or a run: whichever its argument is, `StepEnded` or `RunEnded`.

    Its other arguments are resources and a `Logger`.

    Raises:
        InvalidDefinition: it has no such argument, or one that nobody could fill in.
    """
    return _hook(function, Ending.SUCCESS, inspect.currentframe())


def failure_hook(function: Callable[..., Any]) -> Hook:
    """Call a function when a step failed for good, or a run failed; see `success_hook`."""
    return _hook(function, Ending.FAILURE, inspect.currentframe())


def skip_hook(function: Callable[..., Any]) -> Hook:
    """Call a function when a step was skipped; see `success_hook`."""
    return _hook(function, Ending.SKIP, inspect.currentframe())


def cancel_hook(function: Callable[..., Any]) -> Hook:
    """Call a function when a step was canceled, or a run; see `success_hook`."""
    return _hook(function, Ending.CANCEL, inspect.currentframe())


def refuse_others(hooks: Sequence[object], whose: str, where: Place, *, of_runs: bool) -> tuple[Hook, ...]:
    """Return hooks as they are given.

    Raises:
        InvalidDefinition: one is none, or is told of runs where only steps end.
    """
    found: list[Hook] = []
    for hook in hooks:
        if not isinstance(hook, Hook):
            raise InvalidDefinition(
                f"{whose}: {hook!r} is no hook; decorate it with @success_hook or the like", where=where
            )
        if hook.subject is RunEnded and not of_runs:
            raise InvalidDefinition(
                f"{whose}: hook {hook.name!r} ({hook.where}) takes a RunEnded, so give it to the job", where=where
            )
        found.append(hook)
    return tuple(found)


def _hook(function: Callable[..., Any], ending: Ending, here: Any) -> Hook:
    scope: dict[str, Any] = here.f_back.f_locals if here is not None and here.f_back is not None else {}
    if not inspect.isfunction(function):
        raise InvalidDefinition(f"a {ending} hook decorates a function, not {function!r}")
    where = place_of(function)
    subjects: dict[str, Any] = {}
    resources: dict[str, type[Resource]] = {}
    logger: str | None = None
    hints = read_hints(function, scope)
    for argument in inspect.signature(function).parameters:
        annotation = hints.get(argument)
        if annotation in (StepEnded, RunEnded):
            subjects[argument] = annotation
        elif annotation is Logger:
            logger = argument
        elif inspect.isclass(annotation) and issubclass(annotation, Resource):
            resources[argument] = annotation
        else:
            raise InvalidDefinition(
                f"{ending} hook {function.__name__!r}: argument {argument!r} must be a StepEnded or a RunEnded, a "
                "Logger or a subclass of Resource",
                where=where,
            )
    if len(subjects) != 1:
        raise InvalidDefinition(
            f"{ending} hook {function.__name__!r} must take one StepEnded, or one RunEnded", where=where
        )
    ((argument, subject),) = subjects.items()
    if ending is Ending.SKIP and subject is RunEnded:
        raise InvalidDefinition(f"skip hook {function.__name__!r}: steps are skipped, runs are not", where=where)
    return Hook(function, ending, subject, argument, resources, logger, where)
