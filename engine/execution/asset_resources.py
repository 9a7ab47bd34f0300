"""AssetResources: what the functions of some assets, their checks and their views ask for, in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.resources import Resource
from deltaworks.engine.execution.resource_scope import ResourceScope
from deltaworks.engine.execution.secret_values import SecretValues
from deltaworks.engine.planning.check_nodes import readers_of
from deltaworks.engine.planning.graph import Node


@dataclass(frozen=True, slots=True)
class AssetResources:
    """Resources by who asks for them. A resource is made ready when the first call asks for it."""

    asked: Mapping[str, Mapping[str, Resource]]
    """The definition's, by the key of an asset, a check or a view, and argument."""
    scope: ResourceScope

    def arguments(self, key: str) -> dict[str, Any]:
        """Return what a function is given.

        Raises:
            RunError: a resource could not be made ready.
        """
        return self.scope.arguments(self.asked.get(key))

    def masked(self, text: str) -> str:
        """Return a text without secrets."""
        return self.scope.masked(text)

    def without_secrets(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a function wants to be remembered, which is JSON, without secrets in names or values."""
        return {self.masked(name): self._without(value) for name, value in metadata.items()}

    def _without(self, value: Any) -> Any:
        match value:
            case str():
                return self.masked(value)
            case Mapping():
                return self.without_secrets(value)  # pyright: ignore[reportUnknownArgumentType]
            case list() | tuple():
                return [self._without(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
            case _:
                return value

    @property
    def secrets(self) -> SecretValues:
        """What must not be written down."""
        return self.scope.secrets


def resources_of(
    definitions: Definitions, nodes: Iterable[Node], environ: Mapping[str, str], others: Iterable[Resource] = ()
) -> AssetResources:
    """Return what assets, their checks and the views that they read ask for; whoever asks has to open the scope.

    Args:
        definitions: the resources.
        nodes: the assets.
        environ: where resources find their `EnvVar`s.
        others: more resources that share the scope.

    Raises:
        InvalidSettings: a variable is not set, or a value does not fit.
    """
    asked = {
        str(each.key): {
            argument: definitions.resource(each.asset, argument, wanted)
            for argument, wanted in each.asset.signature.resources.items()
        }
        for node in nodes
        for reader in readers_of(node)
        for each in (reader, *reader.views.values())
    }
    every = [resource for given in asked.values() for resource in given.values()]
    return AssetResources(asked, ResourceScope([*every, *others], environ))


@contextmanager
def asset_resources(
    definitions: Definitions,
    nodes: Iterable[Node],
    environ: Mapping[str, str],
    note: Callable[[str], None] | None = None,
) -> Generator[AssetResources]:
    """Put what assets ask for away in the end; see `resources_of`, and `ResourceScope.opened` about `note`.

    Raises:
        InvalidSettings: a variable is not set, or a value does not fit.
        RunError: a resource could not be put away.
    """
    resources = resources_of(definitions, nodes, environ)
    with resources.scope.opened(note):
        yield resources


NO_RESOURCES = AssetResources({}, ResourceScope((), {}))
"""For functions that ask for none."""
