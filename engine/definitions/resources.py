"""Resources: what an asset's function needs that is no table, such as a client, a path or a password.

A resource is a pydantic model. Each environment gives it other values; `EnvVar` leaves one to the environment of the
process that runs the asset, so that it never stands in code, a log or a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from deltaworks.errors import InvalidSettings


class EnvVar:
    """The value of an environment variable, read when a run starts."""

    name: str

    def __new__(cls, name: str) -> Any:
        """Return a placeholder that type checkers accept for a field of any type."""
        placeholder = super().__new__(cls)
        placeholder.name = name
        return placeholder

    def __getnewargs__(self) -> tuple[str]:
        return (self.name,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EnvVar) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"EnvVar({self.name!r})"


class Resource(BaseModel):
    """Base of an author's resources: annotated fields, and methods that assets call."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", frozen=True)

    def __init__(self, **values: Any) -> None:
        if not any(isinstance(value, EnvVar) for value in values.values()):
            super().__init__(**values)
            return
        # Nothing can be validated before the variables are read; pydantic's own way to restore a model keeps the
        # values as they are until `resolve`.
        self.__setstate__(
            {
                "__dict__": values,
                "__pydantic_fields_set__": set(values),
                "__pydantic_extra__": None,
                "__pydantic_private__": None,
            }
        )

    def resolve(self, environ: Mapping[str, str]) -> Resource:
        """Return this resource with every `EnvVar` replaced by its value, validated.

        Raises:
            InvalidSettings: a variable is not set, or a value does not fit its field.
        """
        values = dict(self.__dict__)
        name = type(self).__name__
        variables = {field: value.name for field, value in values.items() if isinstance(value, EnvVar)}
        if not variables:
            return self
        for field, variable in variables.items():
            if variable not in environ:
                raise InvalidSettings(
                    f"resource {name} takes {field!r} from the environment variable {variable}, which is not set"
                )
            values[field] = environ[variable]
        try:
            return type(self)(**values)
        except ValidationError as error:
            # The values stay out of the message: they may be secret.
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
            raise InvalidSettings(f"resource {name} cannot be made: {wrong}") from None
