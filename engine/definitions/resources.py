"""Resources: what an asset's function needs that is no table, such as a client, a path or a password.

A resource is a pydantic model. Each environment gives it other values; `EnvVar` leaves one to the environment of the
process that runs the asset, so that it never stands in code, a log or a record.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, PrivateAttr, Secret, SecretBytes, SecretStr, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from deltaworks.errors import InvalidSettings

MASK = "**********"
"""As pydantic shows a secret."""

_EXTRA = "Extra inputs are not permitted"
"""As pydantic says it."""


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


@dataclass(frozen=True, slots=True)
class ShownValue:
    """A field of a resource as people may see it."""

    name: str
    shown: str
    variable: str | None
    """The environment variable that it is read from."""
    is_given: bool
    """Whether anybody said what it is; else it is the field's default."""


class Resource(BaseModel):
    """Base of an author's resources: annotated fields, and methods that assets call."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", frozen=True)

    _variables: dict[str, str] = PrivateAttr(default_factory=dict[str, str])
    """By field: the environment variable that its value was read from. Where the resource is shown or pickled, the
    variable's name stands for the value."""
    _texts: dict[str, str] = PrivateAttr(default_factory=dict[str, str])
    """By field: what the variable said, of which the value was made."""

    def __init__(self, **values: Any) -> None:
        if not any(isinstance(value, EnvVar) for value in values.values()):
            super().__init__(**values)
            return
        self._refuse_misfits(values)
        # The whole cannot be validated before the variables are read; pydantic's own way to restore a model keeps the
        # values as they are until `resolve`.
        self.__setstate__(
            {
                "__dict__": {**_default_resources(type(self)), **values},
                "__pydantic_fields_set__": set(values),
                "__pydantic_extra__": None,
                "__pydantic_private__": {"_variables": {}, "_texts": {}},
            }
        )

    @contextmanager
    def for_run(self) -> Generator[Self]:
        """Make the resource ready for one run, and put it away at its end; by default there is nothing to do.

        An author's resource overrides it as a context manager that yields the resource: itself, with what it opened in
        private attributes. Each process of a run enters it once, before the first call that asks for it and after
        those of the resources in its fields. Several threads may then use it at once, and another one puts it away.
        """
        yield self

    @classmethod
    def is_set_up(cls) -> bool:
        """Return whether there is anything to do before a run can use it, and after."""
        return cls.for_run is not Resource.for_run

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
            raise InvalidSettings(f"resource {name} cannot be made: {without_values(error)}") from None
        made._variables = variables
        made._texts = {field: environ[variable] for field, variable in variables.items()}
        return made

    def hidden(self) -> Iterator[tuple[str, str]]:
        """Yield what must not be written down, each with what stands for it, those of the resources in fields too.

        That is what was read from the environment, for which the variable stands, the values of `SecretStr` and
        the like, and the passwords of URLs.
        """
        for field, value in self.__dict__.items():
            if isinstance(value, Resource):
                yield from value.hidden()
            elif field in self._variables:
                shown = f"${self._variables[field]}"
                texts = (self._texts[field], *_texts_of(value)) if _may_be_secret(value) else ()
                yield from ((secret, shown) for text in texts for secret in (text, *_passwords(text)))
            else:
                yield from ((secret, MASK) for secret in _secrets_in(value))

    def shown(self) -> Iterator[ShownValue]:
        """Yield the fields as people may see them: without secrets, and `EnvVar`s by their names."""
        for name in type(self).model_fields:
            value = self.__dict__.get(name, type(self).model_fields[name].default)
            variable = value.name if isinstance(value, EnvVar) else self._variables.get(name)
            match value:
                case _ if variable is not None:
                    text = f"${variable}"
                case Resource():
                    text = type(value).__name__
                case _:
                    text = str(value)
                    for secret in _secrets_in(value):
                        text = text.replace(secret, MASK)
            yield ShownValue(name, text, variable, name in self.model_fields_set)

    @classmethod
    def _refuse_misfits(cls, values: Mapping[str, Any]) -> None:
        """Validate what is known before the variables are read: the names of fields, and each value by itself.

        Raises:
            ValidationError: a field is missing or unknown, or a value does not fit.
        """
        known = {field: value for field, value in values.items() if not isinstance(value, EnvVar)}
        awaited = values.keys() - known.keys()
        found: list[tuple[str, Any, Any]] = [
            (field, "extra_forbidden", _EXTRA) for field in sorted(awaited - cls.model_fields.keys())
        ]
        try:
            cls.__pydantic_validator__.validate_python(known)
        except ValidationError as error:
            # What has no place is about several fields together, which are not all there yet.
            placed = [each for each in error.errors(include_url=False) if each["loc"]]
            found += [
                (str(each["loc"][0]), each["type"], each["msg"])
                for each in placed
                if not (each["type"] == "missing" and each["loc"][0] in awaited)
            ]
        if found:
            details = [
                InitErrorDetails(type=PydanticCustomError(kind, message), loc=(field,), input=values.get(field))
                for field, kind, message in found
            ]
            raise ValidationError.from_exception_data(cls.__name__, details)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show what was read from the environment by the name of its variable."""
        for name, value in super().__repr_args__():
            yield name, EnvVar(self._variables[name]) if name in self._variables else value

    def __getstate__(self) -> dict[Any, Any]:
        """Leave out what was read from the environment; whoever unpickles it resolves it again."""
        state = super().__getstate__()
        hidden = {field: EnvVar(variable) for field, variable in self._variables.items()}
        return (
            state | {"__dict__": state["__dict__"] | hidden, "__pydantic_private__": {"_variables": {}, "_texts": {}}}
            if hidden
            else state
        )


def with_fields(resource: Resource, fields: Mapping[str, Resource]) -> Resource:
    """Return a resource with other resources in its fields."""
    return resource.model_copy(update=fields) if fields else resource


def without_values(error: ValidationError) -> str:
    """Say what does not fit and where, without the values: they may be secret."""
    found = error.errors(include_input=False, include_url=False)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}".removeprefix(": ") for each in found)


def _default_resources(resource: type[Resource]) -> dict[str, Resource]:
    defaults = {name: field.default for name, field in resource.model_fields.items()}
    return {name: default for name, default in defaults.items() if isinstance(default, Resource)}


def _secrets_in(value: object) -> Iterator[str]:
    """Yield the secrets that stand somewhere in a value."""
    match value:
        case SecretStr() | SecretBytes() | Secret():
            for text in _texts_of(value):  # pyright: ignore[reportUnknownArgumentType]
                yield from (text, *_passwords(text))
        case str():
            yield from _passwords(value)
        case _:
            for each in _within(value):
                yield from _secrets_in(each)


def _texts_of(value: object) -> Iterator[str]:
    """Yield the texts that a value is written down as, all of which is secret."""
    inner = list(_within(value))
    match value:
        case SecretStr() | SecretBytes() | Secret():
            yield from _texts_of(value.get_secret_value())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        case bytes():
            yield value.decode("utf-8", "replace")
        case _ if inner:
            for each in inner:
                yield from _texts_of(each)
        case _ if _may_be_secret(value):
            yield str(value)
        case _:
            pass


def _within(value: object) -> Iterator[object]:
    """Yield what a value is made of."""
    match value:
        case BaseModel():
            yield from vars(value).values()
        case Mapping():
            yield from value.values()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        case list() | tuple() | set() | frozenset():
            yield from value  # pyright: ignore[reportUnknownVariableType]
        case _:
            pass


def _may_be_secret(value: object) -> bool:
    """Return whether a value says more than whether something is so, which stands in half of all texts."""
    return value is not None and not isinstance(value, bool) and value != ""


def _passwords(text: str) -> Iterator[str]:
    """Yield the password of a URL, as it stands there and as it is: a driver may quote it alone."""
    try:
        password = urlsplit(text).password if "://" in text else None
    except ValueError:
        return  # it is no URL
    if password:
        yield password
        yield unquote(password)
