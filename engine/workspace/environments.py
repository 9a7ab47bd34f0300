"""Environment: the values that the settings give to resources in one place where a project runs, such as `prod`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import cast

from pydantic import ValidationError

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.resources import EnvVar, Resource, with_fields, without_values
from deltaworks.errors import InvalidSettings, did_you_mean


@dataclass(frozen=True, slots=True)
class Environment:
    """What the settings say about one environment. It pickles, with the names of variables and not their values."""

    name: str
    file: str
    """The settings file."""
    resources: Mapping[str, Mapping[str, object]] = field(default_factory=dict[str, "Mapping[str, object]"])
    """By the name of a resource and of its field: a value, or an `EnvVar`."""
    is_shared: bool = False
    """Whether code locations share it: a resource that one of them does not have is another's."""

    def section(self, resource: str) -> str:
        """Where the file has the values of a resource."""
        return f"environments.{self.name}.resources.{resource}"

    def applied_to(self, definitions: Definitions) -> Definitions:
        """Return what a project defines, with the values of this environment in its resources.

        A resource that stands in the fields of others has the new values there, too.

        Raises:
            InvalidSettings: there is no such resource or field, or a value does not fit it.
        """
        if not self.is_shared:
            self.refuse_unknown(definitions.resources)
        changed = {
            id(resource): self._changed(name, resource)
            for name, resource in definitions.resources.items()
            if name in self.resources
        }
        return definitions.with_resources(
            {name: _replaced(resource, changed) for name, resource in definitions.resources.items()}
        )

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Refuse values for a resource that there is not.

        Raises:
            InvalidSettings: there are some.
        """
        for name in self.resources:
            if name not in known:
                hint = did_you_mean(name, known, otherwise=" `deltaworks list resources` shows which there are.")
                raise InvalidSettings(f"{self.file}: {self.section(name)}: there is no resource {name!r}.{hint}")

    def _changed(self, name: str, resource: Resource) -> Resource:
        kind, values = type(resource), self.resources[name]
        for each in values:
            if each not in kind.model_fields:
                fields = ", ".join(kind.model_fields)
                hint = did_you_mean(each, kind.model_fields, otherwise=f" Its fields are {fields}.")
                raise InvalidSettings(
                    f"{self.file}: {self.section(name)}: {kind.__name__} has no field {each!r}.{hint}"
                )
            if isinstance(resource.__dict__.get(each), Resource):
                raise InvalidSettings(
                    f"{self.file}: {self.section(name)}.{each} is a resource; give it a name of its own among the "
                    f"resources, and its values under environments.{self.name}.resources"
                )
        try:
            return kind(**{**resource.__dict__, **values})
        except ValidationError as error:
            raise InvalidSettings(f"{self.file}: {self.section(name)}: {without_values(error)}") from None


def read_value(value: object) -> object:
    """Return what a settings file says as a resource takes it: `{env = "NAME"}` is read from the environment."""
    match value:
        case {"env": str(variable)} if len(cast("Mapping[str, object]", value)) == 1:
            return EnvVar(variable)
        case _:
            return value


def _replaced(resource: Resource, changed: Mapping[int, Resource]) -> Resource:
    """Return what stands for a resource, with what stands for those in its fields."""
    found = changed.get(id(resource), resource)
    inner = {name: value for name, value in found.__dict__.items() if isinstance(value, Resource)}
    new = {name: _replaced(value, changed) for name, value in inner.items()}
    return with_fields(found, {name: value for name, value in new.items() if value is not inner[name]})
