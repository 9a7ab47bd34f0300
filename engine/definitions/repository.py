"""`@repository`: definitions under a name, told by a function that returns them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import cast, overload

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import name_problem
from deltaworks.engine.definitions.repositories import Repository
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.definitions.signature import place_of
from deltaworks.errors import InvalidDefinition


@overload
def repository(function: Callable[[], object], /) -> Definitions: ...


@overload
def repository(
    *, name: str | None = None, description: str | None = None, resources: Mapping[str, Resource] | None = None
) -> Callable[[Callable[[], object]], Definitions]: ...


def repository(
    function: Callable[[], object] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    resources: Mapping[str, Resource] | None = None,
) -> Definitions | Callable[[Callable[[], object]], Definitions]:
    """Name what a function returns: Definitions, or a list of assets, checks, jobs, schedules, sensors and Definitions.

    It is called at once, and the name stands for its Definitions then. A module may have several repositories; what
    none of them has is not defined.

    Args:
        function: what `@repository` without parentheses decorates.
        name: none: the function's name.
        description: what it is; none: the docstring of the function.
        resources: by name, for what asks for them.

    Raises:
        InvalidDefinition: it returns something else.
    """

    def define(function: Callable[[], object]) -> Definitions:
        where, called = place_of(function), name or function.__name__
        problem = name_problem(called)
        if problem:
            raise InvalidDefinition(f"repository {called!r}: {problem}", where=where)
        returned = function()
        if not isinstance(returned, Definitions | list | tuple):
            raise InvalidDefinition(
                f"repository {called!r} returned a {type(returned).__name__}; expected Definitions or a list of "
                "assets, checks, jobs, schedules and sensors",
                where=where,
            )
        found = Definitions.of([cast("object", returned)], resources)
        keys = tuple(str(asset.key) for asset in found.assets)
        told = (inspect.getdoc(function) or "") if description is None else description
        return found.in_repository(Repository(called, told, keys, where))

    return define if function is None else define(function)
