"""ResourceScope: the resources of one run, each made ready once, and put away at its end."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from deltaworks.engine.definitions.resources import Resource, environment_values, with_fields
from deltaworks.errors import RunError

_SHORTEST_SECRET = 4
"""Values that are shorter stand in too many texts by chance."""


@dataclass(frozen=True, slots=True)
class ResourceScope:
    """The resources of a run, ready to be used."""

    ready: Mapping[int, Resource]
    """By the id of what the definitions have."""
    secrets: Mapping[str, str]
    """What stands for each value that was read from the environment."""

    def of(self, defined: Resource) -> Resource:
        """Return a resource as it is ready."""
        return self.ready[id(defined)]

    def masked(self, text: str) -> str:
        """Return a text without the values that were read from the environment."""
        for value, variable in self.secrets.items():
            text = text.replace(value, f"${variable}")
        return text


@contextmanager
def resource_scope(resources: Iterable[Resource], environ: Mapping[str, str]) -> Generator[ResourceScope]:
    """Read the variables of resources, make each ready, and put all away at the end, the last one first.

    Raises:
        InvalidSettings: a variable is not set, or a value does not fit.
        RunError: a resource raised when it was made ready, or put away.
    """
    every = {id(resource): resource for resource in resources}
    resolved = {identity: resource.resolve(environ) for identity, resource in every.items()}
    found = (each for resource in resolved.values() for each in environment_values(resource))
    scope = ResourceScope({}, {value: variable for variable, value in found if len(value) >= _SHORTEST_SECRET})
    is_over = False
    try:
        with ExitStack() as stack:
            ready: dict[int, Resource] = {}
            for identity, resource in resolved.items():
                try:
                    ready[identity] = _entered(resource, stack)
                except Exception as error:
                    whose = f"resource {type(resource).__name__} could not be made ready"
                    raise RunError(f"{whose}: {scope.masked(_text(error))}") from error
            yield replace(scope, ready=ready)
            is_over = True
    except Exception as error:
        if not is_over:
            raise
        raise RunError(f"a resource could not be put away: {scope.masked(_text(error))}") from error


def _entered(resource: Resource, stack: ExitStack) -> Resource:
    """Make a resource ready, those in its fields first."""
    inner = {name: _entered(value, stack) for name, value in resource.__dict__.items() if isinstance(value, Resource)}
    return stack.enter_context(with_fields(resource, inner).for_run())


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
