"""SecretValues: values that must not be written down, and texts without them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, SecretBytes, SecretStr

from deltaworks.engine.definitions.resources import Resource

MASK = "**********"
"""As pydantic shows a secret."""

SHORTEST = 4
"""A shorter value would be found in half of all words."""


@dataclass(frozen=True, slots=True)
class SecretValues:
    """The secret values of the resources of a run."""

    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, resources: Mapping[str, Mapping[str, Resource]]) -> SecretValues:
        """Find the values of all `SecretStr` and `SecretBytes` fields, those of models within models too."""
        found = {
            value for given in resources.values() for resource in given.values() for value in _secrets_of(resource)
        }
        return cls(tuple(sorted((value for value in found if len(value) >= SHORTEST), key=len, reverse=True)))

    def masked(self, text: str) -> str:
        """Return a text without the secrets in it."""
        for value in self.values:
            text = text.replace(value, MASK)
        return text


def _secrets_of(model: BaseModel) -> Iterator[str]:
    for value in vars(model).values():
        match value:
            case SecretStr():
                yield value.get_secret_value()
            case SecretBytes():
                yield value.get_secret_value().decode("utf-8", "replace")
            case BaseModel():
                yield from _secrets_of(value)
            case _:
                pass
