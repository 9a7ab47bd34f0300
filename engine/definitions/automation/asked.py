"""Asked: a function that the engine asks at ticks, and what it is told, by the annotations of its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.definitions.signature import place_of, read_hints
from deltaworks.errors import InvalidDefinition, Place


@dataclass(frozen=True, eq=False)
class Asked:
    """A function of a schedule or sensor."""

    function: Callable[..., Any]
    told: Mapping[str, object]
    """What it is told of the moment, by argument."""
    resources: Mapping[str, type[Resource]]
    """By argument."""
    logger: str | None
    """The argument that receives the `Logger`."""
    where: Place

    def call(self, told: Mapping[object, object], resources: Mapping[str, Resource], log: Logger) -> Any:
        """Call the function, with what it is told by type, and its resources by argument."""
        arguments: dict[str, Any] = {name: told[kind] for name, kind in self.told.items()}
        arguments |= resources
        if self.logger is not None:
            arguments[self.logger] = log
        return self.function(**arguments)


def read_asked(
    function: Callable[..., Any], whose: str, told: Collection[object], local_names: Mapping[str, Any]
) -> Asked:
    """Read what a function is told.

    Args:
        function: the function.
        whose: what it is of, for messages: `schedule 'morning'`.
        told: the annotations that it may have, beside those of a `Logger` and resources.
        local_names: those of the scope that defines the function.

    Raises:
        InvalidDefinition: it is no function, or takes what nobody could fill in.
    """
    if not inspect.isfunction(function):
        raise InvalidDefinition(f"{whose} decorates a function, not {function!r}")
    where = place_of(function)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidDefinition(f"{whose}: the function is async, but its answer is needed at once", where=where)
    try:
        hints = read_hints(function, local_names)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"{whose}: {error.reason}", where=where) from error
    found: dict[str, object] = {}
    resources: dict[str, type[Resource]] = {}
    logger: str | None = None
    for argument in inspect.signature(function).parameters:
        annotation = hints.get(argument)
        if annotation in told:
            found[argument] = annotation
        elif annotation is Logger:
            logger = argument
        elif inspect.isclass(annotation) and issubclass(annotation, Resource):
            resources[argument] = annotation
        else:
            known = ", ".join(map(_spelled, told))
            raise InvalidDefinition(
                f"{whose}: argument {argument!r} must be annotated as {known}, Logger or a subclass of Resource",
                where=where,
            )
    return Asked(function, found, resources, logger, where)


def _spelled(annotation: object) -> str:
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    inner = ", ".join(map(_spelled, get_args(annotation)))
    return f"{getattr(get_origin(annotation), '__name__', annotation)}[{inner}]"
