"""Resources: what an asset's function needs that is no table, such as a client, a path or a password.

A resource is a pydantic model. Each environment gives it other values; `EnvVar` leaves one to the environment of the
process that runs the asset, so that it never stands in code, a log or a record.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr, SecretStr, ValidationError

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

    _variables: dict[str, str] = PrivateAttr(default_factory=dict[str, str])
    """By field: the environment variable that its value was read from. Where the resource is shown or pickled, the
    variable's name stands for the value."""

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
                "__pydantic_private__": {"_variables": {}},
            }
        )

    @contextmanager
    def for_run(self) -> Generator[Self]:
        """Make the resource ready for one run, and put it away at its end; by default there is nothing to do.

        An author's resource overrides it as a context manager that yields the resource: itself, with what it opened in
        private attributes. It is entered once a run, and after those of the resources that stand in its fields.
        """
        yield self

    def resolve(self, environ: Mapping[str, str]) -> Self:
        """Return this resource with every `EnvVar` replaced by its value, validated; so in the resources of its fields.

        Raises:
            InvalidSettings: a variable is not set, or a value does not fit its field.
        """
        values = dict(self.__dict__)
        name = type(self).__name__
        variables = {field: value.name for field, value in values.items() if isinstance(value, EnvVar)}
        inner = {field: value.resolve(environ) for field, value in values.items() if isinstance(value, Resource)}
        if not variables and all(values[field] is value for field, value in inner.items()):
            return self
        values |= inner
        for field, variable in variables.items():
            if variable not in environ:
                raise InvalidSettings(
                    f"resource {name} takes {field!r} from the environment variable {variable}, which is not set"
                )
            values[field] = environ[variable]
        try:
            made = type(self)(**values)
        except ValidationError as error:
            # The values stay out of the message: they may be secret.
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
            raise InvalidSettings(f"resource {name} cannot be made: {wrong}") from None
        made._variables = variables
        return made

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show what was read from the environment by the name of its variable."""
        for name, value in super().__repr_args__():
            yield name, EnvVar(self._variables[name]) if name in self._variables else value

    def __getstate__(self) -> dict[Any, Any]:
        """Leave out what was read from the environment; whoever unpickles it resolves it again."""
        state = super().__getstate__()
        hidden = {field: EnvVar(variable) for field, variable in self._variables.items()}
        return (
            state | {"__dict__": state["__dict__"] | hidden, "__pydantic_private__": {"_variables": {}}}
            if hidden
            else state
        )


def environment_values(resource: Resource) -> Iterator[tuple[str, str]]:
    """Yield the variables that a resource and those in its fields were read from, each with its value."""
    for field, variable in resource._variables.items():  # pyright: ignore[reportPrivateUsage]
        value: object = getattr(resource, field)
        yield variable, value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    for value in resource.__dict__.values():
        if isinstance(value, Resource):
            yield from environment_values(value)


def with_fields(resource: Resource, fields: Mapping[str, Resource]) -> Resource:
    """Return a resource with other resources in its fields."""
    return resource.model_copy(update=fields) if fields else resource
